"""What happened, said once: the catalogue of events. `telling` is the one place that they are told from.

An event is a fact that somebody may want to hear of, and is logged to the logger `penstock` as well. Those of
`FREQUENT` are about every single job: they are not logged, and not even made unless somebody listens to them by name.
"""

import logging
from dataclasses import dataclass
from typing import ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True)
@dataclass(frozen=True)
class Event:
    """The root of the catalogue, each of which is a frozen dataclass; `level` says how loudly it is logged."""

    loudness: ClassVar[int] = logging.INFO

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)

    @property
    def level(self) -> int:
        return self.loudness


class WorkerStarted(Event):
    worker_id: int
    queues: dict[str, int]


class WorkerStopped(Event):
    worker_id: int
    given_back: int


class WorkerReplaced(Event):
    """A worker found its row gone (it was rescued while it was out of reach) and started again as another."""

    lost_id: int
    worker_id: int

    loudness: ClassVar[int] = logging.WARNING


class StaleSettle(Event):
    """An attempt ended after its lease had passed to somebody else; what it came to was dropped."""

    job_id: int
    lease: int

    loudness: ClassVar[int] = logging.WARNING


class JobEnqueued(Event):
    """A call was enqueued: where a caller's transaction is open, before that has committed. `skipped` says that the job
    was there already, with the same unique key."""

    job_id: int
    task: str
    queue: str
    skipped: bool


class JobStarted(Event):
    """An attempt has begun here; of a call with many jobs, for each of them."""

    job_id: int
    task: str
    attempt: int


class JobCompleted(Event):
    """A job has completed, and the store has it."""

    job_id: int
    task: str
    attempt: int
    took_ms: float


class JobPutOff(Event):
    """A job goes on later and counts no attempt: it snoozed, or found no permit, or its destination asked to wait."""

    job_id: int
    task: str
    seconds: float
    reason: str


class JobStopped(Event):
    """A job ended as cancelled after it had begun: by itself, by a person, or at its deadline."""

    job_id: int
    task: str
    attempt: int
    reason: str


class CancelAsked(Event):
    """Somebody cancelled a job, which was waiting (`cancelled`) or ran (`executing`); or there was none (None)."""

    job_id: int
    state: str | None
    reason: str


class JobRequeued(Event):
    """Somebody put a job that had ended back to available."""

    job_id: int


class JobsActedOn(Event):
    """Somebody did something (`act`) to jobs: to so many; so many that run were asked to end, the others refused it."""

    act: str
    about: str
    done: int
    asked: int
    refused: int


class TagsInvalidated(Event):
    """The jobs that were enqueued with one of these tags before are pointless."""

    tags: tuple[str, ...]


class PauseChanged(Event):
    """A queue, a sync, an account or a key was paused, or resumed."""

    about: str
    paused: bool


class PeriodicTicked(Event):
    """A periodic task was due, and so many jobs were enqueued for it."""

    name: str
    jobs: int


class PeriodicReset(Event):
    """A task was dealt with up to a time far ahead (the database's clock had jumped there and back): it begins now."""

    name: str
    ahead_ms: int

    loudness: ClassVar[int] = logging.WARNING


class JobFailed(Event):
    """An attempt failed. `state` is what became of the job: it is tried again (`retryable`), or `discarded`."""

    job_id: int
    task: str
    attempt: int
    state: str
    error: str

    loudness: ClassVar[int] = logging.WARNING


class ResultRefused(Event):
    """A job has completed, and what its body returned could not be recorded: too large, or no JSON."""

    job_id: int
    task: str
    error: str

    loudness: ClassVar[int] = logging.WARNING


class JobSkipped(Event):
    """A job was settled as cancelled without being run; `reason` says why (`invalidated`, `dependency`, …)."""

    job_id: int
    task: str
    reason: str


class BatchEnded(Event):
    """All jobs of a batch have ended, so many of them as this says."""

    batch_id: int
    total: int
    completed: int
    cancelled: int
    discarded: int


