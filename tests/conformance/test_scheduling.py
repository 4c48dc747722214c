"""Jobs that wait for their time, and queues that wait for somebody: nothing begins early or is forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from penstock import Penstock
from penstock.domain.jobs import Outcome
from penstock.queue import control
from penstock.queue.claim import settle
from penstock.store.statements import statement
from tests.clock import START_MS, Clock
from tests.conformance.workers import Workers
from tests.engine import Engine


@pytest.fixture
def work(app: Penstock) -> Any:
    @app.task(name="work")
    def work(number: int = 0) -> None: ...

    return work


@pytest.fixture
def engine(app: Penstock, work: Any, clock: Clock) -> Engine:
    return Engine(app, clock)


def claimed(engine: Engine, count: int = 10) -> list[int]:
    return [job.id for job in engine.claim("default", count)]


class TestDueLater:
    def test_a_wait_and_a_moment_mean_the_same(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        wait = work.using(run_after=timedelta(seconds=30)).enqueue().id
        moment = work.using(run_after=datetime.fromtimestamp(START_MS / 1000 + 30, UTC)).enqueue().id
        clock.advance(29.999)
        assert app.upkeep().stage() == 0
        assert claimed(engine) == []
        clock.advance(0.001)
        assert app.upkeep().stage() == 2
        assert claimed(engine) == [wait, moment]

    def test_what_was_due_first_goes_first(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        late = work.using(run_after=timedelta(seconds=20)).enqueue().id
        soon = work.using(run_after=timedelta(seconds=10)).enqueue().id
        clock.advance(15)
        now = work.enqueue().id
        clock.advance(15)
        app.upkeep().stage()
        assert claimed(engine) == [soon, now, late]

    def test_a_point_of_priority_is_worth_a_minute(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        old = work.enqueue().id
        clock.advance(59)
        urgent = work.using(priority=1).enqueue().id
        clock.advance(2)
        late = work.using(priority=1).enqueue().id
        assert claimed(engine) == [urgent, old, late]

    def test_what_waits_costs_staging_nothing(self, app: Penstock, work: Any, clock: Clock, store_url: str):
        """With the real clock, as it is compiled for production: the backlog is not read."""
        app.enqueue_many(work.using(run_after=timedelta(days=9_000)).call() for _ in range(20_000))
        if app.store.dialect == "sqlite":
            last = statement("stage", "sqlite").parts[-1].replace(":count", "9").replace(":after", "-1")
            plan = clock.fetch(f"explain query plan {last}")
            assert any("live_jobs_due (run_at>? AND run_at<?)" in line[3] for line in plan), plan
            return
        with psycopg.connect(store_url, autocommit=True) as connection:
            connection.execute("analyze")
            compiled = statement("stage", "postgres").sql
            read = connection.execute(f"explain (analyze, format json) {compiled}", {"count": 9, "after": 0}).fetchone()
            assert read is not None
        assert removed(read[0][0]["Plan"]) == 0

    def test_time_that_goes_by_while_jobs_are_staged_loses_none(self, store_url: str, clock: Clock):
        """On SQLite staging takes several statements: all of them must mean the same jobs."""
        ready = "penstock_ready_jobs" if store_url.startswith("sqlite:") else "penstock.ready_jobs"
        moving = f"({clock.expression} + (select count(*) from {ready}) * 1000)"  # a second for each job made ready
        with Penstock(store_url, now=moving) as app:
            @app.task(name="work")
            def work() -> None: ...

            engine = Engine(app, clock)
            ids = [work.using(run_after=timedelta(seconds=seconds)).enqueue().id for seconds in (1, 2, 3)]
            clock.advance(1)
            found: list[int] = []
            for _ in range(3):
                app.upkeep().stage()
                found += claimed(engine)
                clock.advance(1)
            assert found == ids


class TestPausing:
    def test_nothing_is_claimed_until_it_is_resumed(self, app: Penstock, work: Any, engine: Engine):
        ids = [work.enqueue(number).id for number in range(3)]
        app.pause("default")
        assert claimed(engine) == []
        ids.append(work.enqueue(3).id)  # jobs may come
        assert claimed(engine) == []
        app.resume("default")
        assert claimed(engine) == ids

    def test_other_queues_go_on(self, app: Penstock, work: Any, engine: Engine):
        app.pause("other")
        id = work.enqueue().id
        work.using(queue="other").enqueue()
        assert claimed(engine) == [id]
        assert engine.claim("other", 9) == []

    def test_it_is_remembered_once_and_forgotten_at_once(self, app: Penstock, engine: Engine, clock: Clock):
        app.pause("default")
        since = clock.now_ms
        clock.advance(60)
        app.pause("default")
        app.pause("other")
        assert clock.fetch("select queue, paused_at from penstock.queues order by queue") == [
            ("default", since), ("other", since + 60_000)]
        assert control.paused(app.store) == ["default", "other"]
        app.resume("default")
        app.resume("never-paused")
        assert control.paused(app.store) == ["other"]

    def test_due_jobs_are_staged_all_the_same(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        id = work.using(run_after=timedelta(seconds=5)).enqueue().id
        app.pause("default")
        clock.advance(5)
        assert app.upkeep().stage() == 1
        assert claimed(engine) == []
        app.resume("default")
        assert claimed(engine) == [id]

    def test_what_runs_goes_on_and_may_be_put_back(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        done, again = work.enqueue(1).id, work.enqueue(2).id
        jobs = engine.claim("default", 2)
        app.pause("default")
        assert settle(app.store, [Outcome(done, jobs[0].lease, "completed", keep_ms=60_000),
                                  Outcome(again, jobs[1].lease, "retryable", delay_ms=0)]) == set()
        app.upkeep().stage()
        assert claimed(engine) == []
        assert clock.fetch("select id, state from penstock.jobs order by id") == [
            (done, "completed"), (again, "available")]

    def test_workers_hear_of_it(self, app: Penstock, work: Any, workers: Workers):
        """Those that run, and those that are started while it is paused."""
        workers.start({"default": 1, "other": 1})
        work.enqueue()
        workers.wait_for({"completed": 1})
        app.pause("default")
        app.enqueue_many(work.call() for _ in range(3))
        later = workers.start({"default": 1})
        later.wake()
        work.using(queue="other").enqueue()
        workers.wait_for({"completed": 2, "available": 3})
        app.resume("default")
        workers.wait_for({"completed": 5})


def removed(plan: dict[str, Any]) -> int:
    """Rows that a plan has read and thrown away."""
    return int(plan.get("Rows Removed by Filter", 0)) + sum(removed(each) for each in plan.get("Plans", ()))
