"""The attempt that the current code works for, and whether it may go on."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event

from penstock.domain.errors import StaleLease, Stopping
from penstock.domain.jobs import Claimed


@dataclass(slots=True)
class Identity:
    """A worker's row, as the worker knows it.

    `valid_until` is in seconds of `time.monotonic()`: the last renewal that surely reached the store, plus the
    lease. Past it others may run this worker's jobs, whether or not the worker has heard of it.
    """

    worker_id: int
    valid_until: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job, under way in this worker."""

    job: Claimed
    identity: Identity
    stopping: Event

    def remaining(self) -> float:
        """Seconds for which the lease surely holds."""
        return 0.0 if self.identity.lost else self.identity.valid_until - time.monotonic()

    def check(self) -> None:
        """Raise `Stopping` if the worker was asked to stop, `StaleLease` if the job may run elsewhere by now."""
        if self.remaining() <= 0:
            raise StaleLease(
                f"job {self.job.id}: the worker could not renew its lease in time; the job goes on elsewhere"
            )
        if self.stopping.is_set():
            raise Stopping(f"job {self.job.id}: the worker is stopping")


current: ContextVar[Attempt] = ContextVar("penstock_attempt")
