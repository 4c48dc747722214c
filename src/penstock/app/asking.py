"""What is asked of jobs, queues and runs through the app: each verb is one statement on its store."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from penstock.admission import pausing
from penstock.admission.pausing import Pause, Target
from penstock.app.composing import Composing
from penstock.app.tracing import Tracing
from penstock.app.using import Using
from penstock.domain.jobs import Batch, Call, Job, JobState, Retention, asking, id_of
from penstock.domain.listing import JobRow
from penstock.domain.results import WAIT_SECONDS
from penstock.events import CancelAsked, JobEnqueued, JobRequeued, PauseChanged, TagsInvalidated
from penstock.queue import batches, control
from penstock.queue.arguments.marks import Marks
from penstock.queue.arguments.packing import Packing
from penstock.queue.arguments.showing import shown
from penstock.queue.batches import BatchStatus
from penstock.queue.control import Count
from penstock.queue.enqueue import acarried_out, aenqueue, carried_out, enqueue
from penstock.queue.middleware import apassed, passed
from penstock.queue.results import Results
from penstock.queue.together import Together
from penstock.schedule import periodic
from penstock.store.port import Row
from penstock.sync.deleting.approvals import Approval, decided, withheld
from penstock.sync.state.runs import Requests, RunRow
from penstock.sync.state.statistics import FIRST, Kind, Order, Statistics, statistics
from penstock.sync.telling.history import runs
from penstock.sync.window.row import WindowRow, latest_windows


class Asking(Composing, Tracing):
    """Enqueue, request, invalidate, cancel, pause, approve."""

    def using(self, *, connection: Any) -> "Using":
        """The app's verbs inside the transaction that is open on a connection."""
        return Using(self, connection)

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._results, committed = (Results(lambda: self.store, self.tasks, self.settings.poll_seconds, seen=seen)
                                    for seen in (False, True))
        self._job, self._committed_job = asking(Job, self._results), asking(Job, committed)

    def enqueue(self, calls: Iterable[Call], connection: Any = None, together: Together | None = None) -> list[Job]:
        kind = self._committed_job if connection is None else self._job
        verbs = self.middleware.enqueue
        if verbs:
            jobs = passed(verbs, calls, lambda left: enqueue(self.store, left, connection, kind, together))
        else:
            jobs = enqueue(self.store, calls, connection, kind, together)
        if JobEnqueued in self.events.heard:
            self._tell_enqueued(jobs)
        return jobs

    async def aenqueue(self, calls: Iterable[Call], connection: Any = None,
                       together: Together | None = None) -> list[Job]:
        kind = self._committed_job if connection is None else self._job
        verbs = self.middleware.enqueue
        if verbs:
            jobs = await apassed(verbs, calls, lambda left: aenqueue(self.store, left, connection, kind, together))
        else:
            jobs = await aenqueue(self.store, calls, connection, kind, together)
        if JobEnqueued in self.events.heard:
            self._tell_enqueued(jobs)
        return jobs

    def _tell_enqueued(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.events.emit(JobEnqueued(job_id=job.id, task=job.task, queue=job.queue, skipped=job.skipped))

    def launch(self, calls: Iterable[Call], together: Together) -> list[Job]:
        return self.enqueue(calls, None, together)

    async def alaunch(self, calls: Iterable[Call], together: Together) -> list[Job]:
        return await self.aenqueue(calls, None, together)

    def batch_number(self, connection: Any = None) -> int:
        return batches.drawn(carried_out(self.store, *batches.number(), connection, wake=False))

    async def abatch_number(self, connection: Any = None) -> int:
        return batches.drawn(await acarried_out(self.store, *batches.number(), connection))

    def close_batch(self, batch: Batch | int) -> None:
        """Let an open batch end when all of its jobs have."""
        carried_out(self.store, *batches.closing(batch))

    async def aclose_batch(self, batch: Batch | int) -> None:
        """The same from `async` code."""
        await acarried_out(self.store, *batches.closing(batch))

    def batch_status(self, batch: Batch | int) -> BatchStatus | None:
        """How far a batch is; None where there is none (any more). It is kept for 30 days after its end."""
        return batches.status(self.store, batch)

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """Enqueue many calls (`task.call(…)`) in one round trip; the jobs come in the order of the calls."""
        return self.enqueue(calls)

    def result(self, job_id: Job | int, timeout: float | None = WAIT_SECONDS) -> Any:
        """What the body of a job returned, by the job or its id: see `Job.result`."""
        return self._results.result(id_of(job_id), timeout)

    async def aresult(self, job_id: Job | int, timeout: float | None = WAIT_SECONDS) -> Any:  # noqa: ASYNC109
        """The same from `async` code."""
        return await self._results.aresult(id_of(job_id), timeout)

    def invalidate(self, *tags: str) -> None:
        """Make every job pointless that was enqueued under one of these tags before now, however many there are.

        One row is written per tag. Such a job settles as cancelled (`invalidated`) when its turn comes, unrun.
        """
        carried_out(self.store, *control.invalidation(tags), wake=False)
        self.events.emit(TagsInvalidated(tags=tags))

    def cancel(self, job_id: Job | int, reason: str = "") -> JobState | None:
        """Cancel one job: `CANCELLED` if it waited, `EXECUTING` if it runs and was asked to end, None if neither.

        Here and below a job is given as itself or by its id. Raises `InvalidArguments` for what is neither.
        """
        id = id_of(job_id)
        ask = control.cancellation(id, reason, self.retention(id))
        while control.is_to_be_asked_again(rows := carried_out(self.store, *ask)):
            pass
        return self.was_cancelled(id, reason, rows)

    def was_cancelled(self, job_id: int, reason: str, rows: Sequence[Row]) -> JobState | None:
        """What came of a cancellation, by the rows that its statement gave."""
        state = control.cancelled(rows)
        self.events.emit(CancelAsked(job_id=job_id, state=None if state is None else str(state), reason=reason))
        return state

    def retention(self, job_id: int) -> Retention:
        """How long a job is kept once it has ended: as its task says, if this app declares it."""
        row = control.job(self.store, job_id)
        task = self.tasks.get(row.task) if row else None
        return task.rules.retention if task else Retention()

    def requeue(self, job_id: Job | int) -> bool:
        """Put a job that has ended back to available; False if there is none, or its unique key is taken."""
        id = id_of(job_id)
        requeued = bool(carried_out(self.store, *control.requeueing(id)))
        if requeued:
            self.events.emit(JobRequeued(job_id=id))
        return requeued

    def job(self, job_id: Job | int, *, reveal: bool = False) -> JobRow | None:
        """One job as it stands, whether it waits, runs or has ended; None where there is none (any more).

        Its arguments are those that may be shown to anybody, unless they are to be `reveal`ed: docs/arguments.md. That
        raises `MissingKey` where this app has not the key, and `SealBroken`.
        """
        row = control.job(self.store, id_of(job_id))
        return None if row is None else replace(row, arguments=self.shown(row.task, row.id, row.arguments, reveal))

    def shown(self, task: str, job_id: int, arguments: str, reveal: bool = False) -> str:
        """A job's arguments, as they lie in the store, as JSON that may be shown to people."""
        packing, marks = self.packing(task)
        return shown(packing, marks, job_id, arguments, reveal=reveal)

    def packing(self, name: str) -> tuple[Packing, Marks | None]:
        """How the arguments of a task travel, and what of them is marked, be it declared here or not."""
        task = self.tasks.get(name)
        return (Packing(name, keyring=self.keyring), None) if task is None else (task.packing, task.signature.marks)

    def pause(self, queue: str | None = None, *, sync: str | None = None, account: str | None = None,
              key: str | None = None) -> bool:
        """Hold back a queue, a sync, an account of a sync or a key until `resume`; False if it was paused already.

        What runs goes on; requests and enqueues go on too, and what they ask for waits. A key is named as
        `penstock why` names it. Raises `ConfigurationError` unless it is exactly one of them.
        """
        target = self._target(queue, sync, account, key)
        changed = pausing.pause(self.store, target)
        if changed:
            self.events.emit(PauseChanged(about=str(target), paused=True))
        return changed

    def resume(self, queue: str | None = None, *, sync: str | None = None, account: str | None = None,
               key: str | None = None) -> bool:
        """End a pause; False if there was none. Raises as `pause` does."""
        target = self._target(queue, sync, account, key)
        changed = pausing.resume(self.store, target)
        if changed:
            self.events.emit(PauseChanged(about=str(target), paused=False))
        return changed

    def paused(self) -> list[Pause]:
        """What is paused: queues, syncs, accounts and keys."""
        return pausing.paused(self.store)

    def _target(self, queue: str | None, sync: str | None, account: str | None, key: str | None) -> Target:
        return Target(queue, None if sync is None else self.definition(sync).name, account, key)

    def counts(self) -> list[Count]:
        """How many jobs there are by queue, task and state, from maintained counters, at most 5 seconds late."""
        return control.counts(self.store)

    def pause_periodic(self, name: str) -> bool:
        """Let the ticks of a periodic task go by; False if it was paused already. Raises `ConfigurationError`."""
        return periodic.pause(self.store, self.periodics, name)

    def resume_periodic(self, name: str) -> bool:
        """Let a periodic task tick again, from now; False if it was not paused. Raises `ConfigurationError`."""
        return periodic.resume(self.store, self.periodics, name)

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None:
        Requests(self.store).request(requests, connection)

    async def arequest(self, requests: list[dict[str, Any]], connection: Any = None) -> None:
        await Requests(self.store).arequest(requests, connection)

    def approvals(self, sync: str) -> list[Approval]:
        """The deletes of a sync that were withheld, and what was decided of them. Raises `ConfigurationError`."""
        return withheld(self.store, self.definition(sync).name)

    def approve(self, sync: str, *ids: int, by: str, refuse: bool = False) -> list[Approval]:
        """Let the next run delete what was withheld, or (`refuse`) not. Raises `UnknownApproval`, deciding on none."""
        return decided(self.store, self.definition(sync).name, ids, by=by, refuse=refuse)

    def runs(self, sync: str | None = None, subject: str | None = None, *, account: str | None = None,
             status: str | None = None, before: int | None = None, limit: int = 100) -> list[RunRow]:
        """Runs that wait, are under way or have finished, the newest first; of a sync, an account, a subject, a status.

        The next page is `before` the id of the last. Raises `ConfigurationError` for a sync or a status that there is
        not, and for a subject or an account without its sync.
        """
        syncs = list(self.syncs) if sync is None else [self.definition(sync).name]
        return runs(self.store, syncs, subject=subject, account=account, status=status, before=before, limit=limit)

    def run_statistics(self, sync: str, *, by: Kind = "subject", account: str | None = None,
                       subject: str | None = None, below: tuple[int, str] = FIRST, limit: int = 100,
                       order: Order = "slowest") -> list[Statistics]:
        """What is known of finished runs, by subject, by account or of the sync (`by`), the slowest (p95) first.

        With `account`, of its subjects; with `subject`, of that one. The next page is `below` the (p95_ms, name) of the
        last. In the `order` of the `streak` they are those that fail, the longest streak first, and the next page is
        `below` (streak, name); in that of the `name`, it begins at (0, name). They are at most a few seconds late.
        Raises `ConfigurationError` for a sync that there is not.
        """
        return statistics(self.store, self.definition(sync).name, kind=by, account=account, subject=subject,
                          below=below, count=limit, order=order)

    def windows(self, sync: str, *, account: str | None = None, before: int | None = None,
                limit: int = 100) -> list[WindowRow]:
        """The windows of a sync, or of one account of it, the newest first: what they served, and the time they used.

        The next page is `before` the id of the last. Raises `ConfigurationError` for a sync that there is not.
        """
        return latest_windows(self.store, self.definition(sync).name, account=account, before=before, count=limit)
