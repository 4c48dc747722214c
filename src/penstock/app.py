"""`Penstock`: the composition root. It builds what people declared, and knows which store and rooms serve it."""

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, overload

from penstock import config
from penstock.admission.dispatcher import Dispatcher
from penstock.admission.policy import Room
from penstock.domain.errors import ConfigurationError, DeclarationError, UnknownSubject
from penstock.domain.jobs import Call, Job, JobState, Retention
from penstock.domain.limits import Limit, Window
from penstock.domain.names import did_you_mean, name_fault
from penstock.domain.records import Subject
from penstock.domain.retry import RetryPolicy
from penstock.domain.ticks import Missed
from penstock.domain.unique import Unique
from penstock.events import Event, Events
from penstock.queue import control
from penstock.queue.attempt import current
from penstock.queue.control import Count, JobRow
from penstock.queue.enqueue import acarried_out, aenqueue, carried_out, enqueue
from penstock.queue.rules import Ack, Delivery, Rules
from penstock.queue.task import Options, Task, priority_fault
from penstock.schedule import audits, periodic
from penstock.schedule.periodic import Periodic, Scheduler
from penstock.schedule.upkeep import Upkeep
from penstock.store import migrate
from penstock.store.layers import LayerTable
from penstock.store.open import check_url, open_store
from penstock.store.port import Store
from penstock.sync.declaring.declare import Sync, SyncDefinition, SyncOptions
from penstock.sync.declaring.define import define
from penstock.sync.declaring.renamed import several, sync_fault, tables
from penstock.sync.declaring.requesting import Requesting
from penstock.sync.deleting.approvals import Approval, decided, withheld
from penstock.sync.state.runs import Requests
from penstock.sync.window import serve
from penstock.worker.supervisor import Worker

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=type[Sync[Any]])

SYNC_QUEUE = "penstock.sync"
_WINDOW_TASK = "penstock.window"
_DEFAULT_SLOTS, _WINDOW_SLOTS = 10, 4
_REST_SECONDS = 0.25
_REST_BETWEEN_RUNS_SECONDS = 0.01  # where one run at a time is allowed, each waits for the step that admits it


