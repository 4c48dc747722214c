"""Drain: what a worker does, in the caller's thread, until nothing is left that is due.

Jobs are staged, claimed under a lease, run and settled one after the other in the real store, so that each sees all
that those before it have done.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

from penstock.app import SYNC_QUEUE, Penstock
from penstock.domain.errors import InvalidArguments, JobError
from penstock.domain.jobs import Claimed, asking
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.claim import claim_queue, release
from penstock.queue.control import fold_counts
from penstock.queue.progress import save
from penstock.store.port import Transaction
from penstock.testing.running import FAR, Ran, Rehearsal, ends_the_test
from penstock.worker.delivery import Delivery
from penstock.worker.gathering import Chunks, Gathering
from penstock.worker.inline import PrivateLoop, Registration, outcome_of, settle_here

_LEASE_MS = 3_600_000
_NEVER_MS = 2**62
_PROGRESS_SECONDS = 1.0
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Drained:
    """How many attempts came to what. `ran` has them all, in their order; it does not count when two are compared."""

    completed: int = 0
    retryable: int = 0
    discarded: int = 0
    cancelled: int = 0
    snoozed: int = 0
    ran: tuple[Ran, ...] = field(default=(), compare=False, repr=False)

    @property
    def failed(self) -> int:
        """Attempts that failed, whether the job is tried again or not."""
        return self.retryable + self.discarded


def drain(app: Penstock, queue: str | Iterable[str] | None = None, *,
          with_scheduled: bool | timedelta | datetime = False, with_periodic: bool = False, raising: bool = False,
          limit: int = 10_000) -> Drained:
    """Run what is due in a queue, in several, or (None) in all, until nothing is left; return what came of it.

    Jobs that are enqueued meanwhile are run as well. `with_scheduled` also runs those whose time has not come
    (True: all, else: those due within a time, or by a moment), retries and snoozed jobs included; each for one
    attempt, so what puts itself off again waits. Requests of syncs are dispatched where their queue is drained;
    jobs with keys run in their order, and those with limits all have an attempt, which is put off where there is no
    permit. `with_periodic` first enqueues the ticks that are due. `raising` raises the first error of a job once it
    is settled. Raises `JobError` after `limit` attempts.
    """
    queues = None if queue is None else [queue] if isinstance(queue, str) else list(queue)
    draining = _Draining(app, queues, limit)
    with draining.loop:
        return draining.run(with_scheduled, with_periodic, raising)


class _Draining:
    def __init__(self, app: Penstock, queues: list[str] | None, limit: int) -> None:
        app.check()
        self.loop = PrivateLoop()
        self._app = app
        self._store = app.store
        self._queues = queues
        self._limit = limit
        self._delivery = Delivery(app.store)
        self._executor = Rehearsal(app.tasks, app.events, self._delivery)
        self._upkeep = app.upkeep()
        self._dispatcher = app.dispatcher(syncs=self._served(SYNC_QUEUE))
        self._registration = Registration(app.store, "penstock.testing.drain")
        self._kind = asking(Ran, app)
        self._ran: list[Ran] = []
        self._chunks = Chunks(app.tasks)
        self._gathering = Gathering(self._called)
        self._told: Attempt | None = None
        self._saved_at = 0.0

    def run(self, with_scheduled: bool | timedelta | datetime, with_periodic: bool, raising: bool) -> Drained:
        until = self._until(with_scheduled)
        try:
            while with_periodic and self._app.scheduler().step() == 0.0:
                pass
            while self._pass(raising) or (until is not None and self._bring_forward(until)):
                pass
        finally:
            self._give_back(self._gathering.rest())
            self._registration.end()
            fold_counts(self._store)
        found = Counter(ran.state for ran in self._ran)
        return Drained(found["completed"], found["retryable"], found["discarded"], found["cancelled"],
                       found["scheduled"], tuple(self._ran))

    def _until(self, given: bool | timedelta | datetime) -> int | None:
        """The time in ms since 1970 up to which jobs may wait for theirs and are run all the same."""
        if isinstance(given, bool):
            return _NEVER_MS if given else None
        if isinstance(given, timedelta):
            now = self._store.read(lambda tx: tx.row("now"))
            assert now is not None
            return int(now[0]) + given // _MS
        if not isinstance(given, datetime) or given.utcoffset() is None:
            raise InvalidArguments(f"with_scheduled: expected a bool, a timedelta or a time with a zone, got {given!r}")
        return (given - datetime(1970, 1, 1, tzinfo=UTC)) // _MS

    def _pass(self, raising: bool) -> bool:
        """Stage, dispatch, and run what is available; whether there was anything."""
        self._registration.renew(_LEASE_MS)  # though a test may have moved its clock by days
        self._upkeep.rescue()
        while self._upkeep.stage():
            pass
        while self._dispatcher.step() == 0.0 or self._unpaced():
            pass
        before = len(self._ran)
        for queue in self._ready() if self._queues is None else self._queues:
            while attempts := self._next(queue):
                for attempt in attempts:
                    self._one(attempt, raising)
        return len(self._ran) > before

    def _unpaced(self) -> bool:
        """Whether any line waited for the pace of its limit, for which a test does not wait."""
        return bool(self._store.look("lines_paced")[0][0] and self._store.run("lines_unpaced"))

    def _served(self, queue: str) -> bool:
        return self._queues is None or queue in self._queues

    def _ready(self) -> list[str]:
        return [row[0] for row in self._store.read(lambda tx: tx.rows("queues_ready"))]

    def _next(self, queue: str) -> list[Attempt]:
        """The next attempt; of chunk tasks as many jobs as there are go together, up to the size of their chunk."""
        while claimed := claim_queue(self._store, self._registration.worker_id, queue, 1):
            (job,) = claimed
            chunk = None if job.stale is not None else self._chunks.current().get(job.task)
            if chunk is None:
                deadline_at = None if job.deadline_ms is None else time.monotonic() + job.deadline_ms / 1000
                return [Attempt(job, self._identity(), Event(), deadline_at, tell=self._tell,
                                load=self._delivery.cursor)]
            if (call := self._gathering.add(job, chunk, self._identity())) is not None:
                return [call]
        return [*self._gathering.rest()]

    def _identity(self) -> Identity:
        return Identity(self._registration.worker_id, FAR)

    def _called(self, jobs: list[Claimed], identity: Identity, deadlines: dict[int, float]) -> ChunkAttempt:
        return ChunkAttempt(jobs[0], identity, Event(), tell=self._tell, jobs=jobs, deadlines=deadlines)

    def _give_back(self, attempts: Iterable[Attempt]) -> None:
        jobs = [job for attempt in attempts for job in attempt.claimed]
        release(self._store, [(job.id, job.lease) for job in jobs], [job.lease for job in jobs])

    def _one(self, attempt: Attempt, raising: bool) -> None:
        outcome = outcome_of(attempt, self._executor, self.loop)
        ran = self._executor.ran(attempt, outcome, self._kind)
        for each in ran:
            if each.error is not None and ends_the_test(each.error):
                self._give_back([attempt])
                raise each.error
        if attempt.said is not None:
            save(self._store, [attempt])
        settle_here(self._store, self._app.events, attempt, outcome)
        self._ran += ran
        for each in ran:
            if raising and each.failed and each.error is not None:
                raise each.error
        if len(self._ran) >= self._limit:
            raise JobError(f"drain: expected fewer than {self._limit:,} attempts, got as many, the last of"
                           f" {attempt.task}: a job may enqueue itself for ever; if there are so many, give limit=")

    def _tell(self, attempt: Attempt) -> None:
        """Save the first word at once, for whoever looks while the body runs; then now and then, as a worker does."""
        if time.monotonic() - self._saved_at >= _PROGRESS_SECONDS or attempt is not self._told:
            self._told, self._saved_at = attempt, time.monotonic()
            save(self._store, [attempt])

    def _bring_forward(self, until: int) -> bool:
        """Let the jobs of later be due now, in their order, but for those that have had an attempt here already."""
        had = {ran.id for ran in self._ran}
        rows = self._store.read(lambda tx: tx.rows("jobs_later", {"until": until}))
        later = [id for id, queue in rows if id not in had and self._served(queue)]

        def work(tx: Transaction) -> None:
            for place, id in enumerate(later):
                tx.execute("bring_forward", {"id": id, "ago_ms": len(later) - place})

        if later:
            self._store.write(work)
        return bool(later)
