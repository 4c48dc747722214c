"""Keeps an eye on attempts while they run: cancelled by somebody, over time, silent for too long, past their deadline.
Who asks what they are doing is told by their stacks.

An attempt is told first: its next `check` or `checkpoint` raises, an `async` one is cancelled. A thread cannot be made
to listen. One that does not, for `patience_seconds`, is abandoned: it is settled without it, its slot is replaced, and
what it says later is rejected by its lease.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from penstock.domain.errors import JobStalled, JobTimedOut
from penstock.domain.jobs import Outcome
from penstock.domain.pools import Pool
from penstock.events import JobAbandoned
from penstock.events.telling import Events
from penstock.queue.attempt import ENDED, Attempt
from penstock.queue.task import Task
from penstock.store.port import Store
from penstock.worker.chunked import ended_by
from penstock.worker.deciding import Decision
from penstock.worker.showing import Place, stacks

_REST_SECONDS = 0.2
_NEVER = float("inf")


class Watching:
    """`step` runs on a loop of its own. `asked` is kept as the set of the jobs that somebody has cancelled, while there
    are any that run, or are `gathered`."""

    def __init__(self, store: Store, tasks: Mapping[str, Task[Any, Any]], events: Events, *,
                 running: Callable[[], Sequence[Attempt]], abandon: Callable[[Attempt, Outcome], None],
                 asked: set[int], poll_seconds: float, patience_seconds: float,
                 worker_id: Callable[[], int], places: Callable[[], Iterable[Place]],
                 gathered: Callable[[], bool] = lambda: False) -> None:
        self._store = store
        self._tasks = tasks
        self._events = events
        self._decision = Decision(tasks, events)
        self._running = running
        self._gathered = gathered
        self._worker_id = worker_id
        self._places = places
        self._abandon = abandon
        self._asked = asked
        self._poll_seconds = poll_seconds
        self._patience_seconds = patience_seconds
        self._watched: dict[int, Attempt] = {}
        self._looked_at = 0.0
        self.abandoned = 0
        self.wake: Callable[[], None] = lambda: None

    def watch(self, attempt: Attempt) -> None:
        """An attempt with a time limit has begun."""
        attempt.guard = threading.Lock()
        self._watched[id(attempt)] = attempt
        self.wake()

    def step(self) -> float:
        now = time.monotonic()
        if now - self._looked_at >= _REST_SECONDS:
            self._looked_at = now
            self._look_for_asks()
        soonest = _NEVER
        for key, attempt in list(self._watched.items()):
            if attempt.finished:
                self._watched.pop(key, None)
            else:
                soonest = min(soonest, self._look_at(attempt, now))
        return max(min(soonest, self._poll_seconds), 0.005)

    def _look_for_asks(self) -> None:
        running = self._running()
        if not running and not self._gathered():
            return
        worker_id = self._worker_id()
        rows = self._store.look("asked_of_worker", {"worker_id": worker_id})
        asked = {id for id, _ in rows if id is not None}
        self._asked |= asked
        self._asked &= asked
        if asked:
            for attempt in running:
                if attempt.ended is None and all(job.id in asked for job in attempt.claimed):
                    self._tell(attempt, "cancelled")
        for id, asked_at in rows:
            if id is None:
                self._show(worker_id, asked_at)

    def _show(self, worker_id: int, asked_at: int) -> None:
        """Answer who asked what the slots are doing."""
        found = msgspec.json.encode(stacks(self._places)).decode()
        answer = {"worker_id": worker_id, "asked_at": asked_at, "stacks": found}
        self._store.write(lambda tx: tx.execute("stacks_answer", answer))

    def _look_at(self, attempt: Attempt, now: float) -> float:
        """Tell an attempt whose time is over; return the seconds until it is to be looked at again."""
        if not attempt.expired_at:
            due, reason = min(self._limits(attempt), default=(_NEVER, ""))
            if now < due:
                return due - now
            self._tell(attempt, reason)
            attempt.expired_at = now
        given_up_at = attempt.expired_at + self._patience_seconds
        if now < given_up_at:
            return given_up_at - now
        self._watched.pop(id(attempt), None)
        if attempt.end():
            if attempt.pool is not Pool.PROCESSES:  # of which nothing is left: its child is killed
                self.abandoned += 1
            self._abandon(attempt, ended_by(attempt, self._outcome))
            self._events.emit(JobAbandoned(job_id=attempt.job.id, task=attempt.job.task,
                                           reason=attempt.ended or "", abandoned=self.abandoned))
        return _NEVER

    def _limits(self, attempt: Attempt) -> list[tuple[float, str]]:
        task = self._tasks.get(attempt.job.task)
        found = []
        if task is not None and task.rules.timeout is not None:
            found.append((attempt.started_at + task.rules.timeout / timedelta(seconds=1), "timed out"))
        if task is not None and task.rules.stale_after is not None:
            found.append((attempt.told_at + task.rules.stale_after / timedelta(seconds=1), "stalled"))
        if attempt.deadline_at is not None:
            found.append((attempt.deadline_at, "deadline"))
        return found

    def _tell(self, attempt: Attempt, reason: str) -> None:
        attempt.ended = attempt.ended or reason
        if attempt.interrupt is not None:
            attempt.interrupt()

    def _outcome(self, attempt: Attempt) -> Outcome:
        reason = attempt.ended or ""
        error = ENDED[reason](f"job {attempt.job.id}: {reason}, and went on for {self._patience_seconds:g} s more")
        if isinstance(error, JobTimedOut | JobStalled):
            return self._decision.failed(attempt, error)
        return self._decision.ended(attempt, reason, str(error))
