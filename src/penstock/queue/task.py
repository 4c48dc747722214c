"""Tasks: what people declare with `@app.task`, still plain functions when called."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import Call, Job, Shape
from penstock.domain.limits import Concurrency, Limit
from penstock.domain.names import did_you_mean, name_fault, tag_fault
from penstock.domain.retry import RetryPolicy
from penstock.domain.unique import Unique, unique_key
from penstock.queue.keyed import Keyed, Serial, keyed
from penstock.queue.limited import TaskLimits
from penstock.queue.rules import Rules
from penstock.queue.signature import PAYLOAD_LIMIT_BYTES, Signature

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
    tags: tuple[str, ...] = ()
    deadline: timedelta | datetime | None = None
    unique: Unique | None = None


class Launch(Generic[P]):
    """A task with the options of one launch."""

    def __init__(self, task: "Task[P, Any]", options: Options, launcher: Launcher) -> None:
        self._signature = task.signature
        self._keyed = task.keyed
        self._options = options
        self._launcher = launcher
        self._unique = options.unique
        run_at, delay_ms = due(options.run_after)
        deadline_at, deadline_ms = due(options.deadline, "deadline") if options.deadline is not None else (None, None)
        self._shape = Shape(
            task=task.name, queue=options.queue, priority=options.priority, max_attempts=task.rules.retry.max_attempts,
            run_at=run_at, delay_ms=delay_ms, tags=list(options.tags) or None, deadline_at=deadline_at,
            deadline_ms=deadline_ms, keeps=self._unique.keeps if self._unique else None,
            period_ms=self._unique.period // timedelta(milliseconds=1)
            if self._unique and self._unique.period else None, keyed=self._keyed is not None,
        )

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The job that `enqueue` would make, for `app.enqueue_many`."""
        arguments = self._signature.encode(args, kwargs)
        if self._unique is None and self._keyed is None:
            return Call(self._shape, arguments)
        key = None if self._unique is None else unique_key(
            self._shape["task"], self._signature.chosen(arguments, self._unique.args))
        return Call(self._shape, arguments, key, self._keyed.line(arguments) if self._keyed else None)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job that runs the task with these arguments."""
        return self._launcher.enqueue([self.call(*args, **kwargs)], self._options.connection)[0]

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """The same from `async` code."""
        return (await self._launcher.aenqueue([self.call(*args, **kwargs)], self._options.connection))[0]


class Task(Launch[P], Generic[P, R]):
    """A function that can be enqueued, with the options of its declaration. Calling it runs it here and now."""

    def __init__(self, function: Callable[P, R], name: str, options: Options, rules: Rules, launcher: Launcher,
                 payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES, serial: Serial = None,
                 concurrency: Concurrency | None = None, limits: Sequence[Limit] = ()) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.rules = rules
        self.limits: TaskLimits | None = None
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = Signature(name, function, payload_limit_bytes)
        self.keyed: Keyed | None = keyed(self.signature, serial, concurrency, limits)
        super().__init__(self, options, launcher)
        if fault := unique_fault(options.unique, self.signature):
            raise DeclarationError(f"task {name}: {fault}")
        if inspect.iscoroutinefunction(rules.valid_if) and not self.is_async:
            raise DeclarationError(f"task {name}: valid_if is `async def`, for which a `def` task cannot wait: make it"
                                   " a plain function, or the task `async def`")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    @property
    def queue(self) -> str:
        return self._options.queue

    @property
    def retry(self) -> RetryPolicy:
        return self.rules.retry

    def using(self, *, run_after: timedelta | datetime | None = None, priority: int | None = None,
              queue: str | None = None, tags: Iterable[str] = (), deadline: timedelta | datetime | None = None,
              unique: Unique | None = None, connection: Any = None) -> "Launch[P]":
        """Options for one launch.

        `run_after` is a wait, or a time with a zone; a higher `priority` goes first (a point is worth a minute of
        waiting); `tags` are what `app.invalidate` knows the job by; after `deadline` (from now, or a time with a zone)
        it is not run any more; with `unique` it is skipped where it meets its double; with `connection` the job
        joins the transaction that is open on it, and is seen by nobody before it commits. Raises `InvalidArguments`.
        """
        given = (tags,) if isinstance(tags, str) else tuple(tags)
        faults = [fault for tag in given if (fault := tag_fault(tag))]
        if priority is not None:
            faults.append(priority_fault(priority) or "")
        if queue is not None:
            faults.append(name_fault("queue", queue) or "")
        faults.append(unique_fault(unique, self.signature) or "")
        if any(faults):
            raise InvalidArguments("; ".join(fault for fault in faults if fault))
        default = self._options
        options = replace(
            default, run_after=run_after, connection=connection, tags=given or default.tags,
            priority=default.priority if priority is None else priority,
            queue=default.queue if queue is None else queue,
            deadline=default.deadline if deadline is None else deadline,
            unique=default.unique if unique is None else unique,
        )
        return Launch(self, options, self._launcher)


def unique_fault(unique: Unique | None, signature: Signature) -> str | None:
    """What is wrong with the arguments that a job is to be unique by, or None."""
    unknown = [name for name in (unique.args if unique else None) or () if name not in signature.names]
    if not unknown:
        return None
    return f"unique: no parameter {unknown[0]!r}{did_you_mean(unknown[0], signature.names)}"


def priority_fault(priority: object) -> str | None:
    """What is wrong with a priority, or None."""
    if type(priority) is int and abs(priority) < 2**31:
        return None
    return f"priority: expected a whole number of at most 31 bits, got {priority!r}"


def due(run_after: timedelta | datetime | None, what: str = "run_after") -> tuple[int | None, int]:
    """When a job is due: an absolute time in ms since 1970, or a wait in ms from the database's now."""
    match run_after:
        case None:
            return None, 0
        case timedelta():
            return None, run_after // timedelta(milliseconds=1)
        case datetime() if run_after.utcoffset() is not None:
            return (run_after - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1), 0
        case datetime():
            raise InvalidArguments(f"{what}: expected a time with a zone, got the naive {run_after.isoformat()}:"
                                   " add tzinfo=UTC, or the zone that you mean")
        case _:
            raise InvalidArguments(f"{what}: expected a timedelta or a datetime, got {run_after!r}")
