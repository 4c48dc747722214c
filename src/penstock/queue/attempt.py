"""The attempt that the current code works for, whether it may go on, and how far it has come."""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

import msgspec

from penstock.domain.envelope import NO_CONTEXT, Context
from penstock.domain.errors import (
    DeadlinePassed,
    InvalidCheckpoint,
    JobCancelled,
    JobError,
    JobStalled,
    JobTimedOut,
    NoCurrentJob,
    StaleLease,
    Stopping,
)
from penstock.domain.jobs import Claimed, storable
from penstock.domain.plain import UNWRITABLE, encoder
from penstock.domain.pools import Pool
from penstock.domain.progress import Said
from penstock.queue.resume import Resume

T = TypeVar("T")

ENDED: dict[str, type[JobError]] = {
    "cancelled": JobCancelled, "timed out": JobTimedOut, "stalled": JobStalled, "deadline": DeadlinePassed,
}
"""Why an attempt is to end before its time, and the error that tells it so."""

CURSOR_LIMIT_BYTES = 16 * 1024
"""The most that a cursor may come to, as JSON: it is written again and again."""


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
    `served` is for how many a report counts it: a window counts for its runs. `context` is what the job was given along
    by whoever enqueued it; it and the arguments are known once it has begun. `tell` is told whenever there is more in
    `said`, which is saved then or later; `load` reads the cursor, as JSON, that earlier attempts of a job have left.
    """

    job: Claimed
    identity: Identity
    stopping: Event
    deadline_at: float | None = None
    tell: Callable[["Attempt"], object] | None = None
    load: Callable[[int], str | None] | None = None
    until: float | None = None
    monotonic: Callable[[], float] = time.monotonic  # up to here by place, one for each job: names cost time
    started_at: float = 0.0
    told_at: float = 0.0
    ended: str | None = None
    expired_at: float = 0.0
    finished: bool = False
    guard: Any = None  # a lock, where two may end it
    pool: Pool | None = None  # None until it is given to slots
    permit: Any = None  # what it has already, of the limits of its task
    interrupt: Callable[[], object] | None = None
    said: Said | None = None
    left: str | msgspec.UnsetType | None = msgspec.UNSET  # by earlier attempts; read when it is first asked for
    resumes: bool = False
    served: int = 1
    cpu_ns: int = 0  # of the body, where another process ran it
    apart: Callable[..., Any] | None = None  # calls the body of a task in another process
    context: Context = NO_CONTEXT
    jobs: Sequence[Claimed] | None = None  # of a chunk

    @property
    def claimed(self) -> Sequence[Claimed]:
        """The job; or all of them, where the attempt is a call with many."""
        return (self.job,) if self.jobs is None else self.jobs

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

    def checkpoint(self, *, cursor: Any = msgspec.UNSET, percent: float | None = None, note: str | None = None) -> None:
        """Say how far the attempt has come, and end here if it is to end before its time.

        `cursor` is any JSON value, by which a later attempt knows where to go on; `percent` and `note` are for people.
        What is not given stays as it was. All is kept in the store, at most once a second while the attempt runs, and
        always when it ends and the job goes on. Raises what `check` raises, and `InvalidCheckpoint`.
        """
        self.check()
        if cursor is not msgspec.UNSET and self.resumes:
            raise InvalidCheckpoint(f"job {self.job.id}: expected no cursor= beside job.resume(), which keeps it")
        if percent is not None and (isinstance(percent, bool) or not isinstance(percent, int | float)):
            raise InvalidCheckpoint(f"job {self.job.id}: percent: expected a number, got {percent!r}")
        self.say(Said(None if percent is None else float(percent), None if note is None else storable(str(note)),
                      None if cursor is msgspec.UNSET else self.written(cursor)))

    def say(self, more: Said) -> None:
        """Have progress kept, without asking whether the attempt may go on."""
        self.said = more if self.said is None else self.said.with_more(more)
        self.told_at = time.monotonic()
        if self.tell is not None:
            self.tell(self)

    def written(self, cursor: Any) -> str:
        """A cursor as JSON. Raises `InvalidCheckpoint`."""
        try:
            text = encoder.encode(cursor)
        except UNWRITABLE as error:
            raise InvalidCheckpoint(f"job {self.job.id}: cursor: expected a JSON value: {error}") from None
        if len(text) > CURSOR_LIMIT_BYTES:
            raise InvalidCheckpoint(
                f"job {self.job.id}: cursor: expected at most {CURSOR_LIMIT_BYTES:,} bytes as JSON, got {len(text):,}:"
                " keep what is large elsewhere, and its key here"
            )
        return text.decode()

    @property
    def cursor(self) -> Any:
        """The last cursor of the job, as JSON gives it back: of this attempt, else of those before it, else None.

        It is read from the store when it is first asked for. Raises `JobError` in an `async def` task, whose loop that
        would block: there it is `await job.acursor()`.
        """
        if self.said is not None and self.said.cursor is not None:
            return msgspec.json.decode(self.said.cursor)
        if self.left is msgspec.UNSET:
            if self.pool is Pool.LOOP:
                raise JobError(f"job {self.job.id}: reading the cursor would block the event loop: use `await"
                               " job.acursor()`, or `async for … in job.resume(…)`")
            self.left = self._read()
        return None if self.left is None else msgspec.json.decode(self.left)  # anew, since the code may change it

    async def acursor(self) -> Any:
        """The same without blocking the event loop."""
        if self.left is msgspec.UNSET and (self.said is None or self.said.cursor is None):
            self.left = await asyncio.get_running_loop().run_in_executor(None, self._read)
        return self.cursor

    def _read(self) -> str | None:
        return None if self.load is None else self.load(self.job.id)

    def resume(self, rows: Iterable[T] | AsyncIterable[T] | Callable[[Any], Any], *,
               key: str | Callable[[T], Any]) -> Resume[T]:
        """The rows that this job has not done yet, for `for` or `async for`.

        `rows` come in rising order of their `key` (a field's name, or a function of a row), which is the cursor; or
        `rows` is a function that is called with the cursor, None at first, and gives them from there. A row is done
        when the loop asks for the next one; done rows are passed over. Before each row the attempt is checked, as by
        `check`. Raises `InvalidCheckpoint` for rows that are out of order, and for a second loop of the same attempt.
        """
        return Resume(self, rows, key)


current: ContextVar[Attempt] = ContextVar("penstock_attempt")


def current_job() -> Attempt:
    """The job that the calling code runs for. Raises `NoCurrentJob` outside of one."""
    try:
        return current.get()
    except LookupError:
        raise NoCurrentJob(
            "expected to run inside a job, got a plain call: a task that is called as a function has no current job"
        ) from None
