"""Attempts that end before their time, by time, by silence, by a person; each is told apart."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy, current_job
from penstock.domain.errors import DeadlinePassed, JobCancelled, JobError, JobStalled, JobTimedOut
from penstock.events import JobAbandoned, StaleSettle, WorkerExhausted
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.processes import penstock, python
from tests.waiting import until

SOON = timedelta(milliseconds=40)
BEGUN_BEFORE = timedelta(milliseconds=500)  # a deadline counts from the claim on, and the body has to begin before it
AGAIN = RetryPolicy(max_attempts=3, base_seconds=10, jitter=0)
APP = "tests.conformance.ending_app"

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
                        stale_after=SOON if kind == "stale" else None,
                        deadline=BEGUN_BEFORE if kind == "deadline" else None)

    def expire(self, app: Penstock, workers: Workers, kind: str, began: threading.Event, id: int) -> None:
        workers.start({"default": 1})
        assert began.wait(60)
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
            workers.go.wait(60)

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
        assert after.wait(60), "its slot was not replaced"
        before = workers.job(id, "state, attempt, error_class, run_at")
        workers.go.set()
        until("its late end was refused", lambda: workers.told(StaleSettle))
        assert workers.job(id, "state, attempt, error_class, run_at") == before

    def test_a_checkpoint_ends_the_silence(self, app: Penstock, workers: Workers):
        @app.task(stale_after=timedelta(milliseconds=500), retry=RetryPolicy(max_attempts=1))
        def work() -> None:
            for step in range(40):
                pause.wait(0.02)  # 0.8 s in all
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
            workers.go.wait(60)

        id = work.enqueue().id
        workers.start()
        assert began.wait(60)
        app.cancel(id)
        until("it was abandoned, as what it was told first", lambda: workers.job(id) == "cancelled")
        assert [each.reason for each in workers.told(JobAbandoned)] == ["cancelled"]

    def test_after_too_many_a_worker_claims_no_more(self, app: Penstock, workers: Workers):
        @app.task(timeout=SOON)
        def stuck() -> None:
            workers.go.wait(60)

        @app.task
        def work() -> None: ...

        app.enqueue_many(stuck.call() for _ in range(2))
        worker, steps = workers.start(), list[float]()
        step = worker._claiming.step
        worker._claiming.step = lambda: steps.append(0.0) or step()  # type: ignore[func-returns-value,method-assign]
        assert worker.exhausted.wait(60)
        until("it was told", lambda: workers.told(WorkerExhausted))
        assert [each.abandoned for each in workers.told(WorkerExhausted)] == [2]
        before = len(steps)
        until("what it was about to claim has been claimed", lambda: worker.wake() or len(steps) > before + 1)  # type: ignore[func-returns-value]
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


def test_the_child_app_can_be_loaded(store_url: str, tmp_path: Path):
    with python(f"from {APP} import app\nprint(len(app.tasks))", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        assert child.wait() == 0, child.rest()
