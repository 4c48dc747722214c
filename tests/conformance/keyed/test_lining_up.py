"""Enqueueing keyed jobs: in every way they wait as pending, in the lines of their keys, with one news for each line."""

import asyncio
import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Concurrency, Penstock, Quota, Rate, Unique
from penstock.queue.control import Count
from penstock.store.postgres import bulk
from tests.caller import caller
from tests.clock import Clock
from tests.conformance.keyed.lines import Lines

SERIAL = ("serial:work:1", 0, 1, None, None)
ALSO = ('concurrency:work:"north"', 0, 4, None, None)


@pytest.fixture
def work(app: Penstock) -> Any:
    @app.task(name="work", serial="customer", concurrency=Concurrency(4, by="region"))
    def work(customer: int, region: str = "north") -> None: ...

    return work


def test_a_job_waits_in_its_line_with_one_news_for_each_of_its_keys(
        app: Penstock, lines: Lines, clock: Clock, work: Any):
    job = work.using(priority=3).enqueue(1)
    assert (job.task, job.skipped) == ("work", False)
    assert lines.state(job.id) == "pending"
    assert clock.fetch("select line, rank, id, queue from penstock.pending_jobs") == [
        ("serial:work:1", clock.now_ms - 3 * 60_000, job.id, "default")]
    assert clock.fetch("select line, also, in_order from penstock.live_jobs") == [
        ("serial:work:1", 'concurrency:work:"north"', True)]
    assert not clock.fetch("select 1 from penstock.ready_jobs")
    assert lines.news() == [ALSO, SERIAL]
    assert app.counts() == [Count("default", "work", "pending", 1)]


@pytest.mark.parametrize("least", [2, 1000], ids=["by COPY", "by a statement"])
def test_many_give_one_news_for_each_line_and_jobs_without_keys_among_them_are_available(
        app: Penstock, lines: Lines, clock: Clock, work: Any, least: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "LEAST", least)
    plain = app.task(name="plain")(lambda: None)
    later = work.using(run_after=timedelta(seconds=9))
    odd = '\t\n\\ " ☃ \x00'
    calls = [work.call(number % 3, odd) for number in range(9)] + [plain.call(), later.call(7), work.call(1)]
    jobs = app.enqueue_many(calls)
    assert [job.id for job in jobs] == sorted({job.id for job in jobs})
    assert [job.task for job in jobs] == ["work"] * 9 + ["plain", "work", "work"]
    states = [lines.state(job.id) for job in jobs]
    assert states == ["pending"] * 9 + ["available", "scheduled", "pending"]
    assert lines.pending() == [("serial:work:0", jobs[i].id) for i in (0, 3, 6)] + [
        ("serial:work:1", jobs[i].id) for i in (1, 4, 7, 11)] + [("serial:work:2", jobs[i].id) for i in (2, 5, 8)]
    concurrency = 'concurrency:work:"\\t\\n\\\\ \\" ☃ \\u0000"'
    news = lines.news()
    assert len(news) == 5
    assert set(news) == {ALSO, (concurrency, 0, 4, None, None)} | {
        (f"serial:work:{number}", 0, 1, None, None) for number in range(3)}
    assert clock.fetch("select id from penstock.ready_jobs") == [(jobs[9].id,)]
    assert {(each.task, each.state): each.jobs for each in app.counts()} == {
        ("plain", "available"): 1, ("work", "pending"): 10, ("work", "scheduled"): 1}


def test_a_skipped_double_waits_nowhere(app: Penstock, lines: Lines, work: Any):
    only = work.using(unique=Unique())
    first, second, third = app.enqueue_many([only.call(1), only.call(1), only.call(2)])
    assert (second.id, second.skipped, third.skipped) == (first.id, True, False)
    assert only.enqueue(1).id == first.id
    assert [id for _, id in lines.pending()] == [first.id, third.id]
    assert lines.news() == [ALSO, SERIAL, ("serial:work:2", 0, 1, None, None)]


