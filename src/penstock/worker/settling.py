"""What attempts came to, on its way to the store: gathered while one batch is being written, then written as the next.

A row leaves here only when the store has it, or has said that its lease is stale.
"""

import threading
from collections import deque

from penstock.domain.jobs import Settled
from penstock.events import Events, StaleSettle
from penstock.queue.claim import settle
from penstock.store.port import Store

_BATCH = 1000
_IDLE_SECONDS = 3600.0


class Settling:
    """Collects from the slots' threads; `step` runs on a loop of its own."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events
        self._rows: deque[Settled] = deque()
        self._empty = threading.Condition()

    def add(self, row: Settled) -> None:
        self._rows.append(row)

    def waiting(self) -> set[tuple[int, int]]:
        """The attempts, by job and lease, that have ended and whose rows are not yet in the store."""
        return {(row["id"], row["lease"]) for row in self._rows.copy()}

    def step(self) -> float:
        batch = [self._rows[place] for place in range(min(len(self._rows), _BATCH))]
        if not batch:
            return _IDLE_SECONDS
        stale = settle(self._store, batch)
        for _ in batch:
            self._rows.popleft()
        for row in batch:
            if row["id"] in stale:
                self._events.emit(StaleSettle(job_id=row["id"], lease=row["lease"]))
        with self._empty:
            self._empty.notify_all()
        return 0.0 if self._rows else _IDLE_SECONDS

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until every row has been written; False if time ran out first."""
        with self._empty:
            return self._empty.wait_for(lambda: not self._rows, timeout_seconds)
