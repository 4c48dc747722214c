"""One attempt from claim to decision: find the task, read its arguments, run it, decide what it came to.

Nothing that a task does, raises or returns leaves here as an exception: every attempt ends as one outcome to settle.
"""

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from penstock.domain.errors import UnknownTask
from penstock.domain.jobs import Outcome
from penstock.domain.names import did_you_mean
from penstock.domain.pools import Pool
from penstock.domain.signals import Signal
from penstock.events import JobStarted
from penstock.events.telling import Events
from penstock.queue.arguments.packing import open_arguments
from penstock.queue.attempt import Attempt, current
from penstock.queue.task import Task
from penstock.worker.chunked import Chunked
from penstock.worker.deciding import Decision, invalid
from penstock.worker.delivery import Delivery
from penstock.worker.django import aclose_stale, close_stale

Tasks = Mapping[str, Task[Any, Any]]


class Executor:
    """Runs attempts; holds no state of theirs. `watch` is told of attempts that somebody must keep an eye on; in
    `asked` are the jobs that somebody has cancelled since they were claimed."""

    def __init__(self, tasks: Tasks, events: Events, *, delivery: Delivery | None = None,
                 watch: Callable[[Attempt], object] | None = None, asked: AbstractSet[int] = frozenset(),
                 decision: Decision | None = None) -> None:
        self._tasks = tasks
        self._events = events
        self._decision = decision or Decision(tasks, events)
        self._delivery = delivery
        self._watch = watch
        self._asked = asked
        self._chunked = Chunked(events, self._decision, delivery, watch, asked)

    def is_async(self, name: str) -> bool:
        task = self._tasks.get(name)
        return task is not None and task.is_async

    def pool_of(self, name: str) -> Pool:
        """Where a task's body runs. One that nobody declares is told so on a thread."""
        task = self._tasks.get(name)
        return Pool.THREADS if task is None else task.pool

    def stale(self, attempt: Attempt) -> Outcome:
        """The outcome of an attempt whose claim says that it need not run any more."""
        return self._decision.stale(attempt)

    def run(self, attempt: Attempt) -> Outcome:
        """Run a `def` task on this thread."""
        job = attempt.job
        if (self._asked or attempt.deadline_at is not None) and (reason := self._pointless(attempt)):
            return self._decision.skipped(attempt, reason)
        task = self._tasks.get(job.task)
        if task is None:
            return self._unknown(attempt)
        if task.rules.chunk is not None:
            return self._chunked.run(attempt, task)
        if task.upgrades or job.arguments[:1] == "[":
            if (refused := self._opened(attempt, task)) is not None:
                return refused
            job = attempt.job
        delivery = self._delivery if task.rules.careful else None
        if delivery is not None:
            try:
                if task.limits is not None and task.rules.delivery == "at_most_once":
                    attempt.permit = task.limits.take(attempt)  # before it is settled: afterwards it cannot go again
            except Exception as error:
                return self._decision.raised(attempt, error)
            if not delivery.begin(attempt, task):
                return self._decision.dropped(attempt)
        token = current.set(attempt)
        attempt.started_at = attempt.told_at = time.monotonic()
        close_stale()
        try:
            args, kwargs = task.signature.decode(job.arguments)
            rules = task.rules
            if rules.watched or attempt.deadline_at is not None:
                self._watched(attempt)
            if rules.valid_if is not None and not rules.valid_if(*args, **kwargs):
                outcome = invalid(attempt, rules)
            else:
                if JobStarted in self._events.heard:
                    self._events.emit(JobStarted(job_id=job.id, task=job.task, attempt=job.attempt))
                result = (task.body(*args, **kwargs) if task.limits is None else
                          _limited(task, attempt, args, kwargs))
                if result is not None:
                    _refuse_coroutine(task, result)
                outcome = self._decision.returned(attempt, task, result)
        except BaseException as error:
            outcome = self._decision.raised(attempt, error)
        finally:
            attempt.finished = True
            current.reset(token)
            close_stale()
        return outcome if delivery is None else delivery.end(attempt, task, outcome)

    async def arun(self, attempt: Attempt) -> Outcome:
        """Run an `async def` task on this event loop."""
        job = attempt.job
        if (self._asked or attempt.deadline_at is not None) and (reason := self._pointless(attempt)):
            return self._decision.skipped(attempt, reason)
        task = self._tasks.get(job.task)
        if task is None:
            return self._unknown(attempt)
        if task.rules.chunk is not None:
            return await self._chunked.arun(attempt, task)
        if task.upgrades or job.arguments[:1] == "[":
            if (refused := self._opened(attempt, task)) is not None:
                return refused
            job = attempt.job
        delivery = self._delivery if task.rules.careful else None
        loop = asyncio.get_running_loop()
        if delivery is not None:
            try:
                if task.limits is not None and task.rules.delivery == "at_most_once":
                    attempt.permit = await task.limits.atake(attempt)
            except Exception as error:
                return self._decision.raised(attempt, error)
            if not await loop.run_in_executor(None, delivery.begin, attempt, task):
                return self._decision.dropped(attempt)
        attempt.pool = Pool.LOOP  # wherever it runs: what would block a worker's loop is refused everywhere
        current.set(attempt)  # each task of the loop has a context of its own
        attempt.started_at = attempt.told_at = time.monotonic()
        await aclose_stale()
        try:
            args, kwargs = task.signature.decode(job.arguments)
            rules = task.rules
            if rules.watched or attempt.deadline_at is not None:
                self._watched(attempt)
            valid = True if rules.valid_if is None else rules.valid_if(*args, **kwargs)
            if inspect.isawaitable(valid):
                valid = await valid
            if not valid:
                outcome = invalid(attempt, rules)
            else:
                if JobStarted in self._events.heard:
                    self._events.emit(JobStarted(job_id=job.id, task=job.task, attempt=job.attempt))
                result = await (task.body(*args, **kwargs) if task.limits is None else
                                _alimited(task, attempt, args, kwargs))
                outcome = self._decision.returned(attempt, task, result)
        except BaseException as error:
            outcome = self._decision.raised(attempt, error)
        finally:
            attempt.finished = True
            await aclose_stale()
        if delivery is None:
            return outcome
        return await asyncio.shield(loop.run_in_executor(None, delivery.end, attempt, task, outcome))

    def _pointless(self, attempt: Attempt) -> str | None:
        """Why a job that waited here for its slot need not begin any more, if so. Those of a chunk are looked at
        one by one."""
        if attempt.jobs is not None:
            return None
        if attempt.job.id in self._asked:
            return "cancelled"
        if attempt.deadline_at is not None and attempt.deadline_at <= time.monotonic():
            return "deadline"
        return None

    def _watched(self, attempt: Attempt) -> None:
        if self._watch is not None:
            self._watch(attempt)

    def _unknown(self, attempt: Attempt) -> Outcome:
        name = attempt.job.task
        hint = did_you_mean(name, self._tasks)
        return self.refused(attempt, UnknownTask(
            f"this worker's app declares no task {name!r}{hint}; the job waits for a worker that does"
        ))

    def _opened(self, attempt: Attempt, task: Task[Any, Any]) -> Outcome | None:
        """Open an envelope, or make arguments of an older version fit; the outcome where that cannot be."""
        try:
            open_arguments(attempt, task.packing)
        except Exception as error:
            return self.refused(attempt, error)
        return None

    def refused(self, attempt: Attempt, error: Exception) -> Outcome:
        """What became of an attempt that could not begin."""
        token = current.set(attempt)
        try:
            return self._decision.raised(attempt, error)
        finally:
            current.reset(token)


def _refuse_coroutine(task: Task[Any, Any], result: object) -> None:
    """A plain function that gives a coroutine has done nothing yet."""
    if not isinstance(result, Signal) and inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"task {task.name} returned a coroutine, which nothing awaits: declare it `async def`")


def _limited(task: Task[Any, Any], attempt: Attempt, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run the body with the permits of its task. Raises `Limited` where they cannot be had soon."""
    assert task.limits is not None
    with attempt.permit or task.limits.take(attempt):
        return task.body(*args, **kwargs)


async def _alimited(task: Task[Any, Any], attempt: Attempt, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    assert task.limits is not None
    with attempt.permit or await task.limits.atake(attempt):
        return await task.body(*args, **kwargs)