@pytest.mark.parametrize(("states", "met"), [(("scheduled", "pending"), True), (("scheduled",), False)])
def test_a_key_that_is_kept_while_a_job_waits_is_kept_while_it_is_pending(
        app: Penstock, work: Any, clock: Clock, states: tuple[str, ...], met: bool):
    only = work.using(unique=Unique(states=states))
    first = only.enqueue(1)
    assert only.enqueue(1).skipped == met
    later = work.using(unique=Unique(states=states), run_after=timedelta(seconds=9))
    scheduled = later.enqueue(2)
    assert later.enqueue(2).id == scheduled.id
    clock.advance(10)
    app.upkeep().stage()
    assert later.enqueue(2).skipped == met
    assert first.id < scheduled.id


def test_in_a_transaction_nothing_is_seen_before_it_commits(
        app: Penstock, lines: Lines, work: Any, store_url: str, clock: Clock):
    with closing(caller(store_url)) as connection:
        work.using(connection=connection).enqueue(1)
        assert not lines.pending()
        connection.rollback()
        assert not lines.news()
        app.using(connection=connection).enqueue_many([work.call(1), work.call(1)])
        connection.commit()
    assert [line for line, _ in lines.pending()] == ["serial:work:1"] * 2
    assert lines.news() == [ALSO, SERIAL]


def test_from_async_code(lines: Lines, work: Any):
    job = asyncio.run(work.aenqueue(1))
    assert lines.pending() == [("serial:work:1", job.id)]


def test_what_is_due_later_begins_to_wait_when_it_is_due(app: Penstock, lines: Lines, clock: Clock, work: Any):
    first, second = (work.using(run_after=timedelta(seconds=9)).enqueue(1) for _ in range(2))
    assert (lines.state(first.id), lines.news(), lines.pending()) == ("scheduled", [], [])
    clock.advance(9)
    assert app.upkeep().stage() == 2
    assert lines.pending() == [("serial:work:1", first.id), ("serial:work:1", second.id)]
    assert clock.fetch("select distinct rank from penstock.pending_jobs") == [(clock.now_ms,)]
    assert lines.news() == [ALSO, SERIAL]
    assert app.counts() == [Count("default", "work", "pending", 2)]


@pytest.mark.parametrize("least", [2, 1000], ids=["by COPY", "by a statement"])
def test_news_tell_the_lowest_rank_that_came_or_went(app: Penstock, lines: Lines, clock: Clock, work: Any, least: int,
                                                     monkeypatch: pytest.MonkeyPatch):
    """So nothing that lies before it is looked at again."""
    def told() -> list[tuple[Any, ...]]:
        rows = clock.fetch("select line, rank from penstock.line_news order by line desc")
        lines.news()
        return rows

    def rank(priority: int) -> list[tuple[Any, ...]]:
        lowest = clock.now_ms - priority * 60_000
        return [("serial:work:1", lowest), (ALSO[0], lowest)]

    monkeypatch.setattr(bulk, "LEAST", least)
    jobs = app.enqueue_many([work.using(priority=priority).call(1) for priority in (0, 3, 1)])
    assert told() == rank(3)
    app.enqueue_many([work.using(priority=priority, run_after=timedelta(seconds=9)).call(1) for priority in (0, 2, 1)])
    clock.advance(9)
    assert told() == []
    assert app.upkeep().stage() == 3
    assert told() == rank(2)
    clock.advance(-9)
    app.cancel(jobs[2].id)
    assert told() == rank(1)[:1]
    clock.advance(9)
    app.requeue(jobs[2].id)
    assert told() == rank(1)


def test_a_hundred_thousandth_value_costs_what_the_first_did(app: Penstock, lines: Lines, clock: Clock, work: Any):
    """Nothing is looked up by an enqueue: each value is a line of its own, told once."""
    app.enqueue_many([work.call(number) for number in range(3000)])
    assert len(lines.pending()) == 3000
    assert len(lines.news()) == 3001


def test_jobs_of_a_task_with_only_limits_wait_in_a_line_of_those(app: Penstock, lines: Lines):
    @app.task(name="mail", limits=[Rate(100, per="minute", by="smtp"), Quota(500, per="day", by="customer")])
    def mail(customer: int) -> None: ...

    job = mail.enqueue(7)
    assert lines.pending() == [("limit:smtp mail:7", job.id)]
    [(line, freed, most, pace_us, gates)] = lines.news()
    assert (line, freed, most, pace_us) == ("limit:smtp mail:7", 0, None, 600_000)
    assert json.loads(gates) == ["smtp", "mail:7"]
