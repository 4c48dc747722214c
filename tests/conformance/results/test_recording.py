"""Results are written with the settle of their jobs: those that were really settled, and no others."""

import sqlite3
from typing import Any

import psycopg
import pytest

from penstock import Cancel, Chunk, Jobs, Penstock, Result
from penstock.domain.errors import InvalidResult, NotCompleted, ResultTimeout
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from penstock.testing import drain, inline
from tests.clock import Clock
from tests.engine import Engine


def results(clock: Clock) -> list[Any]:
    return [text for (text,) in clock.fetch("select result from penstock.job_results order by job_id")]


def test_a_stale_lease_records_nothing(app: Penstock, clock: Clock):
    """Neither for a job that others have now, nor for one that has ended."""
    task = app.task(lambda: 1, name="work", result=Result())
    app.enqueue_many(task.call() for _ in range(3))
    engine = Engine(app, clock)
    lost, done, mine = engine.claim("default", 3)
    settle(app.store, [Outcome(lost.id, lost.lease, "available", counted=0)])
    settle(app.store, [Outcome(done.id, done.lease, "cancelled", keep_ms=1000)])
    outcomes = [Outcome(job.id, job.lease, "completed", keep_ms=1000, result=str(job.id), result_ms=1000)
                for job in (lost, done, mine)]
    assert settle(app.store, outcomes) == {lost.id, done.id}
    assert results(clock) == [str(mine.id)]


def test_ends_of_every_kind_are_settled_together(app: Penstock, clock: Clock):
    task = app.task(lambda: 1, name="work", result=Result())
    app.enqueue_many(task.call() for _ in range(5))
    engine = Engine(app, clock)
    a, b, c, d, e = engine.claim("default", 5)
    assert settle(app.store, [
        Outcome(a.id, a.lease, "completed", keep_ms=1000, result='"a"', result_ms=1000),
        Outcome(b.id, b.lease, "completed", keep_ms=2000),
        Outcome(c.id, c.lease, "discarded", keep_ms=1000, error_class="E", error="e"),
        Outcome(d.id, d.lease, "retryable", delay_ms=1000),
        Outcome(e.id, e.lease, "completed", keep_ms=1000, error_class="InvalidResult", error="too large"),
    ], [a.lease]) == set()
    assert dict(clock.fetch("select id, state from penstock.jobs")) == {  # type: ignore[arg-type]
        a.id: "completed", b.id: "completed", c.id: "discarded", d.id: "retryable", e.id: "completed"}
    assert results(clock) == ['"a"']
    assert clock.fetch("select count(*) from penstock.leases") == [(0,)]


def test_a_requeued_job_has_no_result_until_it_has_another(app: Penstock, clock: Clock):
    given = iter([1, 2])
    job = app.task(lambda: next(given), name="work", result=Result()).enqueue()
    drain(app)
    assert job.result(0) == 1
    assert app.requeue(job.id)
    assert results(clock) == []
    with pytest.raises(ResultTimeout, match="it has not ended"):
        job.result(0)
    drain(app)
    assert job.result(0) == 2


def test_a_task_that_records_nothing_writes_nothing(app: Penstock, clock: Clock):
    app.task(lambda: 1, name="work").enqueue()
    drain(app)
    assert results(clock) == []


def test_a_job_of_an_open_transaction_is_waited_for_in_vain_and_told_why(app: Penstock, store_url: str):
    task = app.task(lambda: 1, name="work", result=Result())
    connection: Any = (sqlite3.connect(store_url.removeprefix("sqlite:///")) if store_url.startswith("sqlite:")
                       else psycopg.connect(store_url))
    try:
        job = task.using(connection=connection).enqueue()
        with pytest.raises(ResultTimeout, match="in a transaction that is not committed yet"):
            job.result(0.02)
        connection.commit()
    finally:
        connection.close()
    drain(app)
    assert job.result(0) == 1


def test_a_call_with_many_jobs_says_the_result_of_each(app: Penstock):
    """Of those that it does not mention, None; what is no JSON is that of one job, and of no other."""
    @app.task(chunk=Chunk(size=10), result=Result())
    def work(jobs: Jobs[int]) -> dict[int, object]:
        return {job.id: {0: 7, 1: Cancel("no"), 2: object()}[job.arguments] for job in jobs if job.arguments < 3}

    jobs = app.enqueue_many(work.call(number) for number in range(4))
    assert drain(app).completed == 3
    assert (jobs[0].result(0), jobs[3].result(0)) == (7, None)
    with pytest.raises(NotCompleted, match="ended as cancelled: cancelled: no"):
        jobs[1].result(0)
    with pytest.raises(InvalidResult, match="a value of type object cannot be written as JSON"):
        jobs[2].result(0)


class TestInlineMode:
    def test_a_job_has_its_result_at_once(self, app: Penstock):
        @app.task(result=Result())
        def work(number: int) -> tuple[int, int]:
            return number, number

        @app.task(result=Result())
        async def awork() -> int:
            return 5

        with inline(app) as ran:
            assert work.enqueue(4).result() == (4, 4)
            assert awork.enqueue().result() == 5
            assert app.result(1) == (4, 4)
        assert [each.returned for each in ran.jobs] == [(4, 4), 5]

