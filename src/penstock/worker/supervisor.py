"""The worker: starts the loops and pools, gives claimed jobs to slots, and stops softly.

The control plane (heartbeat, claim, settle, watch, upkeep, dispatch) runs on threads of its own, so that a task which
holds every slot, or blocks the event loop, delays no heartbeat.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

from penstock.domain.errors import ConfigurationError, StoreError
from penstock.domain.jobs import Outcome
from penstock.domain.pools import Pool
from penstock.events import JobsRescued, LoopFailed, WorkerExhausted, WorkerReplaced, WorkerStarted, WorkerStopped
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.claim import leases_held, release
from penstock.store.port import Store, Watch
from penstock.worker.claiming import LOOK_REST_SECONDS, Claiming
from penstock.worker.deciding import Decision
from penstock.worker.delivery import Delivery
from penstock.worker.executor import Executor, Tasks
from penstock.worker.gathering import Chunks, Gathering
from penstock.worker.inline import registered
from penstock.worker.lane import JobPool, Lane, slots_faults
from penstock.worker.loop import Loop
from penstock.worker.memory import resident_bytes
from penstock.worker.pools import EventLoop, LoopPool, ThreadPool
from penstock.worker.processes import ProcessPool, Recycling
from penstock.worker.processes.naming import being_imported, module_of, task_fault
from penstock.worker.settling import Ended, Settling
from penstock.worker.showing import Place
from penstock.worker.timebox import Monotonic, TimeBox, given_up_at
from penstock.worker.traced import Tracer
from penstock.worker.watching import Watching

Step = Callable[[], float]
_LOOK_SECONDS = 0.01  # how often a worker that stops looks whether anything still runs
_SHARE = 20  # what looks among dead rows may take is a twentieth of the time


class Worker:
    """Serves queues with a number of slots each. Start and stop may be called any number of times.

    `steps` are further loops of the control plane, by name: each a function that does one step and returns the
    seconds until the next is due, and the seconds for which it leaves the claim alone after a step. `exhausted` is set
    when `abandoned_limit` attempts had to be abandoned: the worker claims nothing more, and whoever supervises it is to
    stop it and start another.

    `freed` is called when keyed jobs have ended, before the step `dispatch` is hurried: their places are free.

    With a `box` of the clock `monotonic` it claims nothing once that may not be begun, and sets `over`: whoever
    supervises it is to stop it, which lets what runs go on until the box says so, and ends before the box does.
    """

    def __init__(self, store: Store, tasks: Tasks, events: Events, *, queues: Mapping[str, int],
                 steps: Mapping[str, tuple[Step, float]], lease_seconds: float, poll_seconds: float,
                 grace_seconds: float, patience_seconds: float = 5.0, abandoned_limit: int = 10,
                 box: TimeBox | None = None, monotonic: Monotonic = time.monotonic,
                 freed: Callable[[], object] = lambda: None, tracer: Tracer | None = None,
                 recycling: Recycling | None = None) -> None:
        self._store = control = store.control
        self._events = events
        apart = [task for task in tasks.values() if task.pool is Pool.PROCESSES]
        faults = [fault for queue, slots in queues.items() for fault in slots_faults(queue, slots)]
        if faults := faults + [fault for task in apart if (fault := task_fault(task))]:
            raise ConfigurationError(faults)
        self._queues = dict(queues)
        self._lease_seconds = lease_seconds
        self._grace_seconds = grace_seconds
        self._abandoned_limit = abandoned_limit
        self.exhausted = threading.Event()
        self.when_exhausted: Callable[[], object] = lambda: None
        self._box = box
        self._freed = freed
        self._monotonic = monotonic
        self._poll_seconds = poll_seconds
        self.over = threading.Event()
        self.when_over: Callable[[], object] = lambda: None
        self.given_back = 0
        self._hurried = False
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._noticed = False
        self._unknown: set[int] = set()
        self._state = "new"
        self._identity: Identity | None = None
        asked: set[int] = set()
        self._watching = Watching(control, tasks, events, running=self._running, abandon=self._abandon, asked=asked,
                                  poll_seconds=poll_seconds, patience_seconds=patience_seconds,
                                  gathered=lambda: self._claiming.gathers(), places=self._places,
                                  worker_id=lambda: self._current().worker_id)
        self._tasks = tasks
        self._delivery = Delivery(store)  # on the thread of a slot, which must not take a loop's connection
        executor = Executor(tasks, events, delivery=self._delivery, watch=self._watching.watch, asked=asked)
        self._event_loop = EventLoop()

        def made(slots: int, kind: Pool) -> JobPool:
            if kind is Pool.LOOP:
                return LoopPool(slots, self._event_loop, executor, self._finished, tracer)
            if kind is Pool.PROCESSES:
                return ProcessPool(slots, executor, self._finished, tracer, events=events,
                                   recycling=recycling or Recycling(),
                                   modules={task.name: module_of(task.function) or "" for task in apart})
            return ThreadPool(slots, executor, self._finished, tracer)

        def gathering() -> Gathering:
            return Gathering(lambda *group: self._claiming.called(*group), monotonic)

        self._lanes = {queue: Lane(queue, slots, made, gathering()) for queue, slots in queues.items()}
        self._settling = Settling(control, events, self._settled)
        self._delivery.told = self._settling.heard
        self._claiming = Claiming(control, self._lanes, executor.pool_of, Decision(tasks, events), self._settling,
                                  identity=self._current, stopping=self._stopping, poll_seconds=poll_seconds,
                                  asked=asked, chunks=Chunks(tasks), load=self._delivery.cursor, box=box,
                                  monotonic=monotonic)
        self._heartbeat = Loop("heartbeat", self._renew, events)
        self._settle_loop = Loop("settle", self._settling.step, events)
        self._reclaim_loop = Loop("reclaim", self._reclaim, events)
        self._watch_loop = Loop("watch-attempts", self._watching.step, events)
        self._watching.wake = self._watch_loop.wake
        self._settling.wake = self._settle_loop.wake
        self._claim_loop = Loop("claim", self._claim, events)
        self._woken = [Loop(name, step, events, rest_seconds=rest) for name, (step, rest) in steps.items()]
        self._dispatch = next((loop for loop in self._woken if loop.name == "dispatch"), None)
        if control.dead_rows_linger:
            self._woken.append(Loop("stragglers", self._claiming.look, events, rest_seconds=LOOK_REST_SECONDS))
            self._claiming.wake = self._claim_loop.wake
        if box is not None:
            self._woken.append(Loop("time-box", lambda: self._look_at(box), events))
        self._watch: Watch | None = None

    def start(self) -> None:
        if (module := being_imported()) is not None:
            raise ConfigurationError(f"{module} starts a worker where it is imported, and a worker's child processes"
                                     ' import it: do that under `if __name__ == "__main__":`')
        with self._lock:
            if self._state != "new":
                return
            self._state = "running"
        try:
            self._identity = self._register()
        except BaseException:
            self._state = "new"
            raise
        for loop in (self._heartbeat, self._settle_loop, self._reclaim_loop, self._watch_loop, self._claim_loop,
                     *self._woken):
            loop.start()
        self._watch = self._store.watch(self.wake)
        self._events.emit(WorkerStarted(worker_id=self._identity.worker_id, queues=self._queues))

    def wake(self) -> None:
        """There may be work: look now. The claim goes first, and then wakes the others."""
        self._noticed = True
        self._claim_loop.wake()

    def _claim(self) -> float:
        try:
            return self._claiming.step()
        finally:
            if self._noticed:
                self._noticed = False
                for loop in (self._watch_loop, *self._woken):
                    loop.wake()

    def _look_at(self, box: TimeBox) -> float:
        """Whether it is too late to begin anything; the seconds until it is worth a look again."""
        left = box.begin_until - self._monotonic()
        if left > 0:
            return min(left, self._poll_seconds)
        if not self.over.is_set():
            self._claiming.closed = True
            self.over.set()
            self.when_over()
        return self._poll_seconds

    def hurry(self) -> None:
        """Have a stop that lets work go on tell it to end at once. It may be called in a signal handler."""
        self._hurried = True

    def stop(self) -> None:
        """Claim nothing more, let what runs come to a checkpoint or its end for as long as the grace allows, and give
        back the rest. Where the box is `over`, what runs may go on until the box says so."""
        with self._lock:
            if self._state != "running":
                self._state = "stopped"
                return
            self._state = "stopped"
        assert self._identity is not None
        self._claiming.closed = True  # or what is told to stop would be claimed again
        if not self.over.is_set():
            self._stopping.set()
        if self._watch is not None:
            self._watch.close()
        for loop in (self._reclaim_loop, self._claim_loop, *self._woken):
            loop.close()
        unbegun = [attempt for lane in self._lanes.values() for attempt in lane.withdraw()]
        self._give_back(unbegun)
        if self._box is not None and not self._stopping.is_set():
            self._wait_for(self._box.until, hurried=lambda: self._hurried)
            self._stopping.set()
        ends_at = self._ends_at()
        self._wait_for(given_up_at(self._monotonic(), ends_at))
        left = self._running()
        self.given_back = sum(len(attempt.claimed) for attempt in left)
        self._tidy(lambda: self._settling.save(left))
        self._give_back(left)
        self._settle_loop.wake()
        self._settling.drain(max(ends_at - self._monotonic(), 0.1))
        self._event_loop.close()
        for lane in self._lanes.values():
            lane.close()
        for loop in (self._watch_loop, self._settle_loop, self._heartbeat):
            loop.close()
        worker_id = self._identity.worker_id
        self._tidy(lambda: self._store.write(lambda tx: tx.execute("worker_stop", {"worker_id": worker_id})))
        self._store.wake()
        self._events.emit(WorkerStopped(worker_id=worker_id, given_back=self.given_back))

    def _wait_for(self, until: float, hurried: Callable[[], bool] = lambda: False) -> None:
        """Wait while anything runs. Slots do not tell that they are free: every job would pay for that."""
        while self._running() and self._monotonic() < until and not hurried():
            time.sleep(_LOOK_SECONDS)

    def _ends_at(self) -> float:
        """When what was told to stop has had its time."""
        grace = self._monotonic() + self._grace_seconds
        if self._box is None:
            return grace
        return self._box.ends_at if self.over.is_set() else min(grace, self._box.ends_at)

    def _give_back(self, attempts: list[Attempt]) -> None:
        if attempts:
            jobs = [(job.id, job.lease) for attempt in attempts for job in attempt.claimed]
            self._tidy(lambda: release(self._store, jobs))

    def _tidy(self, step: Callable[[], object]) -> None:
        """Do what spares others a wait. Where the store is away, the lease runs out and they rescue what is left."""
        try:
            step()
        except StoreError as error:
            self._events.emit(LoopFailed(loop="stop", error=f"{type(error).__name__}: {error}"))

    def _register(self) -> Identity:
        name = f"{socket.gethostname()}:{os.getpid()}"
        asked_at = time.monotonic()
        worker_id = self._store.write(lambda tx: registered(tx, name, self._lease_ms, self._queues))
        return Identity(worker_id, asked_at + self._lease_seconds)

    @property
    def _lease_ms(self) -> int:
        return round(self._lease_seconds * 1000)

    def _renew(self) -> float:
        """Renew the worker's one row; where it is gone, its jobs are too, and it begins again as another worker."""
        identity = self._identity
        assert identity is not None
        asked_at = time.monotonic()
        params = {"worker_id": identity.worker_id, "lease_ms": self._lease_ms, "rss_bytes": resident_bytes()}
        if self._store.write(lambda tx: tx.execute("worker_renew_telling", params)):
            identity.valid_until = asked_at + self._lease_seconds
        else:
            identity.lost = True
            self._identity = self._register()
            self._events.emit(WorkerReplaced(lost_id=identity.worker_id, worker_id=self._identity.worker_id))
        return self._lease_seconds / 3

    def _current(self) -> Identity:
        assert self._identity is not None
        return self._identity

    def _running(self) -> list[Attempt]:
        return [attempt for lane in self._lanes.values() for attempt in lane.running()]

    def _places(self) -> list[Place]:
        return [place for lane in self._lanes.values() for place in lane.places()]

    def _reclaim(self) -> float:
        """Give back what the store says that this worker runs, and the worker does not know of.

        Such is a claim that was committed while its answer was lost: nobody runs it, and nobody rescues it either,
        since the worker lives. A claim is known a moment after its commit, so only what is met twice counts.
        """
        identity = self._identity
        assert identity is not None
        began = time.monotonic()
        found = leases_held(self._store, identity.worker_id)
        unknown = {lease for lease in found if not self._settling.knows(lease)}
        if lost := unknown & self._unknown:
            jobs = [(id, lease) for lease in lost for id in found[lease]]
            stale = release(self._store, jobs, sorted(lost))
            if len(jobs) > len(stale):
                self._events.emit(JobsRescued(available=len(jobs) - len(stale), discarded=0))
            self.wake()
        self._unknown = unknown - lost
        return max(self._lease_seconds / 3, (time.monotonic() - began) * _SHARE)

    def _finished(self, attempt: Attempt, outcome: Outcome) -> None:
        """On the thread of the slot, once per job: whatever stands here every job pays for."""
        self._settling.add(attempt, outcome)
        self._settle_loop.wake()
        lane = self._lanes[attempt.job.queue]
        if lane.full and lane.low:
            self._claim_loop.wake()

    def _settled(self, batch: list[Ended]) -> None:
        """On the settle loop, once per batch: what has ended makes room."""
        by_lane: dict[str, list[float]] = {}
        for attempt, outcome in batch:
            if attempt.pool is not None and not outcome.late:
                found = by_lane.get(attempt.job.queue)
                if found is None:
                    found = by_lane[attempt.job.queue] = [0.0] * (len(Pool) + 1)
                found[attempt.pool] += 1
                found[-1] += outcome.took_ms / 1000
        for queue, (*counts, seconds) in by_lane.items():
            self._lanes[queue].settled([int(count) for count in counts], seconds)
        self._settling.busy = any(lane.full for lane in self._lanes.values())
        if any(self._lanes[queue].full or self._lanes[queue].mixed for queue in by_lane):
            self._claim_loop.wake()
        told, self._settling.told = self._settling.told, False
        if self._dispatch is not None and (
                told or any(map(self._is_keyed, {attempt.job.task for attempt, _ in batch}))):
            self._freed()
            self._dispatch.hurry()  # others wait for these, or for the places that they held

    def _is_keyed(self, task: str) -> bool:
        found = self._tasks.get(task)
        return found is not None and found.keyed is not None

    def _abandon(self, attempt: Attempt, outcome: Outcome) -> None:
        task = self._tasks.get(attempt.job.task)
        if task is not None and task.rules.careful:
            outcome = self._delivery.end(attempt, task, outcome)  # first: what is killed settles as well
        self._lanes[attempt.job.queue].replace(attempt)
        self._settling.add(attempt, outcome)
        self._settle_loop.wake()
        if self._watching.abandoned >= self._abandoned_limit and not self.exhausted.is_set():
            assert self._identity is not None
            self._claiming.closed = True
            self.exhausted.set()
            self._events.emit(WorkerExhausted(worker_id=self._identity.worker_id, abandoned=self._watching.abandoned))
            self.when_exhausted()
