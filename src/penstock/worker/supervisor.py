"""The worker: starts the loops and pools, gives claimed jobs to slots, and stops softly.

The control plane (heartbeat, claim, settle, upkeep, dispatch) runs on threads of its own, so that a task which
holds every slot, or blocks the event loop, delays no heartbeat.
"""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from penstock.domain.errors import StoreError
from penstock.domain.jobs import Settled
from penstock.events import Events, JobsRescued, LoopFailed, WorkerReplaced, WorkerStarted, WorkerStopped
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.claim import claim, held, release
from penstock.store.port import Store, Watch
from penstock.worker.executor import Executor, Tasks
from penstock.worker.loop import Loop
from penstock.worker.pools import LoopPool, ThreadPool
from penstock.worker.settling import Settling

Step = Callable[[], float]


class Worker:
    """Serves queues with a number of slots each. Start and stop may be called any number of times.

    `steps` are further loops of the control plane, by name: each a function that does one step and returns the
    seconds until the next is due.
    """

    def __init__(self, store: Store, tasks: Tasks, events: Events, *, queues: Mapping[str, int],
                 steps: Mapping[str, Step], lease_seconds: float, poll_seconds: float, grace_seconds: float) -> None:
        self._store = store
        self._events = events
        self._queues = dict(queues)
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._grace_seconds = grace_seconds
        self._executor = Executor(tasks, events)
        self._settling = Settling(store, events)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._running: dict[tuple[int, int], Attempt] = {}  # by job and lease: a job may be claimed again meanwhile
        self._unknown: set[tuple[int, int]] = set()
        self._state = "new"
        self._identity: Identity | None = None
        self._heartbeat = Loop("heartbeat", self._renew, events)
        self._settle_loop = Loop("settle", self._settling.step, events)
        self._reclaim_loop = Loop("reclaim", self._reclaim, events)
        self._claim_loop = Loop("claim", self._claim, events)
        self._taking = [self._claim_loop, *(Loop(name, step, events) for name, step in steps.items())]
        self._watch: Watch | None = None

    def start(self) -> None:
        with self._lock:
            if self._state != "new":
                return
            self._state = "running"
        try:
            self._identity = self._register()
        except BaseException:
            self._state = "new"
            raise
        self._threads = ThreadPool(sum(self._queues.values()), self._executor, self._finished)
        self._event_loop = LoopPool(self._executor, self._finished)
        for loop in (self._heartbeat, self._settle_loop, self._reclaim_loop, *self._taking):
            loop.start()
        self._watch = self._store.watch(self.wake)
        self._events.emit(WorkerStarted(worker_id=self._identity.worker_id, queues=self._queues))

    def wake(self) -> None:
        """There may be work: look now."""
        for loop in self._taking:
            loop.wake()

    def stop(self) -> None:
        """Claim nothing more, wait for what runs as long as the grace allows, and give back the rest."""
        with self._lock:
            if self._state != "running":
                self._state = "stopped"
                return
            self._state = "stopped"
        assert self._identity is not None
        self._stopping.set()
        if self._watch is not None:
            self._watch.close()
        for loop in (self._reclaim_loop, *self._taking):
            loop.close()
        with self._idle:
            self._idle.wait_for(lambda: not self._running, self._grace_seconds)
            left = list(self._running)
        if left:
            self._tidy(lambda: release(self._store, left))
        self._settle_loop.wake()
        self._settling.drain(self._grace_seconds)
        self._threads.close()
        self._event_loop.close()
        for loop in (self._settle_loop, self._heartbeat):
            loop.close()
        worker_id = self._identity.worker_id
        self._tidy(lambda: self._store.write(lambda tx: tx.execute("worker_stop", {"worker_id": worker_id})))
        self._store.wake()
        self._events.emit(WorkerStopped(worker_id=worker_id, given_back=len(left)))

    def _tidy(self, step: Callable[[], object]) -> None:
        """Do what spares others a wait. Where the store is away, the lease runs out and they rescue what is left."""
        try:
            step()
        except StoreError as error:
            self._events.emit(LoopFailed(loop="stop", error=f"{type(error).__name__}: {error}"))

    def _register(self) -> Identity:
        name = f"{socket.gethostname()}:{os.getpid()}"
        asked_at = time.monotonic()
        row = self._store.write(lambda tx: tx.row("worker_start", {"name": name, "lease_ms": self._lease_ms}))
        assert row is not None
        return Identity(row[0], asked_at + self._lease_seconds)

    @property
    def _lease_ms(self) -> int:
        return round(self._lease_seconds * 1000)

    def _renew(self) -> float:
        """Renew the worker's one row; where it is gone, its jobs are too, and it begins again as another worker."""
        identity = self._identity
        assert identity is not None
        asked_at = time.monotonic()
        params = {"worker_id": identity.worker_id, "lease_ms": self._lease_ms}
        if self._store.write(lambda tx: tx.execute("worker_renew", params)):
            identity.valid_until = asked_at + self._lease_seconds
        else:
            identity.lost = True
            self._identity = self._register()
            self._events.emit(WorkerReplaced(lost_id=identity.worker_id, worker_id=self._identity.worker_id))
        return self._lease_seconds / 3

    def _claim(self) -> float:
        identity = self._identity
        assert identity is not None
        with self._lock:
            used = Counter(attempt.job.queue for attempt in self._running.values())
        room = {queue: slots - used[queue] for queue, slots in self._queues.items() if slots > used[queue]}
        if not room or self._stopping.is_set():
            return self._poll_seconds
        claimed = claim(self._store, identity.worker_id, room)
        for job in claimed:
            attempt = Attempt(job, identity, self._stopping)
            with self._lock:
                self._running[job.id, job.lease] = attempt
            if self._executor.is_async(job.task):
                self._event_loop.submit(attempt)
            else:
                self._threads.submit(attempt)
        return 0.0 if claimed else self._poll_seconds

    def _reclaim(self) -> float:
        """Give back what the store says that this worker runs, and the worker does not know of.

        Such is a claim that was committed while its answer was lost: nobody runs it, and nobody rescues it either,
        since the worker lives. A claim is known a moment after its commit, so only what is met twice counts.
        """
        identity = self._identity
        assert identity is not None
        found = held(self._store, identity.worker_id)
        with self._lock:
            known = set(self._running)
        unknown = found - known - self._settling.waiting()
        if lost := unknown & self._unknown:
            stale = release(self._store, lost)
            self._events.emit(JobsRescued(available=len(lost) - len(stale), discarded=0))
            self.wake()
        self._unknown = unknown - lost
        return self._lease_seconds / 3

    def _finished(self, attempt: Attempt, row: Settled) -> None:
        self._settling.add(row)
        self._settle_loop.wake()
        with self._idle:
            self._running.pop((attempt.job.id, attempt.job.lease), None)
            self._idle.notify_all()
        self._claim_loop.wake()
