"""One attempt from claim to decision: find the task, read its arguments, run it, decide what it came to.

Nothing that a task does, raises or returns leaves here as an exception: every attempt ends as one row to settle.
"""

import asyncio
import inspect
import traceback
from collections.abc import Mapping
from typing import Any

from penstock.domain.errors import StaleLease, Stopping, UnknownTask
from penstock.domain.jobs import JobState, Settled, message, settled
from penstock.domain.names import did_you_mean
from penstock.events import Events, JobFailed
from penstock.queue.attempt import Attempt, current
from penstock.queue.task import Task

_UNKNOWN_TASK_SECONDS = 60.0

Tasks = Mapping[str, Task[Any, Any]]


class Executor:
    """Runs attempts; holds no state of theirs."""

    def __init__(self, tasks: Tasks, events: Events) -> None:
        self._tasks = tasks
        self._events = events

    def is_async(self, name: str) -> bool:
        task = self._tasks.get(name)
        return task is not None and task.is_async

    def run(self, attempt: Attempt) -> Settled:
        """Run a `def` task on this thread."""
        token = current.set(attempt)
        try:
            task = self._find(attempt)
            args, kwargs = task.signature.decode(attempt.job.arguments)
            result = task.function(*args, **kwargs)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError(f"task {task.name} returned a coroutine, which nothing awaits: declare it `async def`")
        except BaseException as error:
            return self._failed(attempt, error)
        finally:
            current.reset(token)
        return settled(attempt.job, JobState.COMPLETED)

    async def arun(self, attempt: Attempt) -> Settled:
        """Run an `async def` task on this event loop."""
        current.set(attempt)  # each task of the loop has a context of its own
        try:
            task = self._find(attempt)
            args, kwargs = task.signature.decode(attempt.job.arguments)
            await task.function(*args, **kwargs)
        except BaseException as error:
            return self._failed(attempt, error)
        return settled(attempt.job, JobState.COMPLETED)

    def _find(self, attempt: Attempt) -> Task[Any, Any]:
        try:
            return self._tasks[attempt.job.task]
        except KeyError:
            hint = did_you_mean(attempt.job.task, self._tasks)
            raise UnknownTask(
                f"this worker's app declares no task {attempt.job.task!r}{hint}; the job waits for a worker that does"
            ) from None

    def _failed(self, attempt: Attempt, error: BaseException) -> Settled:
        job = attempt.job
        stopped = isinstance(error, asyncio.CancelledError) and attempt.stopping.is_set()
        if stopped or isinstance(error, Stopping | StaleLease):
            return settled(job, JobState.AVAILABLE, give_back=True)
        if isinstance(error, UnknownTask):
            outcome = settled(job, JobState.RETRYABLE, delay_seconds=_UNKNOWN_TASK_SECONDS, give_back=True, error=error)
        else:
            trace = "".join(traceback.format_exception(error))
            if job.attempt >= job.max_attempts:
                outcome = settled(job, JobState.DISCARDED, error=error, trace=trace)
            else:
                delay = self._tasks[job.task].retry.delay_seconds(job.attempt)
                outcome = settled(job, JobState.RETRYABLE, delay_seconds=delay, error=error, trace=trace)
        self._events.emit(JobFailed(job_id=job.id, task=job.task, attempt=job.attempt, state=outcome["state"],
                                    error=f"{type(error).__name__}: {message(error)}"))
        return outcome
