"""Limits and gates through the app: what user code spends itself, and what people close and open."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from penstock.app.listing import Listing
from penstock.domain.errors import ConfigurationError, DeclarationError
from penstock.domain.limits import Limit
from penstock.domain.names import did_you_mean
from penstock.events import GateChanged
from penstock.limits.declared import Declared
from penstock.limits.gates import FOREVER, Gate
from penstock.limits.spending import Need, Options, Permit, Spending
from penstock.limits.telling import KeyState, near_edge, page, shut, states
from penstock.observe.nesting import waits
from penstock.queue.attempt import current
from penstock.store.port import Store

_PATIENCE_SECONDS = 30.0
_LONGEST_KEY = 400


class Limiting(Listing):
    """Spend permits, and close and open gates."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.sleep: Callable[[float], object] = time.sleep
        """How a thread waits for a permit: beside `monotonic`, for tests whose time is their own. Set it before the
        first."""
        self.declared = Declared()
        self._spending: Spending | None = None
        self._spending_lock = threading.Lock()

    def limits(self, *limits: Limit) -> None:
        """Declare limits that several tasks, syncs and other code share, each `by` a name of its own.

        Whoever spends under that name spends them all. Raises `DeclarationError`.
        """
        check_limits(limits)
        faults = [f"limits: expected by= a name that others share, got {limit!r}" for limit in limits
                  if not isinstance(limit.by, str)]
        if faults:
            raise DeclarationError(faults)
        self.declared.add(limits)

    def limit(self, key: str, *, weight: int = 1, timeout: float = _PATIENCE_SECONDS) -> "Limitation":
        """Leave for calls under a shared key: `with app.limit("crm", weight=3): …`, or `async with`.

        It waits for permits of every limit of that key, at most `timeout` seconds, and goes through its gate; a block
        that raises `Throttled` or `Unavailable` closes the gate. Raises `Limited` where there is no permit in time (a
        job that lets it through goes again then, at no attempt) and `ConfigurationError` for a key that nobody has
        declared, or a weight that its limits never give at once.
        """
        return Limitation(self, key, weight, timeout)

    def gate(self, key: str) -> "AppGate":
        """The gate of a key: that of a limit, `sync:NAME:ACCOUNT` of a sync's account. Raises `ConfigurationError`."""
        if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or "\0" in key:
            raise ConfigurationError(f"gate: expected a key of 1 to {_LONGEST_KEY} characters, got {key!r}")
        return AppGate(self, key)

    def limit_states(self) -> list[KeyState]:
        """Every key of which permits were given or whose gate is not open: what is used of its limits, and its gate."""
        return states(self.store, self.declared.limits)

    def limit_page(self, *, begins: str = "", start: str = "", limit: int = 50) -> tuple[list[KeyState], str | None]:
        """The same a page at a time, in the order of the keys: those of which permits were given, and that begin so.

        The next page has as its `start` what this one gives besides; None where there is none.
        """
        return page(self.store, self.declared.limits, begins=begins, start=start, count=limit)

    def shut_gates(self, *, begins: str = "", limit: int = 50) -> list[Gate]:
        """The first gates that are not open, in the order of their keys, of those that begin so."""
        return shut(self.store, begins=begins, count=limit)

    def limits_near_edge(self, limit: int = 20) -> list[KeyState]:
        """Keys that hold work up, or are about to: first those whose gate is not open, then those of which little is
        left. Of very many keys only the first some hundreds by name are looked at for what is left."""
        return near_edge(self.store, self.declared.limits, limit)

    @property
    def spending(self) -> Spending:
        """The permits of this process."""
        store = self.store
        with self._spending_lock:
            if self._spending is None or self._spending.store is not store:
                self._spending = self._new_spending(store)
            return self._spending

    def _new_spending(self, store: Store) -> Spending:
        return Spending(store, monotonic=lambda: self.monotonic(), sleep=self.sleep, name=_name(),
                        told=lambda key, state, reason: self.events.emit(GateChanged(key, state, reason)), waits=waits)

    def close(self) -> None:
        """Give back what is held of limits, and close the store. The app opens it again when it is next needed."""
        self._stop_spending()
        super().close()

    def _stop_spending(self, *, only_idle: bool = False) -> None:
        """Give back what is held of limits; if `only_idle`, not while somebody uses it."""
        with self._spending_lock:
            spending = self._spending
            if spending is None or (only_idle and spending.in_use):
                return
            self._spending = None
        spending.close()


