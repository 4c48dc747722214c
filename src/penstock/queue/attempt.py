"""The attempt that the current code works for, and whether it may go on."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Any

import msgspec

from penstock.domain.errors import (
    DeadlinePassed,
    JobCancelled,
    JobError,
    JobStalled,
    JobTimedOut,
    NoCurrentJob,
    StaleLease,
    Stopping,
)
from penstock.domain.jobs import Claimed

ENDED: dict[str, type[JobError]] = {
    "cancelled": JobCancelled, "timed out": JobTimedOut, "stalled": JobStalled, "deadline": DeadlinePassed,
}
"""Why an attempt is to end before its time, and the error that tells it so."""


@dataclass(slots=True)
class Identity:
    """A worker's row, as the worker knows it.

    `valid_until` is in seconds of `time.monotonic()`: the last renewal that surely reached the store, plus the
    lease. Past it others may run this worker's jobs, whether or not the worker has heard of it.
    """

    worker_id: int
    valid_until: float
    lost: bool = False


class Attempt(msgspec.Struct, eq=False, weakref=True):
    """One attempt at a job, under way in this worker. Times are seconds of `time.monotonic()`.

    `until` is when it is to end because its host does, by the app's `monotonic`; None where there is no such time.
    `served` is for how many a report counts it: a window counts for its runs.
    """

    job: Claimed
    identity: Identity
    stopping: Event
    deadline_at: float | None = None
    started_at: float = 0.0
    told_at: float = 0.0
    ended: str | None = None
    expired_at: float = 0.0
    finished: bool = False
    guard: Any = None  # a lock, where two may end it
    on_loop: bool | None = None  # None until it is given to slots
    permit: Any = None  # what it has already, of the limits of its task
    interrupt: Callable[[], object] | None = None
    tell: Callable[[int, float | None, str | None], object] | None = None
    served: int = 1
    until: float | None = None
    monotonic: Callable[[], float] = time.monotonic

    @property
    def id(self) -> int:
        """The job's id, which never changes: an idempotency key for the world outside."""
        return self.job.id

    @property
    def task(self) -> str:
        return self.job.task

    @property
    def queue(self) -> str:
        return self.job.queue

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.job.attempt

    @property
    def max_attempts(self) -> int:
        return self.job.max_attempts

    def end(self) -> bool:
        """Whether the caller is the first to end this attempt. Only one that is watched may be ended by two."""
        return self.guard is None or self.guard.acquire(blocking=False)

    def remaining(self) -> float:
        """Seconds for which the lease surely holds."""
        return 0.0 if self.identity.lost else self.identity.valid_until - time.monotonic()

    def check(self) -> None:
        """Raise what ends this attempt before its time, if anything does.

        `JobCancelled`, `JobTimedOut`, `JobStalled` and `DeadlinePassed` say so of the job; `Stopping` that the worker
        was asked to stop, `StaleLease` that the job may run elsewhere by now.
        """
        if self.ended is not None:
            raise ENDED[self.ended](f"job {self.job.id}: {self.ended}")
        if self.remaining() <= 0:
            raise StaleLease(
                f"job {self.job.id}: the worker could not renew its lease in time; the job goes on elsewhere"
            )
        if self.stopping.is_set():
            raise Stopping(f"job {self.job.id}: the worker is stopping")
        if self.until is not None and self.monotonic() >= self.until:
            raise Stopping(f"job {self.job.id}: the time that its host gives is over")

    def checkpoint(self, *, percent: float | None = None, note: str | None = None) -> None:
        """Say how far the attempt has come, and end here if it is to end before its time.

        What is said is kept in the store for people to see, at most once a second. Raises what `check` raises.
        """
        self.check()
        self.told_at = time.monotonic()
        if self.tell is not None:
            self.tell(self.job.id, percent, note)


current: ContextVar[Attempt] = ContextVar("penstock_attempt")


def current_job() -> Attempt:
    """The job that the calling code runs for. Raises `NoCurrentJob` outside of one."""
    try:
        return current.get()
    except LookupError:
        raise NoCurrentJob(
            "expected to run inside a job, got a plain call: a task that is called as a function has no current job"
        ) from None
