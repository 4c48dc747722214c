"""Permits of quotas, leased from the store a few at a time.

The invariant: what the store gave for a period counts as used, whether or not this process comes to use it; and a
permit is used in the period that it was given for, or not at all.
"""

from collections.abc import Callable

from penstock.domain.errors import Limited
from penstock.domain.limits import Quota, name_of
from penstock.domain.periods import given, left
from penstock.limits.relation import Relation
from penstock.limits.rows import locked, saved
from penstock.limits.steps import Patience, Steps
from penstock.limits.turns import Turns
from penstock.store.port import Store, Transaction

_MOST_BATCH = 64
_SHARE = 16  # a batch is at most this part of what is left: near the end every permit counts


class QuotaPool:
    """What this process has of one quota of one key. `spent` is told when nothing is left, and for how many seconds."""

    def __init__(self, store: Store, relation: Relation, monotonic: Callable[[], float], key: str, quota: Quota,
                 spent: Callable[[float, str], object]) -> None:
        self._store = store
        self._relation = relation
        self._monotonic = monotonic
        self._key = key
        self._quota = quota
        self._spent = spent
        self._turns = Turns()
        self._have = 0
        self._until = 0.0
        self._size = 1

    def ready(self, weight: int) -> bool:
        """Take permits that are at hand."""
        with self._turns.lock:
            if self._have < weight or self._monotonic() >= self._until:
                return False
            self._have -= weight
            return True

    def take(self, weight: int, patience: Patience) -> Steps[None]:
        """Wait for permits. Raises `Limited` where none come in time."""
        while not self.ready(weight):
            with self._turns.lock:
                asked = self._turns.begin()
            if asked is not None:
                try:
                    yield from patience.until(asked)
                finally:
                    self._turns.waited()
                continue
            try:
                wait: float | None = yield lambda: self._lease(weight)
            finally:
                self._turns.end()
            if wait is None:
                return
            if wait > max(patience.left(), 0.0):
                raise Limited(self._key, wait, f"the quota of {self._quota} is spent")
            yield from patience.sleep(wait)

    def give_back(self, weight: int) -> None:
        """What was taken and is not used after all: it is at hand for the next."""
        with self._turns.lock:
            self._have += weight

    def _lease(self, weight: int) -> float | None:
        """Get the permits of one call, and some more for those who wait; None, or the seconds until there are
        enough."""
        with self._turns.lock:
            self._size = min(self._size * 2, _MOST_BATCH)
            wanted = weight + max(self._turns.waiting, self._size)

        def work(tx: Transaction) -> tuple[int, int, int, int, int]:
            row = locked(tx, self._key, name_of(self._quota))
            now_us, _ = self._relation.ask(tx)
            now_ms = now_us // 1000
            entries = [(begin, units) for begin, units in row.entries]
            found = left(self._quota, entries, now_ms, weight)
            count = 0
            if found.free >= weight:
                count = max(min(wanted, found.free // _SHARE), weight)
                row.spend(given(self._quota, entries, found, count))
                row.next_us = (found.begin_ms + 2000 * self._quota.seconds) * 1000  # until then it has something to say
                saved(tx, row)
            return count, found.until_ms, found.again_ms, now_ms, found.free

        count, until_ms, again_ms, now_ms, there = self._store.write(work)
        if count:
            until = self._relation.latest(until_ms * 1000)
            with self._turns.lock:
                if self._until <= self._monotonic():
                    self._have = 0  # what is left of a period that is over
                self._have += count - weight
                self._until = until
            return None
        wait = max((again_ms - now_ms) / 1000, 0.001)
        if not there:
            self._spent(wait, f"the quota of {self._quota} is spent")
        return wait
