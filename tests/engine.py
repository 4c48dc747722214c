"""Drives an app's engine by hand, in the test's own thread: real store, real code, no waiting."""

from dataclasses import dataclass, field
from typing import Any

from penstock import Penstock
from penstock.app import SYNC_QUEUE
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.claim import claim, settle
from penstock.schedule.upkeep import Upkeep
from penstock.sync.state.runs import RunRow, latest_runs
from penstock.worker.executor import Executor
from tests.clock import Clock

FAR = 1e12


@dataclass
class Engine:
    """One worker's loops, a step at a time."""

    app: Penstock
    clock: Clock
    stopping: Any = None
    until: float | None = None
    lease_ms: int = 30_000
    worker_id: int = field(init=False)
    _kept_up_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        import threading

        self.stopping = threading.Event()
        self.app.migrate()
        self.executor = Executor(self.app.tasks, self.app.events)
        self.register()

    def register(self) -> None:
        row = self.app.store.write(lambda tx: tx.row("worker_start", {"name": "test", "lease_ms": self.lease_ms}))
        assert row is not None
        self.worker_id = row[0]

    def dispatch(self) -> None:
        self.app.dispatcher().step()

    def claim(self, queue: str = SYNC_QUEUE, count: int = 1) -> list[Claimed]:
        return claim(self.app.store.control, self.worker_id, {queue: count})

    def reasons(self) -> list[str | None]:
        """Why each job that is available need not run, in the order of ids; they are claimed and given back."""
        jobs = self.claim("default", 20)
        settle(self.app.store.control, [Outcome(job.id, job.lease, "available", counted=0) for job in jobs])
        return [job.stale for job in sorted(jobs, key=lambda job: job.id)]

    def attempt(self, job: Claimed) -> Attempt:
        return Attempt(job, Identity(self.worker_id, FAR), self.stopping, until=self.until,
                       monotonic=self.app.monotonic)

    def execute(self, job: Claimed) -> Outcome:
        """Run an attempt without settling it: what a worker that dies just then has done."""
        return self.executor.run(self.attempt(job))

    def serve(self) -> int:
        """Claim, run and settle window after window until there is none; return how many there were."""
        served = 0
        while jobs := self.claim():
            for job in jobs:
                settle(self.app.store.control, [self.execute(job)])
                served += 1
        return served

    def settle_all(self) -> None:
        """Dispatch and serve until nothing more happens at this time, as one worker does. When time has passed, it
        also looks for what is due, lost or to be counted, as `upkeep` does at any time."""
        upkeep, dispatcher = self._upkeep(), self.app.dispatcher()
        while True:
            if upkeep is not None:
                upkeep.step()
            dispatcher.step()
            if not self.serve():
                return

    def upkeep(self) -> None:
        """Count what has ended, and look for what is due, lost or past its time."""
        self.app.upkeep().step()

    def _upkeep(self) -> Upkeep | None:
        """None where no time has passed since the last: it would read every table for nothing, as most of what the
        test takes."""
        if self._kept_up_at == self.clock.passed:
            return None
        self._kept_up_at = self.clock.passed
        lease = {"worker_id": self.worker_id, "lease_ms": self.lease_ms}
        self.app.store.control.write(lambda tx: tx.execute("worker_renew", lease))
        return self.app.upkeep()

    def sync(self, name: str, *subjects: str, account: str | None = "acme") -> list[RunRow]:
        """Request subjects, serve all there is, and return their newest runs."""
        self.app.request([{"sync": name, "subject": subject, "account": account, "priority": 0, "reason": "test"}
                          for subject in subjects])
        self.settle_all()
        return latest_runs(self.app.store, name, subjects)[0]

    def state(self, layer: str) -> dict[str, tuple[str, str | None, str | None]]:
        """(status, remote id, error class) of every row of a layer, by key."""
        table = next(item.state for item in self.app.layer_tables if item.layer == layer)
        rows = self.clock.fetch(f"select key, status, remote_id, error_class from penstock.{table} order by key")
        return {key: (status, remote_id, error_class) for key, status, remote_id, error_class in rows}
