"""Chunks in the model: jobs of the task `many` that a worker holds, from whichever claims, are run by one call, and
each of them becomes what was said of it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from penstock import Cancel, Chunk, Jobs, Penstock, Retry, RetryPolicy, Snooze
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.attempt import Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.claim import claim
from penstock.worker.executor import Executor
from tests.model.jobs_model import Model

MANY = "many"
WAIT = timedelta(seconds=5)
SAYS: dict[str, tuple[Any, str, int]] = {
    "done": (None, "completed", 1), "again": (Retry(WAIT), "retryable", 1), "later": (Snooze(WAIT), "scheduled", 0),
    "off": (Cancel(), "cancelled", 1), "broken": (ValueError("broken"), "retryable", 1), "": (None, "completed", 1),
}
"""What is said of a job, what it becomes by that while it has attempts left, and how many it counts. Nothing is said of
the last."""


@dataclass
class Numbers:
    number: int = 0
    value: int = 0
    shared: int = 0


def declare(app: Penstock, retry: RetryPolicy) -> dict[int, object]:
    """The task `many`; the mapping that its next call returns."""
    says: dict[int, object] = {}

    @app.task(name=MANY, retry=retry, chunk=Chunk(size=4))
    def many(jobs: Jobs[Numbers]) -> Any:
        return dict(says)

    return says


class ChunkRules:
    """Rules of the state machine of jobs; `says` is what `declare` gave."""

    app: Penstock
    model: Model
    workers: list[int]
    now: int
    hands: list[list[Claimed]]
    says: dict[int, object]

    def ack(self, worker: int, jobs: Sequence[Claimed], outcomes: list[Outcome]) -> None:
        raise NotImplementedError

    def took(self, worker: int, jobs: list[Claimed], expected: list[tuple[int, int, str | None]]) -> None:
        raise NotImplementedError

    def gathered(self, worker: int) -> list[Claimed]:
        return [job for job in self.hands[worker] if job.task == MANY]

    def waiting(self) -> list[str]:
        """The queues in which a job may be claimed for a call."""
        return sorted({job.spec.queue for job in self.model.jobs.values() if job.ready and job.spec.task == MANY})

    @precondition(lambda self: self.gathered(0) or self.gathered(1) or self.waiting())
    @rule(worker=st.sampled_from([0, 1]), counts=st.lists(st.integers(1, 2), max_size=3),
          words=st.lists(st.sampled_from(list(SAYS)), min_size=1, max_size=4),
          strangers=st.sampled_from([False, False, True]))
    def run_together(self, worker: int, counts: list[int], words: list[str], strangers: bool) -> None:
        """Several jobs in one call, of a lease or of several, as they were claimed one after the other."""
        for count in counts:
            for queue in self.waiting():
                self.took(worker, claim(self.app.store, self.workers[worker], {queue: count}),
                          self.model.claim(self.workers[worker], queue, count, self.now))
        worker = worker if self.gathered(worker) else 1 - worker
        jobs = self.gathered(worker)[:len(words)]
        if not jobs:
            return
        words = words[:len(jobs)]
        self.says.clear()
        self.says.update({job.id: SAYS[word][0] for job, word in zip(jobs, words, strict=True) if word})
        if strangers:
            self.says[jobs[-1].id + 10**6] = None
        attempt = ChunkAttempt(jobs[0], Identity(0, 1e12), threading.Event(), jobs=jobs)
        outcome = Executor(self.app.tasks, self.app.events).run(attempt)
        assert outcome.parts is not None
        parts = {part.id: part for part in outcome.parts}
        assert len(outcome.parts) == len(parts) == len(jobs), "each job has one outcome"
        for job, word in zip(jobs, words, strict=True):
            state, counted = SAYS[word][1:]
            if not word and strangers:
                state, counted = "retryable", 1  # it may have been meant
            if state == "retryable" and job.attempt >= job.max_attempts:
                state = "discarded"
            assert (parts[job.id].state, parts[job.id].counted, parts[job.id].lease) == (state, counted, job.lease)
        self.ack(worker, jobs, [parts[job.id] for job in jobs])
