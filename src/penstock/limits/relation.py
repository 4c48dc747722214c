"""How this process's monotonic clock stands to the database's: what is surely so, from every round trip.

The invariant: `earliest` is not before the database's clock has surely reached a time, `latest` not after it may have
passed it, as long as nobody sets that clock. Where somebody does, the next round trip shows it.
"""

import threading
from collections.abc import Callable

from penstock.store.port import Transaction

_DRIFT = 200e-6  # by how much the two may run apart
_ROUNDED_US = 1000  # the database says its time in milliseconds
_JUMP_US = 20_000


class Relation:
    """The bounds of what has to be added to the monotonic time to get the database's, in microseconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._low = self._high = 0.0
        self._at: float | None = None

    def now_us(self) -> float:
        return self._monotonic() * 1_000_000

    def told(self, before_us: float, after_us: float, time_us: int) -> int:
        """The database said its time between two of ours. Returns by how much it was set forward since, or 0."""
        low, high = time_us - _ROUNDED_US - after_us, time_us + _ROUNDED_US - before_us
        with self._lock:
            jump = 0.0
            if self._at is not None:
                drift = (after_us - self._at) * _DRIFT
                old_low, old_high = self._low - drift, self._high + drift
                if low <= old_high and high >= old_low:
                    low, high = max(low, old_low), min(high, old_high)
                elif low > old_high + _JUMP_US:
                    jump = low - old_high
            self._low, self._high, self._at = low, high, after_us
            return int(jump)

    def ask(self, tx: Transaction) -> tuple[int, int]:
        """The database's time within a transaction, and by how much it was set forward since it was last told, or 0."""
        before = self.now_us()
        row = tx.row("now")
        assert row is not None
        time_us = row[0] * 1000
        return time_us, self.told(before, self.now_us(), time_us)

    def expected_us(self) -> int | None:
        """The latest that the database's time can be now; None where nothing is known of it."""
        with self._lock:
            if self._at is None:
                return None
            now = self.now_us()
            return int(now + self._high + (now - self._at) * _DRIFT)

    def time_us(self) -> float | None:
        """About what the database's time is now; None where nothing is known of it."""
        with self._lock:
            return None if self._at is None else self.now_us() + (self._low + self._high) / 2

    def earliest(self, time_us: float) -> float:
        """The monotonic time, in seconds, at which the database's surely is that."""
        return (time_us - self._low) / 1_000_000

    def latest(self, time_us: float) -> float:
        """The monotonic time, in seconds, until which the database's surely is no more than that."""
        return (time_us - self._high) / 1_000_000
