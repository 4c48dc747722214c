"""Cancelled by a person, or past its deadline: what waits does not begin, what runs is asked to end."""

import asyncio
import threading
import time
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import JobState, Penstock, current_job
from penstock.domain.errors import JobCancelled
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from tests.caller import caller
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until


class TestCancelling:
    @pytest.mark.parametrize("waiting", ["available", "scheduled", "retryable"])
    def test_what_waits_ends_at_once(self, app: Penstock, work: Any, engine: Engine, clock: Clock, waiting: str):
        run_after = timedelta(hours=1) if waiting == "scheduled" else None
        id = work.using(run_after=run_after).enqueue(1).id
        if waiting == "retryable":
            (job,) = engine.claim("default")
            settle(app.store, [Outcome(job.id, job.lease, "retryable", delay_ms=5_000, error_class="E", error="e")])
        assert app.cancel(id, reason="the customer left") == JobState.CANCELLED
        assert clock.fetch(f"select state, error_class, error, finished_at from penstock.jobs where id = {id}") == [
            ("cancelled", "cancelled", "the customer left", clock.now_ms)]
        assert app.cancel(id) is None
        clock.advance(7_200)
        app.upkeep().stage()
        engine.register()
        assert engine.claim("default") == []

    def test_time_that_goes_by_meanwhile_changes_nothing(self, store_url: str, clock: Clock):
        finished = "penstock_finished_jobs" if store_url.startswith("sqlite:") else "penstock.finished_jobs"
        moving = f"({clock.expression} + (select count(*) from {finished}))"
        with Penstock(store_url, now=moving) as app:
            app.migrate()
            id = app.task(lambda: None, name="work").enqueue().id
            assert app.cancel(id) == JobState.CANCELLED
            assert app.cancel(id) is None

    def test_nothing_to_cancel(self, app: Penstock, work: Any, engine: Engine):
        assert app.cancel(12345) is None
        id = work.enqueue(1).id
        (job,) = engine.claim("default")
        settle(app.store, [Outcome(job.id, job.lease, "completed", keep_ms=60_000)])
        assert app.cancel(id) is None

    def test_in_the_callers_transaction(self, app: Penstock, work: Any, engine: Engine, store_url: str, clock: Clock):
        id = work.enqueue(1).id
        for end in ("rollback", "commit"):
            with closing(caller(store_url)) as connection:
                assert app.using(connection=connection).cancel(id) == JobState.CANCELLED
                getattr(connection, end)()
        assert clock.fetch("select state from penstock.jobs") == [("cancelled",)]

    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_what_runs_is_asked_to_end(self, app: Penstock, workers: Workers, colour: str):
        began, ended = threading.Event(), threading.Event()

        @app.task(name="thread")
        def work() -> None:
            job = current_job()
            began.set()
            try:
                while not workers.go.wait(0.005):
                    job.check()
            except JobCancelled:
                ended.set()
                raise

        @app.task(name="event loop")
        async def awork() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.set()
                raise

        id = app.tasks[colour].enqueue().id
        workers.start()
        assert began.wait(60)
        assert app.cancel(id) == JobState.EXECUTING
        workers.wait_for({"cancelled": 1})
        assert ended.is_set()
        assert workers.job(id, "attempt, error_class, error") == (1, "cancelled", "cancelled while it ran")
        assert workers.clock.fetch("select count(*) from penstock.unique_keys") == [(0,)]

    def test_one_that_does_not_listen_may_finish(self, app: Penstock, workers: Workers):
        began = threading.Event()

        @app.task
        def work() -> None:
            began.set()
            workers.go.wait(60)

        id = work.enqueue().id
        workers.start()
        assert began.wait(60)
        assert app.cancel(id) == JobState.EXECUTING
        workers.go.set()
        workers.wait_for({"completed": 1})

    def test_one_that_does_not_listen_is_not_tried_again(
            self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        id = work.enqueue(1).id
        (job,) = engine.claim("default")
        assert app.cancel(id) == JobState.EXECUTING
        settle(app.store, [Outcome(job.id, job.lease, "retryable", delay_ms=1_000)])
        assert app.cancel(id) in (JobState.EXECUTING, JobState.CANCELLED)
        clock.advance(1)
        app.upkeep().stage()
        assert all(job.stale == "cancelled" for job in engine.claim("default"))

    def test_it_outlives_the_worker_that_was_asked(self, app: Penstock, workers: Workers, clock: Clock):
        """The worker heard of it and was lost: whoever claims the job next does not run it either."""
        began, runs = threading.Event(), []

        @app.task
        def work() -> None:
            runs.append(current_job().attempt)
            began.set()
            while not (workers.go.wait(0.005) or current_job().ended):
                pass
            heard.set()
            workers.go.wait(60)

        heard = threading.Event()
        id = work.enqueue().id
        worker = workers.start()
        assert began.wait(60)
        app.cancel(id)
        assert heard.wait(60)
        lost = worker._current().worker_id
        app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": lost}))
        worker._heartbeat.wake()  # which would look by itself within a third of the lease
        worker.wake()
        until("another claimed it, and did not run it", lambda: workers.states() == {"cancelled": 1})
        assert runs == [1]

    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_what_waits_in_a_worker_for_its_slot_does_not_begin(
            self, app: Penstock, workers: Workers, ran: list[Any], colour: str):
        began = threading.Event()

        @app.task(name="thread")
        def work(number: int) -> None:
            ran.append(number)
            if number == 0:
                began.set()
                workers.go.wait(60)

        @app.task(name="event loop")
        async def awork(number: int) -> None:
            ran.append(number)
            if number == 0:
                began.set()
                await asyncio.to_thread(workers.go.wait, 20)

        task = app.tasks[colour]
        app.enqueue_many(task.call(-number) for number in range(1, 50))  # short ones, so that it claims ahead
        worker = workers.start({"default": 1})
        workers.wait_until_settled()
        jobs = app.enqueue_many(task.call(number) for number in (0, 1, 2))
        assert began.wait(60)
        until("all three are claimed", lambda: workers.states().get("executing") == 3)
        assert app.cancel(jobs[1].id) == JobState.EXECUTING
        until("the worker has heard", lambda: jobs[1].id in worker._watching._asked)
        workers.go.set()
        workers.wait_until_settled()
        assert [number for number in ran if number >= 0] == [0, 2]
        assert workers.job(jobs[1].id, "state, attempt, error_class") == ("cancelled", 0, "cancelled")

    def test_a_requeued_job_is_not_cancelled_by_what_was_said_before(
            self, app: Penstock, work: Any, engine: Engine):
        id = work.enqueue(1).id
        (job,) = engine.claim("default")
        assert app.cancel(id) == JobState.EXECUTING
        settle(app.store, [Outcome(job.id, job.lease, "cancelled", keep_ms=60_000)])
        assert app.requeue(id)
        assert engine.reasons() == [None]


class TestADeadline:
    def test_it_is_not_begun_any_more(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.using(deadline=timedelta(seconds=10)).enqueue(1)
        work.using(deadline=timedelta(seconds=20)).enqueue(2)
        clock.advance(10)
        late, early = engine.claim("default", 2)
        assert (late.stale, early.stale, early.deadline_ms) == ("deadline", None, 10_000)

    def test_it_holds_across_attempts(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.using(deadline=timedelta(seconds=10)).enqueue(1)
        for remaining in (10_000, 6_000, 2_000):
            (job,) = engine.claim("default")
            assert (job.stale, job.deadline_ms) == (None, remaining)
            settle(app.store, [Outcome(job.id, job.lease, "retryable", delay_ms=4_000)])
            clock.advance(4)
            app.upkeep().stage()
        (job,) = engine.claim("default")
        assert job.stale == "deadline"

    def test_it_counts_from_the_enqueue_on(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.using(deadline=timedelta(seconds=10), run_after=timedelta(seconds=8)).enqueue(1)
        clock.advance(8)
        app.upkeep().stage()
        assert engine.claim("default")[0].deadline_ms == 2_000

    def test_a_task_may_give_it_to_all_its_jobs(self, app: Penstock, clock: Clock):
        app.task(lambda: None, name="brief", deadline=timedelta(seconds=5)).enqueue()
        engine = Engine(app, clock)
        clock.advance(5)
        assert engine.claim("default")[0].stale == "deadline"

    def test_what_waits_in_a_worker_past_it_does_not_begin(self, app: Penstock, workers: Workers, ran: list[Any]):
        began = threading.Event()

        @app.task
        def work(number: int) -> None:
            ran.append(number)
            if number == 0:
                began.set()
                workers.go.wait(60)

        app.enqueue_many(work.call(-number) for number in range(1, 50))
        workers.start({"default": 1})
        workers.wait_until_settled()
        jobs = app.enqueue_many([work.call(0), work.using(deadline=timedelta(milliseconds=1)).call(1), work.call(2)])
        assert began.wait(60)
        until("all are claimed", lambda: workers.states().get("executing") == 3)
        past = time.monotonic() + 0.02
        until("its deadline is past", lambda: time.monotonic() > past)
        workers.go.set()
        workers.wait_until_settled()
        assert [number for number in ran if number >= 0] == [0, 2]
        assert workers.job(jobs[1].id, "state, error_class") == ("cancelled", "deadline")
