"""When it is time for what is done now and then, so that none of it takes more than a small share of the time."""

import time
from collections.abc import Callable

_SHARE = 20


class Turn:
    """In a `with` statement: whether it is due, every so many seconds, and for at most a twentieth of the time."""

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._next_at = self._began = 0.0
        self._due = False

    def __enter__(self) -> bool:
        self._began = time.monotonic()
        self._due = self._began >= self._next_at
        return self._due

    def __exit__(self, *exception: object) -> None:
        if self._due:
            took = time.monotonic() - self._began
            self._next_at = self._began + max(self._every_seconds, took * _SHARE)


def every(seconds: float, step: Callable[[], object]) -> Callable[[], None]:
    """The same step, done when it is its turn."""
    turn = Turn(seconds)

    def taken() -> None:
        with turn as due:
            if due:
                step()

    return taken