class Penstock:
    """One application's tasks and syncs, and the store that they live in.

    `url` is `sqlite:///file.db` or `postgresql://…`; further settings are those of `penstock.config.Settings`.
    Nothing is opened before it is needed. Raises `ConfigurationError` with every fault of the settings.
    """

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        self.settings = config.load({"url": url, **settings})
        if fault := check_url(self.settings.url):
            raise ConfigurationError(fault)
        self.events = Events()
        self.tasks: dict[str, Task[Any, Any]] = {}
        self.syncs: dict[str, SyncDefinition] = {}
        self.periodics: dict[str, Periodic] = {}
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._window: Task[[int], None] = self.task(
            name=_WINDOW_TASK, queue=SYNC_QUEUE, retry=RetryPolicy(max_attempts=10))(self._serve_run)

    # Declaring

    @overload
    def task(self, function: Callable[P, R]) -> Task[P, R]: ...

    @overload
    def task(self, *, name: str | None = None, queue: str = "default", priority: int = 0,
             retry: RetryPolicy | None = None, limits: Sequence[Limit] = (), timeout: timedelta | None = None,
             stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, ack: Ack = "batch",
             delivery: Delivery = "at_least_once", retention: Retention | None = None
             ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(self, function: Callable[..., Any] | None = None, *, name: str | None = None, queue: str = "default",
             priority: int = 0, retry: RetryPolicy | None = None, limits: Sequence[Limit] = (),
             timeout: timedelta | None = None, stale_after: timedelta | None = None, deadline: timedelta | None = None,
             valid_if: Callable[..., Any] | None = None, unique: Unique | None = None, ack: Ack = "batch",
             delivery: Delivery = "at_least_once", retention: Retention | None = None) -> Any:
        """Declare a task: `@app.task` or `@app.task(queue="mail", …)`.

        Its name is `name`, else the function's module and qualified name. `timeout` bounds one attempt, `stale_after`
        the time between two checkpoints of it, `deadline` the job from its enqueue on. `valid_if` is called with the
        job's arguments just before the body: false settles the job as pointless. `unique` skips an enqueue that meets
        its double. `ack`, `delivery` and `retention`: see `penstock.queue.rules.Rules`. Raises `DeclarationError` for
        a name that is taken, a queue that cannot be, or a parameter whose type cannot come from JSON. (`limits` are
        checked and not yet enforced.)
        """
        _check_limits(limits)
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
                        self.settings.payload_limit_bytes)
            self.tasks[named] = task
            return task

        return declare if function is None else declare(function)

    def sync(self, name: str, *, max_concurrent: int = 1, per_account: int = 1, window: Window | None = None,
             every: timedelta | None = None, audit_every: timedelta | None = None, limits: Sequence[Limit] = (),
             was: str | tuple[str, ...] = ()) -> Callable[[S], S]:
        """Declare a sync: a class decorator. Raises `DeclarationError` with every fault of the sync and its layers.

        `audit_every`: see docs/audit.md; `was`, what it was called before: docs/renaming.md. (`window`, `every` and
        `limits` are checked and not yet enforced.)
        """
        _check_limits(limits)
        options = SyncOptions(max_concurrent, per_account, window, every, tuple(limits), audit_every, several(was))

        def declare(declared: S) -> S:
            if fault := sync_fault(name, options.was, self.syncs):
                raise DeclarationError(fault)
            self.syncs[name] = definition = audits.declared(self, define(name, declared, options), SYNC_QUEUE)
            declared.requesting = Requesting(definition, self)
            return declared

        return declare

    # Enqueueing and requesting

    def using(self, *, connection: Any) -> "Using":
        """The app's verbs inside the transaction that is open on a connection."""
        return Using(self, connection)

    def enqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        return enqueue(self.store, calls, connection)

    async def aenqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        return await aenqueue(self.store, calls, connection)

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """Enqueue many calls (`task.call(…)`) in one round trip; the jobs come in the order of the calls."""
        return enqueue(self.store, calls)

    # Jobs that wait or run

    def invalidate(self, *tags: str) -> None:
        """Make every job pointless that was enqueued under one of these tags before now, however many there are.

        One row is written per tag. Such a job settles as cancelled (`invalidated`) when its turn comes, unrun.
        """
        carried_out(self.store, *control.invalidation(tags), wake=False)

    def cancel(self, job_id: int, reason: str = "") -> JobState | None:
        """Cancel one job: `CANCELLED` if it waited, `EXECUTING` if it runs and was asked to end, None if neither."""
        return control.cancelled(carried_out(self.store, *control.cancellation(job_id, reason, self.retention(job_id))))

    def retention(self, job_id: int) -> Retention:
        """How long a job is kept once it has ended: as its task says, if this app declares it."""
        row = control.job(self.store, job_id)
        task = self.tasks.get(row.task) if row else None
        return task.rules.retention if task else Retention()

    def requeue(self, job_id: int) -> bool:
        """Put a job that has ended back to available; False if there is none, or its unique key is taken."""
        return bool(carried_out(self.store, *control.requeueing(job_id)))

    def job(self, job_id: int) -> JobRow | None:
        """One job as it stands, whether it waits, runs or has ended; None where there is none (any more)."""
        return control.job(self.store, job_id)

    def pause(self, queue: str) -> None:
        """Let no worker claim from a queue until `resume`."""
        control.pause(self.store, queue)

    def resume(self, queue: str) -> None:
        """End a pause."""
        control.resume(self.store, queue)

    def counts(self) -> list[Count]:
        """How many jobs there are by queue, task and state, from maintained counters, at most 5 seconds late."""
        return control.counts(self.store)

    def periodic(self, name: str, call: Call, *, cron: str | None = None, every: timedelta | None = None,
                 timezone: str = "UTC", missed: Missed = "once") -> None:
        """Enqueue a call (`task.call(…)`) on each tick of a cron line or an interval, once per tick.

        `timezone` is that of the cron line; `missed` says what becomes of ticks at which no scheduler ran (`skip`,
        `once`, `all`). Raises `DeclarationError` with every fault.
        """
        self.periodics[name] = periodic.declare(name, call, cron=cron, every=every, timezone=timezone,
                                                     missed=missed, taken=self.periodics)

    def pause_periodic(self, name: str) -> bool:
        """Let the ticks of a periodic task go by; False if it was paused already. Raises `ConfigurationError`."""
        return periodic.pause(self.store, self.periodics, name)

    def resume_periodic(self, name: str) -> bool:
        """Let a periodic task tick again, from now; False if it was not paused. Raises `ConfigurationError`."""
        return periodic.resume(self.store, self.periodics, name)

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None:
        Requests(self.store).request(requests, connection)

    def approvals(self, sync: str) -> list[Approval]:
        """The deletes of a sync that were withheld, and what was decided of them. Raises `ConfigurationError`."""
        return withheld(self.store, self.definition(sync).name)

    def approve(self, sync: str, *ids: int, by: str, refuse: bool = False) -> list[Approval]:
        """Let the next run delete what was withheld, or (`refuse`) not. Raises `UnknownApproval`, deciding on none."""
        return decided(self.store, self.definition(sync).name, ids, by=by, refuse=refuse)

    # The store

    @property
    def store(self) -> Store:
        """The store, opened on first use. A SQLite store migrates itself; a PostgreSQL store is never migrated here."""
        with self._lock:
            if self._store is None:
                store = self._open()
                if store.migrates_itself:
                    self._made(store)
                self._store = store
            return self._store

    def _made(self, store: Store) -> list[str]:
        """Migrate a store that was just opened; close it again if that cannot be."""
        try:
            return migrate.migrate(store, self.layer_tables)
        except BaseException:
            store.close()
            raise

    def _open(self) -> Store:
        return open_store(self.settings.url, now=self.settings.now, pool_size=self.settings.pool_size,
                          busy_timeout_seconds=self.settings.busy_timeout_seconds)

    @property
    def layer_tables(self) -> list[LayerTable]:
        """The state tables of every layer of every sync."""
        return [table for sync in self.syncs.values() for table in tables(sync)]

    def migrate(self) -> list[str]:
        """Make what the store lacks; return the names of what was made."""
        with self._lock:
            if self._store is not None:
                return migrate.migrate(self._store, self.layer_tables)
            store = self._open()
            made = self._made(store)
            self._store = store
            return made

    def migration_sql(self) -> str:
        """What `migrate` would run, as SQL for a person to read or run; runs none of it."""
        store = self._open()
        try:
            return migrate.script(store, self.layer_tables)
        finally:
            store.close()

    def check(self) -> None:
        """Raise `SchemaMissing` or `SchemaTooNew` unless the store fits this app; a SQLite store is made to fit."""
        if self.store.migrates_itself:
            self.migrate()
        migrate.check(self.store, self.layer_tables)

    # Running

    def worker(self, queues: Mapping[str, int] | None = None) -> Worker:
        """A worker for queues with a number of slots each; without `queues`, for all that the app's tasks name.

        Raises what `check` raises.
        """
        self.check()
        settings = self.settings
        return Worker(self.store, self.tasks, self.events, queues=self.slots(queues),
                      steps={"upkeep": (self.upkeep().step, _REST_SECONDS),
                             "dispatch": (self.dispatcher().step, _REST_BETWEEN_RUNS_SECONDS),
                             "periodic": (self.scheduler().step, _REST_SECONDS)},
                      lease_seconds=settings.lease_seconds, poll_seconds=settings.poll_seconds,
                      grace_seconds=settings.grace_seconds, patience_seconds=settings.patience_seconds,
                      abandoned_limit=settings.abandoned_limit)

    def upkeep(self) -> Upkeep:
        """What stages due jobs and rescues those of lost workers; every worker runs one."""
        return Upkeep(self.store.control, self.events, self.settings.poll_seconds,
                      {name: task.rules.retention for name, task in self.tasks.items()})

    def scheduler(self) -> Scheduler:
        """What enqueues periodic tasks at their ticks; every worker runs one, and each tick gives one job."""
        return Scheduler(self.store.control, self.events, self.periodics, self.settings.poll_seconds)

    def dispatcher(self) -> Dispatcher:
        """What folds requests into runs and admits runs; every worker runs one, and one acts at a time."""
        rooms = {name: Room(sync.options.max_concurrent, sync.options.per_account) for name, sync in self.syncs.items()}
        return Dispatcher(self.store.control, self.events, rooms=rooms, subjects=self._subjects,
                          window_call=self._window.call, every_seconds=self.settings.poll_seconds,
                          renamed={former: name for name, sync in self.syncs.items() for former in sync.options.was})

    def subject(self, sync: str, key: str) -> Subject:
        """One subject as `subjects()` gives it. Raises `UnknownSubject`."""
        found = self._subjects(sync, {key}).get(key)
        if found is None:
            raise UnknownSubject(f"subjects() of {sync} gives no subject {key!r}")
        return found

    def definition(self, sync: str) -> SyncDefinition:
        """A declared sync by its name. Raises `ConfigurationError` with the nearest name."""
        try:
            return self.syncs[sync]
        except KeyError:
            raise ConfigurationError(f"this app declares no sync {sync!r}{did_you_mean(sync, self.syncs)}") from None

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event of this process."""
        self.events.listen(listener)

    def close(self) -> None:
        """Close the store. The app opens it again when it is next needed."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def __enter__(self) -> "Penstock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def slots(self, queues: Mapping[str, int] | None = None) -> dict[str, int]:
        """The slots of a worker, by queue: those given, else some for every queue that the app's tasks name."""
        if queues is not None:
            return dict(queues)
        found = {task.queue: _DEFAULT_SLOTS for task in self.tasks.values() if task.queue != SYNC_QUEUE}
        return {**found, SYNC_QUEUE: _WINDOW_SLOTS} if self.syncs else found

    def _subjects(self, sync: str, keys: set[str]) -> dict[str, Subject]:
        found = {}
        for subject in self.definition(sync).sync.subjects():
            if subject.key in keys:
                found[subject.key] = subject
        return found

    def _serve_run(self, run_id: int) -> None:
        attempt = current.get()
        serve(self.store, self.syncs, self.events, run_id=run_id, job_id=attempt.job.id, lease=attempt.job.lease,
              check=attempt.check, remaining=attempt.remaining)


