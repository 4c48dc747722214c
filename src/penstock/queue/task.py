"""Tasks: what people declare with `@app.task`, still plain functions when called."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import Call, Job
from penstock.domain.names import name_fault
from penstock.domain.retry import RetryPolicy
from penstock.queue.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")


class Launcher(Protocol):
    """Enqueues calls; the app gives every task one."""

    def enqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]: ...

    def aenqueue(self, calls: Iterable[Call], connection: Any = None) -> Awaitable[list[Job]]: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How one launch differs from its task's defaults."""

    queue: str
    priority: int = 0
    run_after: timedelta | datetime | None = None
    connection: Any = None


class Task(Generic[P, R]):
    """A function that can be enqueued. Calling it runs it here and now."""

    def __init__(self, function: Callable[P, R], name: str, options: Options, retry: RetryPolicy,
                 launcher: Launcher) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.retry = retry
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = Signature(name, function)
        self._options = options
        self._launcher = launcher

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    @property
    def queue(self) -> str:
        return self._options.queue

    def using(self, *, run_after: timedelta | datetime | None = None, priority: int | None = None,
              queue: str | None = None, connection: Any = None) -> "Launch[P]":
        """Options for one launch.

        `run_after` is a wait, or a time with a zone; a higher `priority` goes first; with `connection` the job
        joins the transaction that is open on it, and is seen by nobody before it commits.
        """
        options = replace(self._options, run_after=run_after, connection=connection)
        if priority is not None:
            if fault := priority_fault(priority):
                raise InvalidArguments(fault)
            options = replace(options, priority=priority)
        if queue is not None:
            if fault := name_fault("queue", queue):
                raise InvalidArguments(fault)
            options = replace(options, queue=queue)
        return Launch(self, options, self._launcher)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The job that `enqueue` would make, for `app.enqueue_many`."""
        return Launch[P](self, self._options, self._launcher).call(*args, **kwargs)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job that runs this task with these arguments."""
        return Launch[P](self, self._options, self._launcher).enqueue(*args, **kwargs)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """The same from `async` code."""
        return await Launch[P](self, self._options, self._launcher).aenqueue(*args, **kwargs)


class Launch(Generic[P]):
    """A task with the options of one launch."""

    def __init__(self, task: Task[P, Any], options: Options, launcher: Launcher) -> None:
        self._task = task
        self._options = options
        self._launcher = launcher

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        run_at, delay_ms = due(self._options.run_after)
        return Call(
            task=self._task.name, queue=self._options.queue, priority=self._options.priority,
            arguments=self._task.signature.encode(args, kwargs), max_attempts=self._task.retry.max_attempts,
            run_at=run_at, delay_ms=delay_ms,
        )

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        return self._launcher.enqueue([self.call(*args, **kwargs)], self._options.connection)[0]

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        return (await self._launcher.aenqueue([self.call(*args, **kwargs)], self._options.connection))[0]


def priority_fault(priority: object) -> str | None:
    """What is wrong with a priority, or None."""
    if type(priority) is int and abs(priority) < 2**31:
        return None
    return f"priority: expected a whole number of at most 31 bits, got {priority!r}"


def due(run_after: timedelta | datetime | None) -> tuple[int | None, int]:
    """When a job is due: an absolute time in ms since 1970, or a wait in ms from the database's now."""
    match run_after:
        case None:
            return None, 0
        case timedelta():
            return None, run_after // timedelta(milliseconds=1)
        case datetime() if run_after.utcoffset() is not None:
            return (run_after - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1), 0
        case datetime():
            raise InvalidArguments(f"run_after: expected a time with a zone, got the naive {run_after.isoformat()}:"
                                   " add tzinfo=UTC, or the zone that you mean")
        case _:
            raise InvalidArguments(f"run_after: expected a timedelta or a datetime, got {run_after!r}")
