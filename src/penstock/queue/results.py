"""Asking for what a job returned: at once if it has ended, else again and again, less often the longer it takes."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.domain.errors import (
    ConfigurationError,
    InvalidResult,
    NoResult,
    NotCompleted,
    ResultGone,
    ResultTimeout,
)
from penstock.domain.jobs import JobState
from penstock.queue.arguments.packing import Packing
from penstock.queue.attempt import current
from penstock.queue.task import Task
from penstock.store.port import Row, Store

Tasks = Mapping[str, Task[Any, Any]]

LIVE = "live"
_LEAST_SECONDS = 0.005
_SHARE = 8
_UNSEEN = ("no such job is to be seen: it was enqueued in a transaction that is not committed yet (what waits within it"
           " waits in vain), or it ended so long ago that it was removed")


class Results:
    """The results of one app's jobs. `seen`: they were committed when this is asked, so one that is not there is gone.

    A look is made after 5 ms, and then whenever an eighth of the time that was waited has passed again, but every
    `poll_seconds` at the least: so nobody waits much longer than the job takes, and nobody asks all the time.
    """

    def __init__(self, store: Callable[[], Store], tasks: Tasks, poll_seconds: float, *, seen: bool) -> None:
        self._store = store
        self._tasks = tasks
        self._poll_seconds = poll_seconds
        self._seen = seen

    def result(self, job_id: int, timeout: float | None) -> Any:
        """Raises `ResultError`, and what ends the attempt that asks, if one does."""
        wait = _Wait(self._store(), job_id, timeout, self._poll_seconds, self._seen)
        while not wait.look():
            time.sleep(wait.pause())
        return told(job_id, wait.row, self._tasks)

    async def aresult(self, job_id: int, timeout: float | None) -> Any:  # noqa: ASYNC109
        """The same without blocking the event loop."""
        loop = asyncio.get_running_loop()
        store = await loop.run_in_executor(None, self._store)  # which may have to be opened
        wait = _Wait(store, job_id, timeout, self._poll_seconds, self._seen)
        while not await loop.run_in_executor(None, wait.look):  # noqa: ASYNC110
            await asyncio.sleep(wait.pause())
        return told(job_id, wait.row, self._tasks)


class _Wait:
    """One wait for one job."""

    def __init__(self, store: Store, job_id: int, timeout: float | None, poll_seconds: float, seen: bool) -> None:
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout < 0):
            raise ConfigurationError(f"timeout: expected seconds of 0 or more, or None, got {timeout!r}")
        self._store = store
        self._job_id = job_id
        self._timeout = math.inf if timeout is None else timeout
        self._poll_seconds = poll_seconds
        self._seen = seen
        self._began = time.monotonic()
        self.attempt = current.get(None)
        self.row: Row = ()

    def look(self) -> bool:
        """Whether the job has ended. A job that waits for another is to end when it is told to."""
        if self.attempt is not None:
            self.attempt.check()
        rows = self._store.look("result", {"id": self._job_id})
        if rows:
            self.row, self._seen = rows[0], True
        elif self._seen:
            raise ResultGone(f"job {self._job_id}: expected a job, got none: it ended so long ago that it was removed,"
                             " and its result with it")
        return bool(rows) and rows[0][1] != LIVE

    def pause(self) -> float:
        """How long to wait before the next look. Raises `ResultTimeout`."""
        passed = time.monotonic() - self._began
        if passed >= self._timeout:
            why = "it has not ended" if self._seen else _UNSEEN
            raise ResultTimeout(f"job {self._job_id}: expected its result within {self._timeout:g} s, got none: {why}")
        return min(max(passed / _SHARE, _LEAST_SECONDS), self._poll_seconds, self._timeout - passed)


def told(job_id: int, row: Row, tasks: Tasks) -> Any:
    """What the row of a job that has ended says of its result. Raises `ResultError`."""
    name, state, error_class, error, result, kept = row
    task = tasks.get(name)
    if state != JobState.COMPLETED:
        says = ": ".join(filter(None, (error_class, _last_line(error or "", error_class or ""))))
        raise NotCompleted(f"job {job_id} of task {name} ended as {state}: {says}", state, error_class, error)
    if error_class == InvalidResult.__name__:
        raise InvalidResult(f"job {job_id}: {error}")
    if result is not None and kept:
        packing = Packing(name) if task is None else task.packing
        result = packing.result_opened(job_id, result)
        return msgspec.json.decode(result) if task is None or task.recording is None else task.recording.read(result)
    if result is None and (task is None or task.recording is None):
        raise NoResult(f"job {job_id} has completed, and task {name} records no result: declare it with"
                       " @app.task(result=Result())")
    raise ResultGone(f"job {job_id} has completed, and its result is not kept any more: task {name} says for how long,"
                     " with result=Result(keep=…)")


def _last_line(error: str, error_class: str) -> str:
    """What an error said: of a traceback the last line that is not indented."""
    lines = [line for line in error.splitlines() if line and not line[0].isspace()]
    if not lines:
        return error
    return lines[-1].rpartition(f"{error_class}: ")[2] if error_class else lines[-1]
