"""How attempts end: by what they return or raise, by time, by silence; each is told apart."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Cancel, Penstock, Retry, RetryPolicy, Snooze, current_job
from penstock.domain.errors import DeadlinePassed, JobCancelled, JobError, JobStalled, JobTimedOut, NoCurrentJob
from penstock.domain.jobs import Outcome
from penstock.events import JobAbandoned, StaleSettle, WorkerExhausted
from penstock.queue.claim import settle
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.processes import penstock, python
from tests.waiting import until

SOON = timedelta(milliseconds=40)
AGAIN = RetryPolicy(max_attempts=3, base_seconds=10, jitter=0)
APP = "tests.conformance.ending_app"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "patience_seconds": 0.1, "abandoned_limit": 2}


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


OUTCOMES = {
    "timeout": (JobTimedOut, "retryable", 1, "JobTimedOut"),
    "stale": (JobStalled, "retryable", 1, "JobStalled"),
    "deadline": (DeadlinePassed, "cancelled", 1, "deadline"),
    "cancelled": (JobCancelled, "cancelled", 1, "cancelled"),
}


class TestBeforeItsTime:
    """A timeout, a silence, a deadline and a cancellation are four things, for whoever runs and for whoever reads."""

    def declare(self, app: Penstock, kind: str, function: Any) -> Any:
        return app.task(function, name="work", retry=AGAIN, timeout=SOON if kind == "timeout" else None,
                        stale_after=SOON if kind == "stale" else None, deadline=SOON if kind == "deadline" else None)

    def expire(self, app: Penstock, workers: Workers, kind: str, began: threading.Event, id: int) -> None:
        workers.start({"default": 1})
        assert began.wait(20)
        if kind == "cancelled":
            app.cancel(id)

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_a_thread_that_asks_is_told(self, app: Penstock, workers: Workers, kind: str):
        began, heard = threading.Event(), []

        def work() -> None:
            began.set()
            try:
                while not workers.go.wait(0.005):
                    current_job().check()
            except JobError as error:
                heard.append(type(error))
                raise

        id = self.declare(app, kind, work).enqueue().id
        self.expire(app, workers, kind, began, id)
        error, *expected = OUTCOMES[kind]
        until("it was settled", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        assert heard == [error]
        assert not workers.told(JobAbandoned)

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_a_coroutine_is_cancelled(self, app: Penstock, workers: Workers, kind: str):
        began, tidied = threading.Event(), threading.Event()

        async def work() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.to_thread(tidied.set)

        id = self.declare(app, kind, work).enqueue().id
        self.expire(app, workers, kind, began, id)
        _, *expected = OUTCOMES[kind]
        until("it was settled", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        assert tidied.is_set()

    @pytest.mark.parametrize("kind", ["timeout", "stale", "deadline"])
    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_one_that_does_not_listen_is_abandoned(self, app: Penstock, workers: Workers, kind: str, colour: str):
        began, after = threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            workers.go.wait(20)

        async def awork() -> None:
            began.set()
            while not workers.go.is_set():
                try:
                    await asyncio.to_thread(workers.go.wait, 20)
                except asyncio.CancelledError:
                    continue

        @app.task(queue="default")
        def other() -> None:
            after.set()

        @app.task(queue="default")
        async def aother() -> None:
            after.set()

        id = self.declare(app, kind, work if colour == "thread" else awork).enqueue().id
        self.expire(app, workers, kind, began, id)
        _, *expected = OUTCOMES[kind]
        until("it was settled without it", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        until("it was reported", lambda: workers.told(JobAbandoned))
        assert [(each.job_id, each.task, each.abandoned) for each in workers.told(JobAbandoned)] == [(id, "work", 1)]
        (other if colour == "thread" else aother).enqueue()
        assert after.wait(20), "its slot was not replaced"
        before = workers.job(id, "state, attempt, error_class, run_at")
        workers.go.set()
        until("its late end was refused", lambda: workers.told(StaleSettle))
        assert workers.job(id, "state, attempt, error_class, run_at") == before

    def test_a_checkpoint_ends_the_silence(self, app: Penstock, workers: Workers):
        @app.task(stale_after=timedelta(milliseconds=150), retry=RetryPolicy(max_attempts=1))
        def work() -> None:
            for step in range(20):
                pause.wait(0.02)  # 0.4 s in all
                current_job().checkpoint(percent=step)

        pause = threading.Event()
        work.enqueue()
        workers.start()
        workers.wait_for({"completed": 1})

    def test_a_cancelled_one_that_does_not_listen_still_times_out(self, app: Penstock, workers: Workers):
        began = threading.Event()

        @app.task(timeout=timedelta(milliseconds=300))
        def work() -> None:
            began.set()
            workers.go.wait(20)

        id = work.enqueue().id
        workers.start()
        assert began.wait(20)
        app.cancel(id)
        until("it was abandoned, as what it was told first", lambda: workers.job(id) == "cancelled")
        assert [each.reason for each in workers.told(JobAbandoned)] == ["cancelled"]

    def test_after_too_many_a_worker_claims_no_more(self, app: Penstock, workers: Workers):
        @app.task(timeout=SOON)
        def stuck() -> None:
            workers.go.wait(20)

        @app.task
        def work() -> None: ...

        app.enqueue_many(stuck.call() for _ in range(2))
        worker = workers.start()
        assert worker.exhausted.wait(20)
        until("it was told", lambda: workers.told(WorkerExhausted))
        assert [each.abandoned for each in workers.told(WorkerExhausted)] == [2]
        id = work.enqueue().id
        worker.wake()
        workers.go.set()
        worker.stop()
        assert workers.job(id) == "available"


def test_a_worker_process_that_is_exhausted_ends_to_be_started_again(
        ending: Penstock, store_url: str, clock: Clock, tmp_path: Path):
    ending.tasks[f"{APP}.stuck"].enqueue()
    with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        child.line("stuck")
        assert child.wait() == 75, child.rest()
    assert clock.fetch("select state, error_class from penstock.jobs") == [("retryable", "JobTimedOut")]
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


class TestTheCurrentJob:
    def test_it_knows_its_job(self, app: Penstock, workers: Workers):
        seen: list[Any] = []

        @app.task(queue="q", retry=RetryPolicy(max_attempts=7))
        def work() -> None:
            job = current_job()
            seen.append((job.id, job.task.rpartition(".")[2], job.queue, job.attempt, job.max_attempts))

        @app.task(queue="q", name="awork", retry=RetryPolicy(max_attempts=7))
        async def awork() -> None:
            await asyncio.to_thread(lambda: seen.append(current_job().id))
            job = current_job()
            seen.append((job.id, job.task, job.queue, job.attempt, job.max_attempts))

        one, two = work.enqueue().id, awork.enqueue().id
        workers.start()
        workers.wait_for({"completed": 2})
        assert sorted(seen, key=str) == sorted([(one, "work", "q", 1, 7), (two, "awork", "q", 1, 7), two], key=str)

    def test_there_is_none_outside(self):
        with pytest.raises(NoCurrentJob, match="expected to run inside a job, got a plain call"):
            current_job()

    def test_what_it_tells_is_kept_while_it_runs(self, app: Penstock, workers: Workers, clock: Clock):
        """Though nothing else ends meanwhile, which would save it along the way."""
        told = threading.Event()

        @app.task
        def work() -> None:
            current_job().checkpoint(percent=40, note="read \0 the page")
            current_job().checkpoint(percent=41.5, note="rendered")
            told.set()
            workers.go.wait(20)
            current_job().checkpoint(note="sent")

        id = work.enqueue().id
        workers.start()
        assert told.wait(20)
        columns = "job_id, percent, note, told_at"
        until("its last word was saved", lambda: clock.fetch(f"select {columns} from penstock.progress") == [
            (id, 41.5, "rendered", clock.now_ms)], 5)
        workers.go.set()
        workers.wait_for({"completed": 1})
        until("the last of all too", lambda: clock.fetch("select note from penstock.progress") == [("sent",)], 5)
        clock.advance(3_601)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.progress") == [(0,)]


def test_the_child_app_can_be_loaded(store_url: str, tmp_path: Path):
    with python(f"from {APP} import app\nprint(len(app.tasks))", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        assert child.wait() == 0, child.rest()
