"""What attempts came to, on its way to the store: gathered while one batch is being written, then written as the next.

An outcome leaves here only when the store has it, or has said that its lease is stale.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from penstock.domain.jobs import Outcome
from penstock.events import Events, StaleSettle
from penstock.queue.attempt import Attempt
from penstock.queue.claim import settle
from penstock.store.port import Store

_BATCH = 2000
_ENOUGH = 1000
_LINGER_SECONDS = 0.004
_IDLE_SECONDS = 3600.0
_PROGRESS_SECONDS = 1.0

Ended = tuple[Attempt, Outcome]


class Settling:
    """Collects from the slots; `step` runs on a loop of its own. `settled` is told of every batch."""

    def __init__(self, store: Store, events: Events, settled: Callable[[list[Ended]], None]) -> None:
        self._store = store
        self._events = events
        self._settled = settled
        self._rows: deque[Ended] = deque()
        self._enough = threading.Event()
        self._left: dict[int, int] = {}
        self._progress: dict[int, tuple[float | None, str | None]] = {}
        self._progress_at = 0.0
        self._changed = threading.Condition()
        self._writing = False
        self.busy = False
        self.wake: Callable[[], None] = lambda: None

    def open(self, lease: int, jobs: int) -> None:
        """A claim gave so many jobs under a lease."""
        self._left[lease] = jobs

    def knows(self, lease: int) -> bool:
        """Whether jobs of this lease are still on their way through this worker."""
        return lease in self._left

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        self._rows.append((attempt, outcome))
        if len(self._rows) >= _ENOUGH:
            self._enough.set()

    def tell(self, job_id: int, percent: float | None, note: str | None) -> None:
        """Progress, to be saved with the next batch or a second later."""
        self._progress[job_id] = (percent, note)
        self.wake()

    def step(self) -> float:
        """Write what there is. Where many short jobs run, a few milliseconds gather many into one commit."""
        if self.busy and len(self._rows) < _ENOUGH:
            self._enough.wait(_LINGER_SECONDS)
        self._enough.clear()
        self._save_progress()
        self._writing = True
        try:
            self._save_batch()
        finally:
            self._writing = False
            with self._changed:
                self._changed.notify_all()
        if self._rows:
            return 0.0
        return _PROGRESS_SECONDS if self._progress else _IDLE_SECONDS

    def _save_batch(self) -> None:
        batch = [self._rows.popleft() for _ in range(min(len(self._rows), _BATCH))]
        if not batch:
            return
        try:
            self._write(batch)
        except BaseException:
            self._rows.extendleft(reversed(batch))
            raise
        self._settled(batch)

    def _write(self, batch: list[Ended]) -> None:
        fresh = Counter(attempt.job.lease for attempt, outcome in batch if not outcome.late)
        ended = [lease for lease, count in fresh.items() if self._left.get(lease, 0) == count]
        written = [outcome for _, outcome in batch if not outcome.written]
        stale = settle(self._store, written, ended)
        for lease, count in fresh.items():
            if lease in ended:
                self._left.pop(lease, None)
            elif lease in self._left:
                self._left[lease] -= count
        for outcome in written if stale else ():
            if outcome.id in stale:
                self._events.emit(StaleSettle(job_id=outcome.id, lease=outcome.lease))

    def _save_progress(self) -> None:
        now = time.monotonic()
        if not self._progress or now - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = now
        told: dict[int, tuple[float | None, str | None]] = {}
        while self._progress:
            job_id, said = self._progress.popitem()  # one by one: slots go on telling meanwhile
            told[job_id] = said
        columns = {"ids": list(told), "percents": [percent for percent, _ in told.values()],
                   "notes": [note for _, note in told.values()]}
        try:
            self._store.write(lambda tx: tx.batch("progress_save", columns))
        except BaseException:
            for job_id, said in told.items():
                self._progress.setdefault(job_id, said)  # unless something newer was told
            raise

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until every outcome has been written; False if time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rows and not self._writing, timeout_seconds)
