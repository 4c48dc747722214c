"""Declaring tasks, syncs and periodic work: whatever is wrong is said here, before anything runs."""

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from penstock.app.alerting import Alerting
from penstock.app.limiting import check_limits
from penstock.domain.chunks import Chunk
from penstock.domain.errors import DeclarationError, UnknownSubject
from penstock.domain.jobs import Call, Retention, priority_fault
from penstock.domain.limits import Concurrency, Limit, Window
from penstock.domain.names import name_fault
from penstock.domain.records import Subject
from penstock.domain.results import Result
from penstock.domain.retry import RetryPolicy
from penstock.domain.ticks import Missed
from penstock.domain.unique import Unique
from penstock.queue.arguments.packing import Packing, Upgrade
from penstock.queue.chunk import Jobs
from penstock.queue.keyed import Serial
from penstock.queue.limited import TaskLimits
from penstock.queue.rules import Ack, Delivery, PoolName, Rules
from penstock.queue.task import ChunkTask, Options, Task
from penstock.schedule import audits, periodic, subjects
from penstock.sync.declaring.declare import Sync, SyncOptions
from penstock.sync.declaring.define import define
from penstock.sync.declaring.renamed import several, sync_fault
from penstock.sync.declaring.requesting import Requesting

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S", bound=type[Sync[Any]])

SYNC_QUEUE = "penstock.sync"


