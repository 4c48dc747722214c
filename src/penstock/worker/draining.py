"""Drain: what a worker does, for no longer than a host gives, in a process that nobody serves otherwise.

The caller's thread is the control plane: it takes the steps of upkeep, dispatcher and scheduler, claims, and settles.
When `run` has returned, no slot runs, no lease is held and no row of a worker is left, unless the store went away.
"""

import contextlib
import os
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from penstock.domain.errors import Limited, StoreError
from penstock.domain.jobs import Claimed, Outcome
from penstock.events import LoopFailed
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.claim import LOWEST, claim_queue
from penstock.queue.control import fold_counts
from penstock.store.port import Store
from penstock.worker.chunked import ended_by
from penstock.worker.deciding import Decision
from penstock.worker.delivery import Delivery
from penstock.worker.executor import Executor, Tasks
from penstock.worker.gathering import Chunks, Gathering
from penstock.worker.inline import Registration
from penstock.worker.loop import Loop
from penstock.worker.settling import Ended, Settling
from penstock.worker.slots import Beside, Here, Slots
from penstock.worker.timebox import Monotonic, TimeBox, given_up_at
from penstock.worker.traced import Tracer
from penstock.worker.watching import Watching

Step = Callable[[], float]

_STEPS_SECONDS = 0.1  # how often the steps are taken while there is work without them
_LOOK_SECONDS = 0.25  # how often it is looked around while slots are at work
_MARKS_SECONDS = 1.0
_AGAIN_SECONDS, _MOST_AGAIN = 0.05, 3
_AHEAD_SECONDS, _MOST_AHEAD, _WEIGHT = 0.05, 200, 0.2
_LEAST_MS = 5
_LASTING_SECONDS = 0.5  # from then on a body in the caller's thread is looked after from beside
_LIMITED = Limited.__name__  # it was put off until there is a permit, and has not run