class Limitation:
    """Leave for calls under one key. It may be used again and again, and by several threads and tasks at once."""

    def __init__(self, app: Limiting, key: str, weight: int, timeout: float) -> None:
        if type(weight) is not int or weight < 1:
            raise ConfigurationError(f"weight: expected a whole number of at least 1, got {weight!r}")
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
            raise ConfigurationError(f"timeout: expected seconds of 0 or more, got {timeout!r}")
        self._app = app
        self._key = key
        self._weight = weight
        self._timeout = timeout
        self._held = threading.local()
        self._tasks: dict[Any, list[Permit]] = {}

    def acquire(self) -> Permit:
        """A permit that is told itself what became of the call: see `Permit`."""
        return self._app.spending.acquire(self._needs(), **self._options())

    async def aacquire(self) -> Permit:
        """The same on an event loop."""
        return await self._app.spending.aacquire(self._needs(), **self._options())

    def __enter__(self) -> Permit:
        permit = self.acquire()
        self._stack().append(permit)
        return permit

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack().pop().__exit__(kind, error, trace)

    async def __aenter__(self) -> Permit:
        permit = await self.aacquire()
        self._tasks.setdefault(asyncio.current_task(), []).append(permit)
        return permit

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        task = asyncio.current_task()
        held = self._tasks[task]
        permit = held.pop()
        if not held:
            del self._tasks[task]
        await permit.aend(error)

    def _stack(self) -> list[Permit]:
        if not hasattr(self._held, "permits"):
            self._held.permits = []
        found: list[Permit] = self._held.permits
        return found

    def _needs(self) -> list[Need]:
        keyed = self._app.declared.of(self._key)
        for limit, _ in keyed:
            if self._weight > limit.count:
                raise ConfigurationError(f"weight: expected at most {limit.count:,}, since {self._key} gives {limit},"
                                         f" got {self._weight:,}: cut the call into parts")
        return [Need(limit, key, self._weight) for limit, key in keyed]

    def _options(self) -> Options:
        attempt = current.get(None)
        return {"patience": self._timeout, "check": None if attempt is None else attempt.check}


class AppGate:
    """One gate, for people."""

    def __init__(self, app: Limiting, key: str) -> None:
        self._app = app
        self._key = key

    @property
    def state(self) -> str:
        """`open`, `closed` or `probing`."""
        gate = self.look()
        return "open" if gate is None else gate.state

    def look(self) -> Gate | None:
        """The gate as the store has it; None where it was never closed."""
        return self._app.spending.gates.one(self._key)

    def close(self, reason: str, *, until: datetime | None = None, lasting: timedelta | None = None,
              by: str | None = None) -> None:
        """Let no call through: until a time, for a while, or until somebody opens it.

        After its time one call is let through, to see whether it may open. Raises `ConfigurationError`.
        """
        seconds = _seconds(until, lasting)
        self._app.spending.gates.close(self._key, seconds, reason, by=by or "a person", failures=0, anyway=True)

    def open(self) -> bool:
        """Let calls through; False if it was open."""
        return self._app.spending.gates.open(self._key)


def check_limits(limits: Any, names: Collection[str] | None = None) -> None:
    """Raise `DeclarationError` for what is no limit, or has a `by` of several names that are not all among `names`."""
    faults = [f"limits: expected Rate, Quota or Concurrency, got {limit!r}"
              for limit in limits if not isinstance(limit, Limit)]
    if not faults and names is not None:
        faults = [f"limits: by: no parameter {name!r}{did_you_mean(name, names)}" for limit in limits
                  if isinstance(limit.by, tuple) for name in limit.by if name not in names]
    if faults:
        raise DeclarationError(faults)


def _seconds(until: datetime | None, lasting: timedelta | None) -> float:
    if until is not None and lasting is not None:
        raise ConfigurationError("gate: expected until= a time or lasting= a while, got both")
    if until is not None:
        if until.utcoffset() is None:
            raise ConfigurationError(f"until: expected a time with a zone, got the naive {until.isoformat()}: add"
                                     " tzinfo=UTC, or the zone that you mean")
        return max((until - datetime.now(UTC)).total_seconds(), 0.001)
    if lasting is not None:
        if not lasting > timedelta(0):
            raise ConfigurationError(f"lasting: expected a timedelta above zero, got {lasting!r}")
        return lasting.total_seconds()
    return FOREVER


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
