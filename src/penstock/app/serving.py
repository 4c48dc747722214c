"""What serves an app's work: workers and the loops of the control plane, each made from what was declared."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from penstock.admission.dispatcher import Dispatcher
from penstock.alerts.watch import LOOK_SECONDS
from penstock.app.advising import Advising
from penstock.app.declaring import SYNC_QUEUE
from penstock.app.journaling import prune_journal
from penstock.domain.limits import Window
from penstock.domain.pools import Pool
from penstock.domain.retry import RetryPolicy
from penstock.limits.rows import prune
from penstock.observe.retention import prune as prune_traces
from penstock.queue.attempt import current
from penstock.queue.task import Task
from penstock.schedule.history import History
from penstock.schedule.periodic import Scheduler
from penstock.schedule.turn import every
from penstock.schedule.upkeep import Upkeep
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.permits import RunPermits
from penstock.sync.declaring.time_left import TimeLeft
from penstock.sync.serving.snapshots import Snapshots
from penstock.sync.window.serve import serve
from penstock.worker.processes import Recycling, cores
from penstock.worker.supervisor import Worker
from penstock.worker.timebox import TimeBox

_WINDOW_TASK = "penstock.window"
WINDOW_SLOTS = 4
_DEFAULT_SLOTS = 10
_REST_SECONDS = 0.25
_PRUNE_SECONDS, _LIMITS_SECONDS, _TRACES_SECONDS, _JOURNAL_SECONDS = 60.0, 600.0, 600.0, 3600.0
_REST_BETWEEN_RUNS_SECONDS = 0.01  # where one run at a time is allowed, each waits for the step that admits it


class Serving(Advising):
    """Makes workers, and what each of them runs besides jobs."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._snapshots = Snapshots()
        self._window: Task[[int], None] = self.task(
            name=_WINDOW_TASK, queue=SYNC_QUEUE, retry=RetryPolicy(max_attempts=10))(self._serve_run)

    def worker(self, queues: Mapping[str, int] | None = None, *, window: Window | None = None,
               began: float | None = None, grace_seconds: float | None = None) -> Worker:
        """A worker for queues with a number of slots each; without `queues`, for all that the app's tasks name.

        A host that ends its processes after a while gives a `window`: see docs/hosts.md. It `began` at a moment of the
        app's `monotonic`, or begins now. `grace_seconds` is how long a stop may take, if not what the settings say.
        Raises what `check` raises.
        """
        box = None if window is None else TimeBox.of(window, self.monotonic() if began is None else began)
        self.check()
        settings = self.settings
        dispatcher = self.dispatcher()
        return Worker(self.store, self.tasks, self.events, queues=self.slots(queues),
                      steps=self._steps(dispatcher), freed=dispatcher.expect,
                      lease_seconds=settings.lease_seconds, poll_seconds=settings.poll_seconds,
                      grace_seconds=settings.grace_seconds if grace_seconds is None else grace_seconds,
                      box=box, monotonic=self.monotonic, patience_seconds=settings.patience_seconds,
                      abandoned_limit=settings.abandoned_limit, tracer=self.tracer(),
                      recycling=Recycling(settings.process_max_jobs, settings.process_max_memory_mb))

    def _steps(self, dispatcher: Dispatcher) -> dict[str, tuple[Callable[[], float], float]]:
        """The loops of a worker beside its claims, each with the seconds for which it rests after a step."""
        steps = {"periodic": (self.scheduler().step, _REST_SECONDS), "upkeep": (self.upkeep().step, _REST_SECONDS),
                 "dispatch": (dispatcher.rested_step, _REST_BETWEEN_RUNS_SECONDS)}
        if self._receivers:
            steps["alerts"] = (self.alert_telling().step, _REST_SECONDS)
        return steps

    def upkeep(self) -> Upkeep:
        """What stages due jobs, rescues those of lost workers and keeps history; every worker runs one."""
        store = self.store.control
        history = History(store, timedelta(days=self.settings.runs_kept_days))
        watch, kept = self.alert_watch(), timedelta(days=self.settings.traces_kept_days)
        now_and_then = [every(LOOK_SECONDS, watch.look), every(_PRUNE_SECONDS, watch.prune),
                        every(_LIMITS_SECONDS, lambda: prune(store)),
                        every(_TRACES_SECONDS, lambda: prune_traces(store, kept)),
                        every(_JOURNAL_SECONDS, lambda: prune_journal(store, self.settings.journal_kept_days))]
        return Upkeep(store, self.events, self.settings.poll_seconds,
                      {name: task.rules.retention for name, task in self.tasks.items()},
                      also=[history.step, *now_and_then])

    def prune(self) -> Iterator[tuple[str, int]]:
        """Remove now what is past its time, as upkeep does every minute or so; step by step, each a batch: of what, and
        how many of it. Whoever stops in between has what was done by then."""
        store = self.store.control
        yield from self.upkeep().pruning()
        history = History(store, timedelta(days=self.settings.runs_kept_days))
        while removed := history.prune():
            yield "runs", removed
        prune(store)
        yield "traces", prune_traces(store, timedelta(days=self.settings.traces_kept_days))

    def scheduler(self) -> Scheduler:
        """What enqueues periodic tasks at their ticks; every worker runs one, and each tick gives one job."""
        return Scheduler(self.store.control, self.events, self.periodics, self.settings.poll_seconds)

    def dispatcher(self, *, syncs: bool = True) -> Dispatcher:
        """What folds requests into runs and admits runs and keyed jobs (without `syncs`, those alone); every worker
        runs one, and one acts at a time."""
        return Dispatcher(self.store.control, self.events, rooms=self.rooms() if syncs else {}, subjects=self._subjects,
                          window_call=self._window.call, every_seconds=self.settings.poll_seconds,
                          lease_seconds=self.settings.lease_seconds,
                          renamed={former: name for name, sync in self.syncs.items() if syncs
                                   for former in sync.options.was},
                          keyed=lambda: any(task.keyed for task in self.tasks.values()),
                          keep_ms=lambda: {name: task.rules.retention.keep_ms("cancelled", 0)
                                           for name, task in self.tasks.items()})

    def slots(self, queues: Mapping[str, int] | None = None) -> dict[str, int]:
        """The slots of a worker, by queue: those given, else some for every queue that the app's tasks name: as many as
        there are cores for one whose tasks all run in processes."""
        if queues is not None:
            return dict(queues)
        pools: dict[str, set[Pool]] = {}
        for task in self.tasks.values():
            if task.queue != SYNC_QUEUE:
                pools.setdefault(task.queue, set()).add(task.pool)
        found = {queue: cores() if kinds == {Pool.PROCESSES} else _DEFAULT_SLOTS for queue, kinds in pools.items()}
        return {**found, SYNC_QUEUE: WINDOW_SLOTS} if self.syncs else found

    def _serve_run(self, run_id: int) -> None:
        """Serve the run that the job was admitted for; which that is, its row says as well."""
        attempt = current.get()
        attempt.served = serve(
            self.store, self.syncs, self.events, job_id=attempt.job.id, lease=attempt.job.lease, check=attempt.check,
            remaining=attempt.remaining, until=attempt.until, monotonic=self.monotonic, snapshots=self._snapshots,
            permits=self._run_permits)

    def _run_permits(self, definition: SyncDefinition, account: str, check: Callable[[], None],
                     left: TimeLeft) -> RunPermits:
        """What the calls of a run spend: one of every limit of its sync, and the way through its account's gate."""
        keyed = self.declared.keyed(definition.options.limits, definition.name, {"account": account})
        return RunPermits(self.spending, definition.name, account, keyed, check, left)
