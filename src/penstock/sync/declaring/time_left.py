"""The time that a run has: nothing is begun that is not likely to end within it.

A run is cut into steps (a page of the source, a call to the destination), and may stop between two of them. How long a
step takes is learned: by its name, the longest of late.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.domain.errors import OutOfTime

_FORGETS = 0.9
_PRESSED_SECONDS = 30.0


class TimeLeft:
    """Until when a run may go on, in seconds of a monotonic clock, and what its steps take.

    `read` counts the records that were read so far, `apart_seconds` what went into first contacts, which no other
    run has to make again.
    """

    __slots__ = ("_current", "_monotonic", "_next", "_whole", "apart_seconds", "end", "read", "steps")

    def __init__(self, end: float = math.inf, monotonic: Callable[[], float] = time.monotonic,
                 steps: dict[str, float] | None = None, whole: float = math.inf) -> None:
        """`steps`: what was learned earlier, by name; what is learned now is added to it. `whole` is how many seconds
        the window has in all."""
        self.end = end
        self.steps: dict[str, float] = {} if steps is None else steps
        self.read = 0
        self.apart_seconds = 0.0
        self._monotonic = monotonic
        self._whole = whole
        self._current = self._next = ""

    def left(self) -> float:
        """For how many seconds the run may go on."""
        return self.end - self._monotonic()

    @property
    def pressed(self) -> bool:
        """Whether so little is left that a call may fail of that alone."""
        return self.left() < _PRESSED_SECONDS

    def spare(self) -> float:
        """For how many seconds the step that is about to begin may be waited with."""
        return self.left() - self.steps.get(self._current or self._next, 0.0)

    def check(self) -> None:
        """Raise `OutOfTime` where the step at work has no time for another call, or there is none left at all."""
        if self.end != math.inf:
            self.begin(self._current)

    def begin(self, name: str) -> None:
        """Raise `OutOfTime` unless such a step is likely to end in time."""
        self._next = name
        if self.end == math.inf:
            return
        left, needs = self.left(), self.steps.get(name, 0.0)
        if left <= 0 or left < needs:
            if needs > self._whole:  # no window is long enough: the next one is to try again all the same
                self.steps[name] = self._whole / 2
            what = f"{name} took up to {needs:.3g} s of late, and " if needs else ""
            raise OutOfTime(f"{what}{max(left, 0.0):.3g} s of the window are left; the run goes on in a later one")

    @contextmanager
    def step(self, name: str, calls: Callable[[], int] | None = None) -> Iterator[None]:
        """Do one step, and learn how long it takes. Of one that makes several `calls`, how long each does."""
        before = calls() if calls else 0
        began, around, self._current = self._monotonic(), self._current, name
        try:
            yield
        finally:
            self._current = around
            made = max(calls() - before, 1) if calls else 1
            took = (self._monotonic() - began) / made
            self.steps[name] = max(took, self.steps.get(name, 0.0) * _FORGETS)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Do what no other run will have to do again."""
        began = self._monotonic()
        try:
            yield
        finally:
            self.apart_seconds += self._monotonic() - began
