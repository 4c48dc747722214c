"""What is asked of jobs, queues and runs through the app: each verb is one statement on its store."""

from collections.abc import Iterable
from typing import Any

from penstock.admission import pausing
from penstock.admission.pausing import Pause, Target
from penstock.app.storing import Storing
from penstock.app.using import Using
from penstock.domain.jobs import Call, Job, JobState, Retention
from penstock.queue import control
from penstock.queue.control import Count, JobRow
from penstock.queue.enqueue import aenqueue, carried_out, enqueue
from penstock.schedule import periodic
from penstock.sync.deleting.approvals import Approval, decided, withheld
from penstock.sync.state.runs import Requests, RunRow
from penstock.sync.state.statistics import FIRST, Kind, Statistics, statistics
from penstock.sync.telling.history import runs
from penstock.sync.window.row import WindowRow, latest_windows


class Asking(Storing):
    """Enqueue, request, invalidate, cancel, pause, approve."""

    def using(self, *, connection: Any) -> "Using":
        """The app's verbs inside the transaction that is open on a connection."""
        return Using(self, connection)

    def enqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        return enqueue(self.store, calls, connection)

    async def aenqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        return await aenqueue(self.store, calls, connection)

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """Enqueue many calls (`task.call(…)`) in one round trip; the jobs come in the order of the calls."""
        return enqueue(self.store, calls)

    def invalidate(self, *tags: str) -> None:
        """Make every job pointless that was enqueued under one of these tags before now, however many there are.

        One row is written per tag. Such a job settles as cancelled (`invalidated`) when its turn comes, unrun.
        """
        carried_out(self.store, *control.invalidation(tags), wake=False)

    def cancel(self, job_id: int, reason: str = "") -> JobState | None:
        """Cancel one job: `CANCELLED` if it waited, `EXECUTING` if it runs and was asked to end, None if neither."""
        return control.cancelled(carried_out(self.store, *control.cancellation(job_id, reason, self.retention(job_id))))

    def retention(self, job_id: int) -> Retention:
        """How long a job is kept once it has ended: as its task says, if this app declares it."""
        row = control.job(self.store, job_id)
        task = self.tasks.get(row.task) if row else None
        return task.rules.retention if task else Retention()

    def requeue(self, job_id: int) -> bool:
        """Put a job that has ended back to available; False if there is none, or its unique key is taken."""
        return bool(carried_out(self.store, *control.requeueing(job_id)))

    def job(self, job_id: int) -> JobRow | None:
        """One job as it stands, whether it waits, runs or has ended; None where there is none (any more)."""
        return control.job(self.store, job_id)

    def pause(self, queue: str | None = None, *, sync: str | None = None, account: str | None = None,
              key: str | None = None) -> bool:
        """Hold back a queue, a sync, an account of a sync or a key until `resume`; False if it was paused already.

        What runs goes on; requests and enqueues go on too, and what they ask for waits. A key is named as
        `penstock why` names it. Raises `ConfigurationError` unless it is exactly one of them.
        """
        return pausing.pause(self.store, self._target(queue, sync, account, key))

    def resume(self, queue: str | None = None, *, sync: str | None = None, account: str | None = None,
               key: str | None = None) -> bool:
        """End a pause; False if there was none. Raises as `pause` does."""
        return pausing.resume(self.store, self._target(queue, sync, account, key))

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
                       subject: str | None = None, below: tuple[int, str] = FIRST, limit: int = 100
                       ) -> list[Statistics]:
        """What is known of finished runs, by subject, by account or of the sync (`by`), the slowest (p95) first.

        With `account`, of its subjects; with `subject`, of that one. The next page is `below` the (p95_ms, name) of the
        last. They are at most a few seconds late. Raises `ConfigurationError` for a sync that there is not.
        """
        return statistics(self.store, self.definition(sync).name, kind=by, account=account, subject=subject,
                          below=below, count=limit)

    def windows(self, sync: str, *, account: str | None = None, before: int | None = None,
                limit: int = 100) -> list[WindowRow]:
        """The windows of a sync, or of one account of it, the newest first: what they served, and the time they used.

        The next page is `before` the id of the last. Raises `ConfigurationError` for a sync that there is not.
        """
        return latest_windows(self.store, self.definition(sync).name, account=account, before=before, count=limit)
