"""Upkeep: stage what has become due, rescue the jobs of workers that stopped renewing.

Every worker does it; statements that find nothing cost an index look-up.
"""

from penstock.domain.jobs import JobState
from penstock.events import Events, JobsRescued
from penstock.store.port import Store, Transaction

_STAGE_BATCH = 1000


class Upkeep:
    """One pass at a time; `step` says how many seconds may go by before the next is needed."""

    def __init__(self, store: Store, events: Events, every_seconds: float) -> None:
        self._store = store
        self._events = events
        self._every_seconds = every_seconds

    def step(self) -> float:
        staged = self.stage()
        self.rescue()
        if staged == _STAGE_BATCH:
            return 0.0
        row = self._store.read(lambda tx: tx.row("next_due"))
        if row is None or row[0] is None:
            return self._every_seconds
        return float(min(max(row[0] / 1000, 0.005), self._every_seconds))

    def stage(self) -> int:
        """Make due jobs available; at most a thousand at a time, so that no transaction grows long."""
        staged = self._store.write(lambda tx: tx.execute("stage", {"count": _STAGE_BATCH}))
        if staged:
            self._store.wake()
        return staged

    def rescue(self) -> int:
        """Give the jobs of expired workers to others. The worker's row goes first, so no late claim is orphaned."""

        def work(tx: Transaction) -> list[str]:
            tx.rows("workers_expire")
            return [row[1] for row in tx.rows("rescue")]

        states = self._store.write(work)
        if states:
            available = states.count(JobState.AVAILABLE)
            self._events.emit(JobsRescued(available=available, discarded=len(states) - available))
            self._store.wake()
        return len(states)
