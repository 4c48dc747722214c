"""Tasks: what people declare with `@app.task`, still plain functions when called."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from penstock.domain.envelope import FIRST_VERSION
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import After, Batch, Call, Job, Shape, priority_fault
from penstock.domain.limits import Concurrency, Limit
from penstock.domain.names import did_you_mean, name_fault, tag_fault
from penstock.domain.pools import pool_of
from penstock.domain.retry import RetryPolicy
from penstock.domain.unique import Unique, unique_key
from penstock.queue.arguments.packing import Packing
from penstock.queue.arguments.signature import PAYLOAD_LIMIT_BYTES, Signature
from penstock.queue.attempt import current
from penstock.queue.chunk import ChunkSignature, Jobs
from penstock.queue.context import current_context, in_use
from penstock.queue.keyed import Keyed, Serial, hidden_faults, keyed
from penstock.queue.limited import TaskLimits
from penstock.queue.middleware import Verb, surrounded
from penstock.queue.recording import Recording, recording
from penstock.queue.rules import Rules
from penstock.queue.together import OnFailure, batch_id
from penstock.queue.together import after as waits_for

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


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
    after: After | None = None
    batch: int | None = None


class Launch(Generic[P]):
    """A task with the options of one launch."""

    def __init__(self, task: "Task[P, Any]", options: Options, launcher: Launcher) -> None:
        self._signature = task.signature
        self._keyed = task.keyed
        self._packing = task.packing
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
            if self._unique and self._unique.period else None,
            conflict=self._unique.conflict if self._unique and self._unique.conflict != "skip" else None,
            keyed=self._keyed is not None, sealed=task.packing.sealer is not None,
            held=options.after is not None, batch=options.batch,
        )
        self._is_plain = (self._unique is None and self._keyed is None and options.after is None
                          and task.packing.is_plain)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The job that `enqueue` would make, for `app.enqueue_many`."""
        arguments = self._signature.encode(args, kwargs)
        if self._is_plain and not in_use:
            return Call(self._shape, arguments)
        packing = self._packing
        key = None if self._unique is None else unique_key(
            self._shape["task"], self._signature.chosen(arguments, self._unique.args), packing.unique_secret)
        return Call(self._shape, packing.packed(arguments, current_context()), key,
                    self._keyed.line(arguments) if self._keyed else None, packing.sealer, self._options.after)

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
                 concurrency: Concurrency | None = None, limits: Sequence[Limit] = (),
                 packing: Packing | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.body: Callable[P, R] = function if rules.pool is None else self._apart
        """What an attempt calls: the function, wherever its task has it run, with what is done around it."""
        self._bare: Callable[P, R] | None = None
        self.name = name
        self.rules = rules
        self.limits: TaskLimits | None = None
        self.is_async = inspect.iscoroutinefunction(function)
        self.pool = pool_of(rules.pool, self.is_async)
        self.packing = packing or Packing(name)
        self.upgrades = self.packing.version > FIRST_VERSION  # asked for every attempt
        made = Signature if rules.chunk is None else ChunkSignature
        self.signature = made(name, function, payload_limit_bytes, hidden=self.packing.sealer is not None)
        self.recording: Recording | None = recording(name, function, rules)
        self.keyed: Keyed | None = keyed(self.signature, serial, concurrency, limits, rules.chunk)
        if faults := hidden_faults(self.signature, serial, concurrency, limits):
            raise DeclarationError([f"task {name}: {fault}" for fault in faults])
        super().__init__(self, options, launcher)
        if fault := unique_fault(options.unique, self.signature):
            raise DeclarationError(f"task {name}: {fault}")
        if inspect.iscoroutinefunction(rules.valid_if) and not self.is_async:
            raise DeclarationError(f"task {name}: valid_if is `async def`, for which a `def` task cannot wait: make it"
                                   " a plain function, or the task `async def`")
        if rules.pool is not None and (fault := apart_fault(function)):
            raise DeclarationError(f"task {name}: pool: {fault}")

    def surround(self, verbs: Sequence[Verb]) -> None:
        """Have all of these done around the body of every attempt, in place of those of before."""
        self._bare = self._bare or self.body
        self.body = surrounded(verbs, self._bare, self.is_async)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def _apart(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in the child of the attempt's slot; where it has none, as in a drain, here."""
        attempt = current.get(None)
        if attempt is None or attempt.apart is None:
            return self.function(*args, **kwargs)
        result: R = attempt.apart(attempt, self)
        return result

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
              unique: Unique | None = None, after: object = (), on_failure: OnFailure = "cancel",
              batch: Batch | int | None = None, connection: Any = None) -> "Launch[P]":
        """Options for one launch.

        `run_after` is a wait, or a time with a zone; a higher `priority` goes first (a point is worth a minute of
        waiting); `tags` are what `app.invalidate` knows the job by; after `deadline` (from now, or a time with a zone)
        it is not run any more; with `unique` it is skipped where it meets its double, or replaces that; with
        `connection` the job joins the transaction that is open on it, and is seen by nobody before it commits. `after`
        are jobs, batches, their ids, or calls that are enqueued together with it: it runs when all of them have
        completed, and is cancelled where one has not (`on_failure="run"`: it runs all the same). It belongs to `batch`:
        docs/batches.md. Raises `InvalidArguments`.
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
            unique=default.unique if unique is None else unique, after=waits_for(after, on_failure),
            batch=batch_id(batch),
        )
        return Launch(self, options, self._launcher)


class ChunkTask(Task[[T], R], Generic[T, R]):
    """A task of which one call receives many jobs: each is enqueued by itself, with one value of the type T.

    Calling it calls the function with the jobs that are given, here and now.
    """

    def surround(self, verbs: Sequence[Verb]) -> None:
        """Have all of these done around the body of every attempt, in place of those of before."""
        self._bare = self._bare or self.body
        self.body = surrounded(verbs, self._bare, self.is_async)

    def __call__(self, jobs: Jobs[T]) -> R:  # type: ignore[override]
        return self.function(jobs)  # type: ignore[arg-type]


def apart_fault(function: Callable[..., Any]) -> str | None:
    """Why no other process could find a function by its module and name, or None."""
    if inspect.iscoroutinefunction(function):
        return "expected a `def` task for a pool of processes, got an `async def` one: its place is the event loop"
    if "<" in function.__qualname__:
        return (f"expected a function at the top of a module, which a child process can import, got"
                f" {function.__qualname__}: move it there and give it a name")
    return None


def unique_fault(unique: Unique | None, signature: Signature) -> str | None:
    """What is wrong with the arguments that a job is to be unique by, or None."""
    unknown = [name for name in (unique.args if unique else None) or () if name not in signature.names]
    if not unknown:
        return None
    return f"unique: no parameter {unknown[0]!r}{did_you_mean(unknown[0], signature.names)}"


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
