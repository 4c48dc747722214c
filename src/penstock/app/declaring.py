"""Declaring tasks, syncs and periodic work: whatever is wrong is said here, before anything runs."""

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from penstock.app.alerting import Alerting
from penstock.app.limiting import check_limits
from penstock.domain.errors import DeclarationError, UnknownSubject
from penstock.domain.jobs import Call, Retention
from penstock.domain.limits import Concurrency, Limit, Window
from penstock.domain.names import name_fault
from penstock.domain.records import Subject
from penstock.domain.retry import RetryPolicy
from penstock.domain.ticks import Missed
from penstock.domain.unique import Unique
from penstock.queue.keyed import Serial
from penstock.queue.limited import TaskLimits
from penstock.queue.rules import Ack, Delivery, Rules
from penstock.queue.task import Options, Task, priority_fault
from penstock.schedule import audits, periodic, subjects
from penstock.sync.declaring.declare import Sync, SyncOptions
from penstock.sync.declaring.define import define
from penstock.sync.declaring.renamed import several, sync_fault
from penstock.sync.declaring.requesting import Requesting

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=type[Sync[Any]])

SYNC_QUEUE = "penstock.sync"


class Declaring(Alerting):
    """What people declare, and where it is found again."""

    @overload
    def task(self, function: Callable[P, R]) -> Task[P, R]: ...

    @overload
    def task(self, *, name: str | None = None, queue: str = "default", priority: int = 0,
             retry: RetryPolicy | None = None, limits: Sequence[Limit] = (), timeout: timedelta | None = None,
             stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, serial: Serial = None,
             concurrency: Concurrency | None = None, ack: Ack = "batch", delivery: Delivery = "at_least_once",
             retention: Retention | None = None) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(self, function: Callable[..., Any] | None = None, *, name: str | None = None, queue: str = "default",
             priority: int = 0, retry: RetryPolicy | None = None, limits: Sequence[Limit] = (),
             timeout: timedelta | None = None, stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, serial: Serial = None,
             concurrency: Concurrency | None = None, ack: Ack = "batch", delivery: Delivery = "at_least_once",
             retention: Retention | None = None) -> Any:
        """Declare a task: `@app.task` or `@app.task(queue="mail", …)`.

        Its name is `name`, else the function's module and qualified name. `timeout` bounds one attempt, `stale_after`
        the time between two checkpoints of it, `deadline` the job from its enqueue on. `valid_if` is called with the
        job's arguments just before the body: false settles the job as pointless. `unique` skips an enqueue that meets
        its double. Jobs with equal values of the parameters that `serial` names (one, or a tuple) run one at a time, in
        order; with `concurrency`, as many as it says of those with equal values of its `by`: docs/jobs.md. `ack`,
        `delivery` and `retention`: see `penstock.queue.rules.Rules`. Raises `DeclarationError` for a name that is
        taken, a queue that cannot be, a key of no parameter, or a parameter whose type cannot come from JSON.
        Each attempt spends a permit of each of its `limits`: docs/limits.md.
        """
        check_limits(limits)
        rules = Rules(retry or RetryPolicy(), timeout, stale_after, valid_if, ack, delivery, retention or Retention())

        def declare(wrapped: Callable[P, R]) -> Task[P, R]:
            named = name or f"{wrapped.__module__}.{wrapped.__qualname__}"
            faults = [fault for fault in (name_fault("queue", queue), priority_fault(priority)) if fault]
            if inspect.isgeneratorfunction(wrapped) or inspect.isasyncgenfunction(wrapped):
                faults.append(f"task {named}: expected a function that does its work when called, got a generator")
            if named in self.tasks:
                faults.append(f"a task {named!r} is declared already: give one of them another name=")
            if faults:
                raise DeclarationError(faults)
            task = Task(wrapped, named, Options(queue, priority, deadline=deadline, unique=unique), rules, self,
                        self.settings.payload_limit_bytes, serial=serial, concurrency=concurrency, limits=limits)
            if limits:
                check_limits(limits, task.signature.names)
                self.declared.add(limits, task.signature.names)
                task.limits = TaskLimits(task.signature, limits, self.declared, lambda: self.spending)
            self.tasks[named] = task
            return task

        return declare if function is None else declare(function)

    def sync(self, name: str, *, max_concurrent: int = 1, per_account: int = 1, window: Window | None = None,
             every: timedelta | None = None, audit_every: timedelta | None = None, limits: Sequence[Limit] = (),
             was: str | tuple[str, ...] = (), cron: str | None = None, timezone: str = "UTC") -> Callable[[S], S]:
        """Declare a sync: a class decorator. Raises `DeclarationError` with every fault of the sync and its layers.

        `window`, for how long an execution goes on to serve: see docs/windows.md; `limits`, what its calls spend:
        docs/limits.md; `audit_every`: docs/audit.md; `was`, what it was called before: docs/renaming.md. (`every` is
        checked and not yet enforced.)
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
