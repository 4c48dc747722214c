"""A slot is its attempt's until the outcome is on its way, and somebody else's at the latest when it was replaced."""

import queue
import threading
from typing import Any

from penstock.domain.jobs import Outcome
from penstock.queue.attempt import Attempt
from penstock.worker.pools import ThreadPool


class Executing:
    """Ends every attempt at once; the first one after somebody else has ended it."""

    def __init__(self) -> None:
        self.guard: threading.Lock | None = threading.Lock()

    def run(self, attempt: Attempt) -> Outcome:
        if self.guard is not None:
            attempt.guard, self.guard = self.guard, None
            attempt.end()
        return Outcome(attempt.job.id, attempt.job.lease, "completed")


def again(attempt: Attempt) -> Attempt:
    return Attempt(attempt.job, attempt.identity, attempt.stopping)


def test_an_attempt_that_ends_just_when_it_is_abandoned_costs_no_slot(attempt: Attempt) -> None:
    ended: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def finished(each: Attempt, outcome: Outcome) -> None:
        if outcome.late:
            pool.replace(each)
        ended.put(outcome.late)

    executor: Any = Executing()
    pool = ThreadPool(1, executor, finished)
    pool.submit([attempt])
    assert ended.get(timeout=60)
    pool.submit([again(attempt)])
    assert not ended.get(timeout=60)
    pool.close()


def test_an_attempt_is_running_until_its_outcome_was_handed_on(attempt: Attempt) -> None:
    seen: queue.SimpleQueue[list[Attempt]] = queue.SimpleQueue()
    executor: Any = Executing()
    executor.guard = None
    pool = ThreadPool(1, executor, lambda each, outcome: seen.put(pool.running()))
    pool.submit([attempt])
    assert seen.get(timeout=60) == [attempt]
    pool.close()
    assert pool.running() == []


def test_a_slot_that_is_replaced_after_the_end_begins_no_thread(attempt: Attempt) -> None:
    """Nobody would tell it to end: an attempt was abandoned just when its worker stopped."""
    inside, go = threading.Event(), threading.Event()

    class Staying:
        def run(self, attempt: Attempt) -> Outcome:
            inside.set()
            assert go.wait(60)
            return Outcome(attempt.job.id, attempt.job.lease, "completed")

    executor: Any = Staying()
    pool = ThreadPool(1, executor, lambda each, outcome: None)
    pool.end_seconds = 0.0
    pool.submit([attempt])
    assert inside.wait(60)
    pool.close()
    (thread,) = pool._threads
    pool.replace(attempt)
    go.set()
    thread.join(60)
    assert pool._threads == [thread]