class Drain:
    """Serves queues until nothing is due, the box says so, or somebody sets `stopping`. Used once.

    `steps` are those of a worker. `waiting` says whether there is work that might be served now: where it is only that
    somebody else dispatches just then, it is worth another look.
    """

    def __init__(self, store: Store, tasks: Tasks, events: Events, *, queues: Sequence[str], slots: int, box: TimeBox,
                 monotonic: Monotonic, steps: Mapping[str, Step], waiting: Callable[[], bool], lease_seconds: float,
                 poll_seconds: float, grace_seconds: float, patience_seconds: float,
                 stopping: threading.Event | None = None, tracer: Tracer | None = None) -> None:
        self._store = control = store.control
        self._tasks = tasks
        self._events = events
        self._queues = deque(queues)
        self._box = box
        self._monotonic = monotonic
        self._steps = steps
        self._waiting = waiting
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._grace_seconds = grace_seconds
        self._asked = threading.Event() if stopping is None else stopping
        self._stopping = threading.Event()
        self._registration = Registration(control, f"{socket.gethostname()}:{os.getpid()} (drain)", queues)
        self._identity = Identity(0, 0.0)
        self._delivery = Delivery(store)
        asked: set[int] = set()
        self._slots: Slots
        self._watching = Watching(control, tasks, events, running=lambda: self._slots.running(),
                                  abandon=self._abandon, asked=asked, poll_seconds=poll_seconds,
                                  patience_seconds=patience_seconds, places=lambda: self._slots.places(),
                                  worker_id=lambda: self._identity.worker_id)
        self._beside: Loop | None = None
        if slots > 1:
            executor = Executor(tasks, events, delivery=self._delivery, watch=self._watching.watch, asked=asked)
            self._slots = Beside(slots, executor, self._finished, tracer)
        else:
            self._slots = Here(Executor(tasks, events, delivery=self._delivery, asked=asked), self._finished, tracer)
            self._stopping = self._asked  # nobody is there to pass it on while a body runs
            self._beside = Loop("watch-attempts", self._look_aside, events)
        self._heartbeat = Loop("heartbeat", self._renew, events) if slots > 1 else None
        self._decision = Decision(tasks, events)
        self._settling = Settling(control, events, self._settled)
        self._chunks = Chunks(tasks)
        self._gathering = Gathering(self._called)
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._running: dict[int, Attempt] = {}
        self._claimed: deque[Attempt] = deque()
        self._marks: dict[str, tuple[int, int]] = {}
        self._marks_at = self._steps_at = self._told_at = 0.0
        self._means: dict[str, float] = {}
        self._soonest = poll_seconds
        self.served = 0

    def run(self) -> None:
        """Serve what is due, and settle it."""
        self._renew()
        try:
            for loop in (self._heartbeat, self._beside):
                if loop is not None:
                    loop.start()
            self._serve()
            self._drop_claimed()
            while self._under_way and self._monotonic() < self._box.until and not self._asked.is_set():
                self._look_after(_LOOK_SECONDS)
        finally:
            self._leave()

    @property
    def _under_way(self) -> int:
        return len(self._running)

    def _serve(self) -> None:
        again = 0
        while self._may_begin():
            begun = self._began() if self._stepped_lately() else 0
            if not begun:
                self._take_steps()
                begun = self._began()
            if begun or self._under_way:
                again = 0
                full = self._under_way >= self._slots.size
                self._look_after(min(self._soonest, _LOOK_SECONDS) if full or not begun else 0.0)
            elif self._soonest < self._poll_seconds and self._time_passes():
                self._look_after(self._soonest)
            elif again < _MOST_AGAIN and self._waiting():
                again += 1
                self._look_after(_AGAIN_SECONDS)
            else:
                return

    def _may_begin(self) -> bool:
        return self._monotonic() < self._box.begin_until and not self._asked.is_set()

    def _stepped_lately(self) -> bool:
        return time.monotonic() - self._steps_at < _STEPS_SECONDS

    def _take_steps(self) -> None:
        """One pass of upkeep, dispatcher and scheduler. What user code raises there ends no drain."""
        if self._heartbeat is None:
            self._renew()
        soonest = self._poll_seconds
        for name, step in self._steps.items():
            try:
                while not (wait := step()) and self._may_begin():
                    pass
            except StoreError:
                raise
            except Exception as error:
                self._events.emit(LoopFailed(loop=name, error=f"{type(error).__name__}: {error}"))
                wait = self._poll_seconds
            soonest = min(soonest, max(wait, _LEAST_MS / 1000))
        self._soonest = soonest
        self._steps_at = time.monotonic()

    def _time_passes(self) -> bool:
        """Whether waiting makes anything due: not by a clock of the store's that stands still."""
        before = self._now()
        time.sleep(_LEAST_MS / 1000)
        return self._now() > before

    def _now(self) -> int:
        row = self._store.read(lambda tx: tx.row("now"))
        assert row is not None
        return int(row[0])

    # Claiming

    def _began(self) -> int:
        """Claim what there is room for, and begin it; how many attempts were begun, or found to be pointless."""
        begun = self._begin()
        for _ in range(len(self._queues)):
            self._queues.rotate(-1)
            room = self._slots.size - self._under_way
            if room <= 0 or self._claimed or not self._may_begin():
                break
            begun += self._claim(self._queues[-1], room) + self._begin()
        return begun

    def _begin(self) -> int:
        begun = 0
        while self._claimed and self._under_way < self._slots.size and self._may_begin():
            attempt = self._claimed.popleft()
            self._running[id(attempt)] = attempt
            begun += 1
            self._slots.begin(attempt)
        return begun

    def _claim(self, name: str, room: int) -> int:
        """Claim for so many free slots, and 50 ms of work beyond; how many of those jobs need not run any more."""
        mean = self._means.get(name)
        ahead = 0 if mean is None else min(int(room * _AHEAD_SECONDS / max(mean, 1e-6)), _MOST_AHEAD)
        claimed = self._found(name, room + ahead)
        pointless = self._take(claimed)
        while (claimed and claimed[-1].more and len(self._claimed) < room + ahead
               and (missing := self._gathering.missing())):
            claimed = self._found(name, missing)
            pointless += self._take(claimed)
        self._claimed.extend(self._gathering.rest())  # of what does not come now, nobody knows whether it comes at all
        return pointless

    def _take(self, claimed: list[Claimed]) -> int:
        """Have what was claimed wait for its slot; how many of these jobs need not run any more."""
        pointless = 0
        chunks = self._chunks.current()
        for job in claimed:
            if chunks and job.stale is None and (chunk := chunks.get(job.task)) is not None:
                if (call := self._gathering.add(job, chunk, self._identity)) is not None:
                    self._claimed.append(call)
                continue
            deadline_at = None if job.deadline_ms is None else time.monotonic() + job.deadline_ms / 1000
            attempt = Attempt(job, self._identity, self._stopping, deadline_at, tell=self._tell,
                              load=self._delivery.cursor, until=self._box.until, monotonic=self._monotonic)
            if job.stale is None:
                self._claimed.append(attempt)
            else:
                pointless += 1
                self._settling.add(attempt, self._decision.stale(attempt))
        return pointless

    def _called(self, jobs: list[Claimed], identity: Identity, deadlines: dict[int, float]) -> ChunkAttempt:
        return ChunkAttempt(jobs[0], identity, self._stopping, tell=self._tell, until=self._box.until,
                            monotonic=self._monotonic, jobs=jobs, deadlines=deadlines)

    def _found(self, name: str, count: int) -> list[Claimed]:
        """Claim above what was claimed before: below it lie dead rows, while somebody's old snapshot needs them. What
        has become visible there meanwhile is found a second later, or when there is nothing else."""
        if (now := time.monotonic()) - self._marks_at > _MARKS_SECONDS:
            self._marks_at = now
            self._marks.clear()
        after = self._marks.pop(name, (LOWEST, LOWEST))
        claimed = claim_queue(self._store, self._identity.worker_id, name, count, after)
        if not claimed and after[0] != LOWEST:
            claimed = claim_queue(self._store, self._identity.worker_id, name, count)
        if claimed:
            if self._store.dead_rows_linger:
                self._marks[name] = (claimed[-1].rank, claimed[-1].id)
            leases: dict[int, int] = {}
            for job in claimed:
                leases[job.lease] = leases.get(job.lease, 0) + 1
            for lease, jobs in leases.items():
                self._settling.open(lease, jobs)
        return claimed

    # Ending

    def _finished(self, attempt: Attempt, outcome: Outcome) -> None:
        """On the thread of the slot."""
        self._settling.add(attempt, outcome)
        if self._running.pop(id(attempt), None) is not None:
            self._done.put(None)

    def _rest(self, seconds: float) -> None:
        """Wait so long, or until a slot is free again."""
        with contextlib.suppress(queue.Empty):
            if seconds > 0:
                self._done.get(timeout=seconds)
            while True:
                self._done.get_nowait()

    def _look_after(self, seconds: float) -> None:
        self._rest(seconds)
        if not self._claimed or not self._under_way:
            self._settling.step()
        if self._beside is None:
            self._watching.step()

    def _look_aside(self) -> float:
        """On a thread, where the body runs in the caller's: whether somebody cancels it, or asks what it is doing. One
        that is short is left alone, and costs no look."""
        running = self._slots.running()
        if not running or time.monotonic() - running[0].started_at < _LASTING_SECONDS:
            return _LASTING_SECONDS
        return self._watching.step()

    def _settled(self, batch: list[Ended]) -> None:
        for attempt, outcome in batch:
            if outcome.parts is not None:
                self.served += 0 if outcome.late else len([
                    each for each in outcome.parts if each.state != "available" and each.error_class != _LIMITED])
            elif not outcome.late and outcome.state != "available" and outcome.error_class != _LIMITED:
                self.served += attempt.served
            if attempt.started_at or attempt.job.stale is not None:
                old, seconds = self._means.get(attempt.job.queue), outcome.took_ms / 1000
                self._means[attempt.job.queue] = seconds if old is None else old + _WEIGHT * (seconds - old)

    def _tell(self, attempt: Attempt) -> None:
        self._settling.tell(attempt)
        if self._heartbeat is None and time.monotonic() - self._told_at >= 1:  # or nobody saves it while the body runs
            self._told_at = time.monotonic()
            with contextlib.suppress(StoreError):  # it may be the body itself that holds the write lock
                self._settling.step()

    def _abandon(self, attempt: Attempt, outcome: Outcome) -> None:
        self._slots.replace(attempt)
        task = self._tasks.get(attempt.job.task)
        if task is not None and task.rules.careful:
            outcome = self._delivery.end(attempt, task, outcome)
        self._finished(attempt, outcome)

    def _renew(self) -> float:
        """Keep the worker's row. Where no thread renews it while a body runs, it lasts until the box ends."""
        seconds, asked_at = self._lease_seconds, time.monotonic()
        if self._heartbeat is None:
            seconds = max(seconds, self._box.ends_at - self._monotonic() + self._lease_seconds)
        if not self._registration.renew(round(seconds * 1000)):
            self._identity.lost = True
        if self._identity.lost or self._identity.worker_id != self._registration.worker_id:
            self._identity = Identity(self._registration.worker_id, 0.0)
        self._identity.valid_until = asked_at + seconds
        return self._lease_seconds / 3

    def _leave(self) -> None:
        """Tell what runs to end, settle, and give back what has not ended in time."""
        if self._under_way:
            self._stopping.set()
        self._drop_claimed()
        now = self._monotonic()
        ends_at = min(self._box.ends_at, now + self._grace_seconds)
        given_up = given_up_at(now, ends_at)
        while self._under_way and self._monotonic() < given_up:
            self._tidy(lambda: self._look_after(_AGAIN_SECONDS))
        self._drop(list(self._running.values()))
        while not self._tidy(self._settling.step) and self._monotonic() < ends_at:
            time.sleep(_AGAIN_SECONDS)
        self._slots.close()
        for loop in (self._beside, self._heartbeat):
            if loop is not None:
                loop.close()
        self._tidy(self._registration.end)
        self._tidy(lambda: fold_counts(self._store))

    def _drop_claimed(self) -> None:
        self._drop(list(self._claimed))
        self._claimed.clear()

    def _drop(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            self._settling.add(attempt, ended_by(attempt, self._decision.dropped))

    def _tidy(self, step: Callable[[], object]) -> bool:
        """Do what spares others a wait. Where the store is away, the lease runs out and they rescue what is left."""
        try:
            step()
        except StoreError as error:
            self._events.emit(LoopFailed(loop="drain", error=f"{type(error).__name__}: {error}"))
            return False
        return True
