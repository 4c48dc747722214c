"""Time in the world. What waits there calls `pause`, which waits as any sleep does; but while a day is made, it moves
the clocks of the process and of the store on instead, so that an hour of waiting takes no time and is measured all the
same.

`begin` comes before Penstock is imported: its parts keep the clocks that they find.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.testing import FakeClock

_monotonic, _perf_counter_ns = time.monotonic, time.perf_counter_ns


class _Clocks:
    def __init__(self) -> None:
        self.ahead_ns = 0
        self.store: FakeClock | None = None

    def monotonic(self) -> float:
        return _monotonic() + self.ahead_ns / 1e9

    def perf_counter_ns(self) -> int:
        return _perf_counter_ns() + self.ahead_ns

    def move(self, seconds: float) -> None:
        assert self.store is not None
        whole = round(seconds * 1000)  # the store knows milliseconds
        self.ahead_ns += whole * 1_000_000
        self.store.advance(timedelta(milliseconds=whole))


_clocks = _Clocks()


def begin() -> None:
    """Have what is imported from now on go by clocks that can be moved."""
    time.monotonic = _clocks.monotonic
    time.perf_counter_ns = _clocks.perf_counter_ns


@contextmanager
def moved_with(store: "FakeClock") -> Iterator[Callable[[], float]]:
    """Move the store's clock and those of this process together; gives the one that counts seconds."""
    _clocks.store = store
    try:
        yield _clocks.monotonic
    finally:
        _clocks.store = None


def pause(seconds: float) -> None:
    """Let that much time pass."""
    if _clocks.store is None:
        time.sleep(seconds)
    else:
        _clocks.move(seconds)


def move_to(at: datetime) -> None:
    """Let it be that time, unless it is later already."""
    assert _clocks.store is not None
    _clocks.move(max((at - _clocks.store.now).total_seconds(), 0))


def behind() -> timedelta:
    """By how much it is earlier than it really is."""
    return timedelta(microseconds=-_clocks.ahead_ns // 1000)


@contextmanager
def apart() -> Iterator[None]:
    """What others do meanwhile: afterwards it is as early as it was before."""
    assert _clocks.store is not None
    began = _clocks.store.now
    yield
    _clocks.move((began - _clocks.store.now).total_seconds())


def go_back(by: timedelta) -> None:
    """Let it be earlier by so much."""
    _clocks.move(-by.total_seconds())
