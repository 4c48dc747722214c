"""A slot is its attempt's until the outcome is on its way, and somebody else's at the latest when it was replaced."""

import queue
import threading
from collections import deque
from typing import Any

import pytest

from penstock.domain.jobs import Outcome
from penstock.queue.attempt import Attempt
from penstock.worker.pools import EventLoop, LoopPool, ThreadPool


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


def test_an_attempt_that_is_just_being_taken_is_waited_for(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops would know of it neither as waiting nor as running, and leave it to the lease's end."""
    taken, noting, inside, go = (threading.Event() for _ in range(4))

    class Slow:
        """A queue whose taker is held up on its way to the note."""

        def __init__(self, pool: ThreadPool) -> None:
            self._queue = pool._queue
            self.put, self.get_nowait, self.qsize = self._queue.put, self._queue.get_nowait, self._queue.qsize

        def get(self) -> Attempt | None:
            found = self._queue.get()
            if found is not None:
                taken.set()
                assert noting.wait(60)
            return found

    class Staying:
        def run(self, attempt: Attempt) -> Outcome:
            inside.set()
            assert go.wait(60)
            return Outcome(attempt.job.id, attempt.job.lease, "completed")

    def waits(_: float) -> None:
        noting.set()
        assert inside.wait(60)

    executor: Any = Staying()
    pool = ThreadPool(2, executor, lambda each, outcome: None)
    slow: Any = Slow(pool)
    pool._queue = slow
    pool.submit([attempt])
    assert taken.wait(60)
    monkeypatch.setattr("penstock.worker.pools.time.sleep", waits)
    assert pool.withdraw() == []
    assert pool.running() == [attempt]
    monkeypatch.undo()
    go.set()
    pool.close()
    assert pool.running() == []


def test_what_waits_is_withdrawn_and_free_slots_end_at_once(attempt: Attempt) -> None:
    inside, go = threading.Event(), threading.Event()

    class Staying:
        def run(self, attempt: Attempt) -> Outcome:
            inside.set()
            assert go.wait(60)
            return Outcome(attempt.job.id, attempt.job.lease, "completed")

    executor: Any = Staying()
    pool = ThreadPool(1, executor, lambda each, outcome: None)
    waiting = [again(attempt), again(attempt)]
    pool.submit([attempt])
    assert inside.wait(60)
    pool.submit(waiting)
    assert pool.withdraw() == waiting
    assert pool.running() == [attempt]
    go.set()
    pool._threads[0].join(60)  # nobody has asked it to close
    assert not pool._threads[0].is_alive()
    pool.close()


def test_on_a_loop_it_is_noted_before_it_is_taken(attempt: Attempt) -> None:
    ended: queue.SimpleQueue[Attempt] = queue.SimpleQueue()

    class Executing:
        async def arun(self, attempt: Attempt) -> Outcome:
            return Outcome(attempt.job.id, attempt.job.lease, "completed")

    seen: list[list[Attempt]] = []

    class Watched(deque[Attempt]):
        def popleft(self) -> Attempt:
            seen.append(pool.running())
            if len(seen) == 2:
                assert pool.withdraw() == [other]  # by who stops, on another thread
            return super().popleft()

    executor: Any = Executing()
    loop, other = EventLoop(), again(attempt)
    pool = LoopPool(1, loop, executor, lambda each, outcome: ended.put(each))
    pool._waiting = Watched()
    pool.submit([attempt])
    assert ended.get(timeout=60) is attempt
    pool.submit([other])
    loop.call(ended.put, other)  # after what it was to begin
    assert ended.get(timeout=60) is other
    assert seen == [[attempt], [other]]
    assert pool.running() == []
    loop.close()
    pool.close()