def _check_limits(limits: Sequence[Limit]) -> None:
    faults = [f"limits: expected Rate or Quota, got {limit!r}" for limit in limits if not isinstance(limit, Limit)]
    if faults:
        raise DeclarationError(faults)


class Using:
    """The app's verbs on a caller's connection: they join its transaction, and are seen by nobody before it commits."""

    def __init__(self, app: Penstock, connection: Any) -> None:
        self._app = app
        self._connection = connection

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """Enqueue many calls in one statement."""
        return self._app.enqueue(calls, self._connection)

    async def aenqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """The same from `async` code."""
        return await self._app.aenqueue(calls, self._connection)

    def invalidate(self, *tags: str) -> None:
        """See `Penstock.invalidate`; it takes effect when the transaction commits."""
        carried_out(self._app.store, *control.invalidation(tags), self._connection)

    async def ainvalidate(self, *tags: str) -> None:
        """The same from `async` code."""
        await acarried_out(self._app.store, *control.invalidation(tags), self._connection)

    def cancel(self, job_id: int, reason: str = "") -> JobState | None:
        """See `Penstock.cancel`."""
        ask = control.cancellation(job_id, reason, self._app.retention(job_id))
        return control.cancelled(carried_out(self._app.store, *ask, self._connection))

    async def acancel(self, job_id: int, reason: str = "") -> JobState | None:
        """The same from `async` code."""
        ask = control.cancellation(job_id, reason, self._app.retention(job_id))
        return control.cancelled(await acarried_out(self._app.store, *ask, self._connection))
