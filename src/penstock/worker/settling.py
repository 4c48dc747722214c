"""What attempts came to, on its way to the store: gathered while one batch is being written, then written as the next.

An outcome leaves here only when the store has it, or has said that its lease is stale.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from penstock.domain.jobs import Outcome
from penstock.events import JobCompleted, StaleSettle
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.queue.claim import settle
from penstock.queue.progress import save
from penstock.store.port import Store

_BATCH = 2000
_ENOUGH = 1000
_LINGER_SECONDS = 0.004
_IDLE_SECONDS = 3600.0
_PROGRESS_SECONDS = 1.0

Ended = tuple[Attempt, Outcome]


class Settling:
    """Collects from the slots; `step` runs on a loop of its own. `settled` is told of every batch; `told`
    says whether other jobs wait for what was written since somebody cleared it."""

    def __init__(self, store: Store, events: Events, settled: Callable[[list[Ended]], None]) -> None:
        self._store = store
        self._events = events
        self._settled = settled
        self._rows: deque[Ended] = deque()
        self._enough = threading.Event()
        self._left: dict[int, int] = {}
        self._telling: dict[Attempt, None] = {}  # who said more than is saved
        self._progress_at = 0.0
        self._changed = threading.Condition()
        self._writing = False
        self.busy = False
        self.told = False
        self.wake: Callable[[], None] = lambda: None

    def open(self, lease: int, jobs: int) -> None:
        """A claim gave so many jobs under a lease."""
        self._left[lease] = jobs

    def knows(self, lease: int) -> bool:
        """Whether jobs of this lease are still on their way through this worker."""
        return lease in self._left

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        self._rows.append((attempt, outcome))
        if len(self._rows) * (1 if outcome.parts is None else len(outcome.parts)) >= _ENOUGH:
            self._enough.set()

    def tell(self, attempt: Attempt) -> None:
        """There is progress to be saved: with the batch that the attempt ends in, or within a second."""
        if attempt not in self._telling:
            self._telling[attempt] = None
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
        return _PROGRESS_SECONDS if self._telling else _IDLE_SECONDS

    def _save_batch(self) -> None:
        batch = []
        left = _BATCH
        while self._rows and left > 0:
            batch.append(row := self._rows.popleft())
            left -= 1 if row[1].parts is None else len(row[1].parts)
        if not batch:
            return
        try:
            self._write(batch)
        except BaseException:
            self._rows.extendleft(reversed(batch))
            raise
        self._settled(batch)

    def _write(self, batch: list[Ended]) -> None:
        if any(outcome.parts is not None for _, outcome in batch):
            fresh, written = _apart(batch)
        else:
            fresh = Counter(attempt.job.lease for attempt, outcome in batch if not outcome.late)
            written = [outcome for _, outcome in batch if not outcome.written]
        ended = [lease for lease, count in fresh.items() if self._left.get(lease, 0) == count]
        if self._telling:
            self.save(attempt for attempt, _ in batch)
        stale = settle(self._store, written, ended, self.heard)
        for lease, count in fresh.items():
            if lease in ended:
                self._left.pop(lease, None)
            elif lease in self._left:
                self._left[lease] -= count
        if JobCompleted in self._events.heard:
            tell_completed(self._events, batch, stale)
        for outcome in written if stale else ():
            if outcome.id in stale:
                self._events.emit(StaleSettle(job_id=outcome.id, lease=outcome.lease))

    def heard(self) -> None:
        """Other jobs wait for what has just been written."""
        self.told = True

    def _save_progress(self) -> None:
        now = time.monotonic()
        if self._telling and now - self._progress_at >= _PROGRESS_SECONDS:
            self._progress_at = now
            self.save(list(self._telling))

    def save(self, attempts: Iterable[Attempt]) -> None:
        """Save what these have said and is not saved yet."""
        told = [attempt for attempt in attempts if attempt in self._telling]
        for attempt in told:
            self._telling.pop(attempt, None)  # before it is read: who says more meanwhile, tells again
        try:
            save(self._store, told)
        except BaseException:
            self._telling.update(dict.fromkeys(told))
            raise

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until every outcome has been written; False if time ran out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rows and not self._writing, timeout_seconds)


def _apart(batch: list[Ended]) -> tuple[Counter[int], list[Outcome]]:
    """How many jobs of each lease have ended, and what is to be written, where some attempts were at many jobs."""
    fresh: Counter[int] = Counter()
    written: list[Outcome] = []
    for _, outcome in batch:
        parts = [outcome] if outcome.parts is None else outcome.parts
        written += [part for part in parts if not part.written]
        if not outcome.late:
            fresh.update([part.lease for part in parts])
    return fresh, written


def tell_completed(events: Events, ended: Iterable[Ended], stale: AbstractSet[int]) -> None:
    """Tell of the jobs that have completed here."""
    for attempt, outcome in ended:
        numbers = {job.id: job.attempt for job in attempt.claimed}
        for each in (outcome,) if outcome.parts is None else outcome.parts:
            if each.state == "completed" and each.id not in stale and not outcome.late:
                events.emit(JobCompleted(job_id=each.id, task=attempt.job.task, attempt=numbers[each.id],
                                         took_ms=each.took_ms))
