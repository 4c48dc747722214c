"""Faults, and the boundaries at which they strike: before and after each page read, each verb and each HTTP request.

A fault strikes once, at the n-th boundary that it can strike at; so trying n = 1, 2, 3 … until nothing is struck has
tried every boundary of a run.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from penstock.domain.errors import DestinationError, Throttled, Unavailable

Kind = Literal["page", "verb", "request"]
Side = Literal["before", "after"]
RETRY_AFTER_SECONDS = 3.0


class Killed(BaseException):
    """The process is dead: nothing that it would still do in its last clauses reaches the store or the destination."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """`what` is for people: "create of People", "a page of People", "POST /Users"."""

    kind: Kind
    side: Side
    what: str

    def __str__(self) -> str:
        return f"{self.side} {self.what}"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A way to go wrong: which boundaries it strikes at. `requests` says whether the connector's requests are seen."""

    name: str
    strikes: Callable[[Boundary, bool], bool]

    def at(self, number: int) -> "Fault":
        return Fault(self, number)


def _call(side: Side) -> Callable[[Boundary, bool], bool]:
    """Each request where those are seen, else each verb."""
    return lambda boundary, requests: boundary.side == side and boundary.kind == ("request" if requests else "verb")


def _page(side: Side) -> Callable[[Boundary, bool], bool]:
    return lambda boundary, requests: boundary.side == side and boundary.kind == "page"


KILLED = FaultKind("killed", lambda boundary, requests: True)
ANSWER_LOST = FaultKind("answer lost", _call("after"))
ANSWER_TORN = FaultKind("answer torn", lambda boundary, requests: requests and _call("after")(boundary, True))
REQUEST_LOST = FaultKind("request lost", _call("before"))
THROTTLED = FaultKind("throttled", _call("before"))
SOURCE_FAILED = FaultKind("source failed", _page("before"))
PAGE_TWICE = FaultKind("page given twice", _page("after"))
PAGE_LAST = FaultKind("read ended in the middle of a page", _page("after"))
PAGE_HALVED = FaultKind("page lost its second half", _page("after"))


class Fault:
    """One fault to come. `struck` is where it has struck."""

    def __init__(self, kind: FaultKind, number: int) -> None:
        self.kind = kind
        self.number = number
        self.struck: Boundary | None = None
        self._left = number

    def meets(self, boundary: Boundary, requests: bool) -> bool:
        """Whether it strikes here."""
        if self.struck is not None or not self.kind.strikes(boundary, requests):
            return False
        self._left -= 1
        if self._left:
            return False
        self.struck = boundary
        return True

    def __str__(self) -> str:
        if self.struck is None:
            return f"{self.kind.name}, at the {self.number}. place where it can be"
        return f"{self.kind.name} {self.struck} (the {self.number}. place where it can be)"


class Faults:
    """The faults of one world. The engine's thread and a proxy's threads reach boundaries; `dead` stops them all."""

    def __init__(self, requests: bool, killed: Callable[[], None] | None = None) -> None:
        self._requests = requests
        self._killed = killed
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self.dead = False

    def arm(self, *faults: Fault) -> None:
        """Let these faults strike, one after the other, and no others."""
        self._armed = list(faults)

    def alive(self) -> None:
        """Raise `Killed` once the process is dead."""
        if self.dead:
            raise Killed("the kit killed this process")

    def reach(self, kind: Kind, side: Side, what: str) -> FaultKind | None:
        """The fault that strikes here, if any. Raises `Killed` where it is death, or has been."""
        with self._lock:
            self.alive()
            boundary = Boundary(kind, side, what)
            fault = next((fault for fault in self._armed if fault.struck is None), None)
            if fault is None or not fault.meets(boundary, self._requests):
                return None
            if fault.kind is KILLED:
                if self._killed is not None:
                    self._killed()
                self.dead = True
                self.alive()
            return fault.kind


def broken(fault: FaultKind, what: str) -> DestinationError | None:
    """The error that a verb raises for a fault, as a connector would; None for what is no fault of a call."""
    if fault is THROTTLED:
        return Throttled(RETRY_AFTER_SECONDS)
    if fault in (ANSWER_LOST, REQUEST_LOST):
        return Unavailable(f"{what}: the kit broke the connection")
    return None
