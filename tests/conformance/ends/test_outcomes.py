"""How attempts end by what they return or raise, and what may run again."""

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Penstock, Retry, RetryPolicy, Snooze
from penstock.domain.errors import Throttled, Unavailable
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from penstock.worker.deciding import Decision
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until

AGAIN = RetryPolicy(max_attempts=3, base_seconds=10, jitter=0)

SIGNALS: list[tuple[Any, tuple[Any, ...]]] = [
    (Snooze(timedelta(seconds=30)), ("scheduled", 0, 30_000, None, None)),
    (Snooze(timedelta(seconds=-5), reason="not yet"), ("scheduled", 0, 0, None, "not yet")),
    (Cancel(), ("cancelled", 1, None, "cancelled", "the task cancelled itself")),
    (Cancel("the offer is gone"), ("cancelled", 1, None, "cancelled", "the offer is gone")),
    (Retry(), ("retryable", 1, 10_000, "Retry", "the task asked to be tried again")),
    (Retry(timedelta(seconds=3), reason="busy"), ("retryable", 1, 3_000, "Retry", "busy")),
]


@pytest.mark.parametrize("colour", ["thread", "event loop"])
@pytest.mark.parametrize("way", ["returned", "raised"])
def test_what_a_task_says_of_its_own_end(app: Penstock, workers: Workers, clock: Clock, way: str, colour: str):
    def say(number: int) -> Any:
        told = SIGNALS[number][0]
        if way == "raised":
            raise told
        return told

    async def asay(number: int) -> Any:
        return await asyncio.to_thread(say, number)

    function: Any = say if colour == "thread" else asay
    task = app.task(function, name="say", retry=AGAIN)
    jobs = app.enqueue_many(task.call(number) for number in range(len(SIGNALS)))
    workers.start()
    until("all were settled", lambda: not {"available", "executing"} & workers.states().keys())
    for job, (_, expected) in zip(jobs, SIGNALS, strict=True):
        state, attempt, run_at, *error = workers.job(job.id, "state, attempt, run_at, error_class, error")
        delay = None if state == "cancelled" else run_at - clock.now_ms
        assert (state, attempt, delay, *error) == expected


def test_a_task_that_asks_to_be_tried_again_runs_out_of_attempts(app: Penstock, clock: Clock):
    @app.task(retry=RetryPolicy(max_attempts=2), name="work")
    def work() -> Any:
        return Retry(timedelta(0), reason="still busy")

    work.enqueue()
    engine = Engine(app, clock)
    for _ in range(2):
        (job,) = engine.claim("default")
        settle(app.store, [engine.execute(job)])
        app.upkeep().stage()
    assert clock.fetch("select state, attempt, error_class, error from penstock.jobs") == [
        ("discarded", 2, "Retry", "still busy")]


def test_a_snooze_costs_no_attempt_however_often(app: Penstock, clock: Clock):
    app.task(lambda: Snooze(timedelta(seconds=1)), name="work", retry=RetryPolicy(max_attempts=1)).enqueue()
    engine = Engine(app, clock)
    for _ in range(5):
        (job,) = engine.claim("default")
        assert job.attempt == 1
        settle(app.store, [engine.execute(job)])
        clock.advance(1)
        app.upkeep().stage()


class TestARateLimit:
    """A destination that refuses calls for their rate burns no attempts."""

    @pytest.mark.parametrize(("error", "delay_ms"), [
        (Throttled(30.0, "slow down"), 30_000),
        (Throttled(-1.0), 100),
        (Throttled(math.nan), 100),
        (Throttled(math.inf), 86_400_000),
        (Unavailable("overloaded", retry_after=5.0), 5_000),
    ])
    def test_however_often_it_is_met(self, app: Penstock, clock: Clock, error: Exception, delay_ms: int):
        def work() -> None:
            raise error

        app.task(work, name="work", retry=RetryPolicy(max_attempts=1)).enqueue()
        engine = Engine(app, clock)
        for _ in range(3):
            (job,) = engine.claim("default")
            assert job.attempt == 1
            settle(app.store, [engine.execute(job)])
            assert clock.fetch("select state, attempt, run_at, error_class, error from penstock.jobs") == [
                ("retryable", 0, clock.now_ms + delay_ms, type(error).__name__, str(error))]
            clock.advance(delay_ms / 1000)
            app.upkeep().stage()

    def test_without_a_time_it_waits_for_longer_each_time(self, app: Penstock, clock: Clock):
        answers: list[Exception | None] = [Throttled()] * 12 + [None, Throttled()]

        def work(number: int) -> None:
            if error := answers[number]:
                raise error

        task = app.task(work, name="work", retry=RetryPolicy(max_attempts=1))
        app.enqueue_many(task.call(number) for number in range(len(answers)))
        engine = Engine(app, clock)
        outcomes = [engine.execute(job) for job in engine.claim("default", 20)]
        assert [outcome.state for outcome in outcomes] == ["retryable"] * 12 + ["completed", "retryable"]
        waits = [outcome.delay_ms / 1000 for outcome in outcomes]
        assert waits[:4] == [pytest.approx(seconds, rel=0.21) for seconds in (1, 2, 4, 8)]
        assert 240 <= waits[11] <= 360
        assert waits[13] < 2

    def test_those_refused_together_count_once(self, app: Penstock, clock: Clock):
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(20))
        engine = Engine(app, clock)
        attempts = [engine.attempt(job) for job in engine.claim("default", 20)]
        for attempt in attempts:
            attempt.started_at = 1.0
        decision = Decision(app.tasks, app.events)
        assert all(decision.raised(attempt, Throttled()).delay_ms <= 1_200 for attempt in attempts)

    @pytest.mark.parametrize(("error", "options"), [
        (Unavailable("connection refused"), {}),
        (Unavailable("overloaded", retry_after="5"), {}),  # type: ignore[arg-type]
        (Throttled(5.0), {"delivery": "at_most_once"}),
    ])
    def test_what_says_nothing_of_a_time_or_may_not_run_twice_fails(self, app: Penstock, clock: Clock,
                                                                    error: Exception, options: Any):
        def work() -> None:
            raise error

        app.task(work, name="work", retry=RetryPolicy(max_attempts=1), **options).enqueue()
        engine = Engine(app, clock)
        (job,) = engine.claim("default")
        settle(app.store, [engine.execute(job)])
        assert clock.fetch("select state, attempt, error_class from penstock.jobs") == [
            ("discarded", 1, type(error).__name__)]


class TestRequeueing:
    @pytest.mark.parametrize("ended", ["discarded", "cancelled", "completed"])
    def test_what_has_ended_may_run_again_with_all_its_attempts(self, app: Penstock, clock: Clock, ended: str):
        work = app.task(lambda: None, name="work", retry=RetryPolicy(max_attempts=2), queue="other")
        id = work.using(priority=3).enqueue().id
        engine = Engine(app, clock)
        (job,) = engine.claim("other")
        settle(app.store, [Outcome(job.id, job.lease, ended, keep_ms=86_400_000, error_class="E", error="e")])
        clock.advance(60)
        engine.register()
        assert app.requeue(id)
        assert not app.requeue(id)  # it is live
        (again,) = engine.claim("other")
        assert (again.id, again.attempt, again.max_attempts, again.lease > job.lease) == (id, 1, 2, True)
        assert settle(app.store, [Outcome(id, job.lease, "completed")]) == {id}
        assert settle(app.store, [Outcome(id, again.lease, "completed", keep_ms=1)]) == set()
        assert not app.requeue(id + 100)
