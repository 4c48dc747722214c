"""Slows whoever guesses tokens: after some failures from one address, it has to wait, longer with each one more."""

import math
import threading
import time
from collections.abc import Callable

FREE = 5
FIRST_SECONDS = 2
MOST_SECONDS = 300
_MOST_KEPT = 10_000
_FORGOTTEN_SECONDS = 3600.0


class Slowing:
    """Failures by address, of this process. What is kept is bounded: the oldest is forgotten first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str) -> int:
        """How many whole seconds this address has to wait; 0: none."""
        with self._lock:
            count, last = self._failures.get(address, (0, 0.0))
        if count < FREE:
            return 0
        wait = min(FIRST_SECONDS * (1 << min(count - FREE, 20)), MOST_SECONDS)
        return max(0, math.ceil(last + wait - self._now()))

    def failed(self, address: str) -> None:
        with self._lock:
            count, last = self._failures.pop(address, (0, 0.0))
            if self._now() - last > _FORGOTTEN_SECONDS:
                count = 0
            self._failures[address] = (count + 1, self._now())
            while len(self._failures) > _MOST_KEPT:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str) -> None:
        with self._lock:
            self._failures.pop(address, None)