class OutcomesInvalid(Event):
    """A call with many jobs said something of them that cannot be; `error` names it. What else it said stands."""

    task: str
    error: str

    loudness: ClassVar[int] = logging.ERROR


class JobAbandoned(Event):
    """An attempt ignored that it was to end. It was settled without it, and its slot was replaced."""

    job_id: int
    task: str
    reason: str
    abandoned: int

    loudness: ClassVar[int] = logging.ERROR


class ChildEnded(Event):
    """A child process of a worker has served so many jobs, and makes room for another: `recycled` as its settings say,
    `killed` with a body that did not end in time, or `died`, of which `how` says more."""

    pid: int
    served: int
    resident_mb: int
    reason: str
    how: str = ""

    @property
    def level(self) -> int:
        return logging.WARNING if self.reason == "died" else logging.INFO


class WorkerExhausted(Event):
    """So many attempts were abandoned that the worker drains, and is to be started again by whoever supervises it."""

    worker_id: int
    abandoned: int

    loudness: ClassVar[int] = logging.ERROR


class JobsRescued(Event):
    """Workers stopped renewing; their jobs were made available again, or discarded where out of attempts."""

    available: int
    discarded: int

    loudness: ClassVar[int] = logging.WARNING


class RunAdmitted(Event):
    run_id: int
    sync: str
    subject: str


class RunSettled(Event):
    """A run ended, or was put back to be tried again (status `pending`)."""

    run_id: int
    sync: str
    subject: str
    status: str
    error: str | None

    @property
    def level(self) -> int:
        return logging.INFO if self.error is None else logging.WARNING


class WindowEnded(Event):
    """A window of a sync, and of an account if it has accounts, has served so many runs to their end."""

    job_id: int
    sync: str
    account: str | None
    runs: int


class SubjectsFailed(Event):
    """`subjects()` of a sync raised; requests that need it for their account wait, and everything else goes on."""

    sync: str
    error: str

    loudness: ClassVar[int] = logging.ERROR


class DeletesWithheld(Event):
    """A run left deletes out and asked for an approval (`approval_id`), which names their keys."""

    run_id: int
    sync: str
    subject: str
    layer: str
    records: int
    reason: str
    approval_id: int

    loudness: ClassVar[int] = logging.WARNING


class AlertChanged(Event):
    """An alert began to fire, or recovered. `alert_id` is of this change, under which it is told."""

    alert_id: int
    kind: str
    about: str
    state: str
    summary: str

    @property
    def level(self) -> int:
        return logging.ERROR if self.state == "firing" else logging.INFO


class AlertUntold(Event):
    """A receiver of alerts failed; it is told again later."""

    alert_id: int
    receiver: str
    error: str

    loudness: ClassVar[int] = logging.WARNING


class GateChanged(Event):
    """The gate of a key was `closed` here, or is `open` again."""

    key: str
    state: str
    reason: str | None

    @property
    def level(self) -> int:
        return logging.INFO if self.state == "open" else logging.WARNING


class PlanFlipped(Event):
    """A database would carry a statement out in another way than ever before; `was` and `now` are shapes of plans."""

    fingerprint: str
    database: str
    was: str
    now: str

    loudness: ClassVar[int] = logging.WARNING


class WorkAdvised(Event):
    """Work was advised on: so many of its statements were looked into, and so many proposals are to be shipped."""

    name: str
    statements: int
    to_ship: int


class ReplicaChanged(Event):
    """The dashboard of this process reads from the replica (again), or from the primary since that cannot be read."""

    reads: bool
    reason: str

    @property
    def level(self) -> int:
        return logging.INFO if self.reads else logging.WARNING


class LoopFailed(Event):
    """A step of the control plane failed; it is tried again on its next tick."""

    loop: str
    error: str

    loudness: ClassVar[int] = logging.ERROR


FREQUENT = (JobEnqueued, JobStarted, JobCompleted, JobPutOff)