class Declaring(Alerting):
    """What people declare, and where it is found again."""

    @overload
    def task(self, function: Callable[P, R]) -> Task[P, R]: ...

    @overload
    def task(self, *, chunk: Chunk, name: str | None = None, queue: str = "default", priority: int = 0,
             retry: RetryPolicy | None = None, limits: Sequence[Limit] = (), timeout: timedelta | None = None,
             stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, serial: Serial = None,
             concurrency: Concurrency | None = None, ack: Ack = "batch", delivery: Delivery = "at_least_once",
             retention: Retention | None = None, version: int | None = None, upgrade: Upgrade | None = None,
             encrypt: bool = False,
             result: Result | None = None) -> Callable[[Callable[[Jobs[T]], R]], ChunkTask[T, R]]: ...

    @overload
    def task(self, *, name: str | None = None, queue: str = "default", priority: int = 0,
             retry: RetryPolicy | None = None, limits: Sequence[Limit] = (), timeout: timedelta | None = None,
             stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, serial: Serial = None,
             concurrency: Concurrency | None = None, ack: Ack = "batch", delivery: Delivery = "at_least_once",
             retention: Retention | None = None, version: int | None = None, upgrade: Upgrade | None = None,
             encrypt: bool = False, result: Result | None = None, pool: PoolName | None = None
             ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(self, function: Callable[..., Any] | None = None, *, name: str | None = None, queue: str = "default",
             priority: int = 0, retry: RetryPolicy | None = None, limits: Sequence[Limit] = (),
             timeout: timedelta | None = None, stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, serial: Serial = None,
             concurrency: Concurrency | None = None, ack: Ack = "batch", delivery: Delivery = "at_least_once",
             retention: Retention | None = None, chunk: Chunk | None = None,
             version: int | None = None, upgrade: Upgrade | None = None, encrypt: bool = False,
             result: Result | None = None, pool: PoolName | None = None) -> Any:
        """Declare a task: `@app.task` or `@app.task(queue="mail", …)`.

        Its name is `name`, else the function's module and qualified name. `timeout` bounds one attempt, `stale_after`
        the time between two checkpoints of it, `deadline` the job from its enqueue on. `valid_if` is called with the
        job's arguments just before the body: false settles the job as pointless. `unique` skips an enqueue that meets
        its double. Jobs with equal values of the parameters that `serial` names (one, or a tuple) run one at a time, in
        order; with `concurrency`, as many as it says of those with equal values of its `by`: docs/jobs.md. `ack`,
        `delivery` and `retention`: see `penstock.queue.rules.Rules`. With `pool="process"` the bodies of a `def` task
        run in child processes: docs/processes.md. Raises `DeclarationError` for a name that is
        taken, a queue that cannot be, a key of no parameter, or a parameter whose type cannot come from JSON.
        Each attempt spends a permit of each of its `limits`: docs/limits.md. With `chunk` the function takes `Jobs[T]`,
        many jobs at once, and `enqueue` one T: docs/chunks.md. `version` is that of the arguments, and `upgrade` makes
        those of older ones fit; with `encrypt` they are sealed: docs/arguments.md. With `result` what the body returns
        is recorded, for `job.result()`: docs/results.md.
        """
        check_limits(limits)
        rules = Rules(retry or RetryPolicy(), timeout, stale_after, valid_if, ack, delivery, retention or Retention(),
                      chunk, result, pool)

        def declare(wrapped: Callable[..., Any]) -> Task[..., Any]:
            named = name or f"{wrapped.__module__}.{wrapped.__qualname__}"
            faults = [fault for fault in (name_fault("queue", queue), priority_fault(priority)) if fault]
            if inspect.isgeneratorfunction(wrapped) or inspect.isasyncgenfunction(wrapped):
                faults.append(f"task {named}: expected a function that does its work when called, got a generator")
            if named in self.tasks:
                faults.append(f"a task {named!r} is declared already: give one of them another name=")
            if faults:
                raise DeclarationError(faults)
            made: type[Task[..., Any]] = Task if chunk is None else ChunkTask
            task = made(wrapped, named, Options(queue, priority, deadline=deadline, unique=unique), rules, self,
                        self.settings.payload_limit_bytes, serial=serial, concurrency=concurrency, limits=limits,
                        packing=Packing(named, version, upgrade, encrypt, self.keyring))
            if limits:
                check_limits(limits, task.signature.names)
                self.declared.add(limits, task.signature.names)
                task.limits = TaskLimits(task.signature, limits, self.declared, lambda: self.spending)
            if self.middleware.run:
                task.surround(self.middleware.run)
            self.tasks[named] = task
            return task

        return declare if function is None else declare(function)

    def use(self, middleware: object) -> None:
        """Have something done around every enqueue of this app, and every run in its workers: docs/middleware.md.

        What is used first is outermost. Use it before workers start. Raises `DeclarationError`.
        """
        self.middleware.add(middleware)
        if self.middleware.run:
            for task in self.tasks.values():
                task.surround(self.middleware.run)

    def sync(self, name: str, *, max_concurrent: int = 1, per_account: int = 1, window: Window | None = None,
             every: timedelta | None = None, audit_every: timedelta | None = None, limits: Sequence[Limit] = (),
             was: str | tuple[str, ...] = (), cron: str | None = None, timezone: str = "UTC") -> Callable[[S], S]:
        """Declare a sync: a class decorator. Raises `DeclarationError` with every fault of the sync and its layers.

        `window`, for how long an execution goes on to serve: see docs/windows.md; `limits`, what its calls spend:
        docs/limits.md; `audit_every`: docs/audit.md; `was`, what it was called before: docs/renaming.md; `every`,
        or `cron` in `timezone`, requests each subject by itself: docs/admission.md.
        """
        check_limits(limits, ["account"])
        options = SyncOptions(max_concurrent, per_account, window, every, tuple(limits), audit_every, several(was),
                              cron)

        def declare(declared: S) -> S:
            if fault := sync_fault(name, options.was, self.syncs):
                raise DeclarationError(fault)
            self.syncs[name] = definition = audits.declared(self, define(name, declared, options), SYNC_QUEUE)
            subjects.declared(self, definition, SYNC_QUEUE, timezone)
            declared.requesting = Requesting(definition, self)
            self.declared.add(limits, ["account"])
            return declared

        return declare

    def periodic(self, name: str, call: Call, *, cron: str | None = None, every: timedelta | None = None,
                 timezone: str = "UTC", missed: Missed = "once") -> None:
        """Enqueue a call (`task.call(…)`) on each tick of a cron line or an interval, once per tick.

        `timezone` is that of the cron line; `missed` says what becomes of ticks at which no scheduler ran (`skip`,
        `once`, `all`). Raises `DeclarationError` with every fault.
        """
        self.periodics[name] = periodic.declare(name, call, cron=cron, every=every, timezone=timezone,
                                                     missed=missed, taken=self.periodics)

    def subject(self, sync: str, key: str) -> Subject:
        """One subject as `subjects()` gives it. Raises `UnknownSubject`."""
        found = self._subjects(sync, {key}).get(key)
        if found is None:
            raise UnknownSubject(f"subjects() of {sync} gives no subject {key!r}")
        return found

    def _subjects(self, sync: str, keys: set[str]) -> dict[str, Subject]:
        found = {}
        for subject in self.definition(sync).sync.subjects():
            if subject.key in keys:
                found[subject.key] = subject
        return found
