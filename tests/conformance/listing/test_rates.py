"""Rates from what upkeep adds up, by minute and hour; and what waits in each queue."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import InvalidArguments
from penstock.queue.control import fold_counts
from penstock.testing import drain
from tests.clock import START_MS, Clock
from tests.engine import Engine

MINUTE = 60_000


def kept(app: Penstock) -> None:
    fold_counts(app.store)


def test_what_ends_and_comes_is_counted_by_the_minute(app: Penstock, clock: Clock, work: Any):
    app.enqueue_many([work.call(how) for how in ["well", "well", "fail", "cancel"]])
    app.tasks["again"].enqueue()
    drain(app)
    kept(app)
    clock.advance(120)
    work.enqueue()
    kept(app)
    rates = app.rates(START_MS)
    assert (rates.span_ms, rates.at) == (MINUTE, [START_MS, START_MS + MINUTE, START_MS + 2 * MINUTE])
    assert rates.states == {"enqueued": [5, 0, 1], "completed": [2, 0, 0], "retryable": [1, 0, 0],
                            "discarded": [1, 0, 0], "cancelled": [1, 0, 0]}
    assert rates.total("enqueued") == 6


def test_a_queue_and_a_task_have_rates_of_their_own(app: Penstock, work: Any):
    work.enqueue()
    app.tasks["again"].enqueue()
    drain(app)
    kept(app)
    assert app.rates(START_MS, queue="other").states["retryable"] == [1]
    assert app.rates(START_MS, task="work").states["completed"] == [1]
    assert app.rates(START_MS, queue="other", task="work").states["enqueued"] == [0]
    by_queue = app.rates_by("queue", START_MS)
    assert {name: rates.states["enqueued"] for name, rates in by_queue.items()} == {"default": [1], "other": [1]}
    assert set(app.rates_by("task", START_MS)) == {"work", "again"}


def test_a_job_that_moves_on_is_not_enqueued_again_but_one_that_is_put_back_is(app: Penstock, clock: Clock, work: Any):
    job = work.using(run_after=timedelta(seconds=1)).enqueue()
    kept(app)
    clock.advance(2)
    drain(app)
    kept(app)
    assert app.rates(START_MS).states["enqueued"] == [1]
    app.requeue(job.id)
    kept(app)
    assert app.rates(START_MS).states["enqueued"] == [2]
    assert app.rates(START_MS).states["completed"] == [1]


def test_hours_outlive_minutes_and_both_are_pruned(app: Penstock, clock: Clock, work: Any):
    work.enqueue()
    drain(app)
    kept(app)
    clock.advance(49 * 3600)
    app.upkeep().prune()
    assert clock.fetch("select distinct span from penstock.job_rates") == [("hour",)]
    hours = app.rates(START_MS)
    assert (hours.span_ms, len(hours.at), hours.states["completed"][0]) == (3_600_000, 50, 1)
    clock.advance(30 * 86_400)
    app.upkeep().prune()
    assert clock.fetch("select count(*) from penstock.job_rates") == [(0,)]


def test_jobs_that_are_pruned_change_no_rate(app: Penstock, clock: Clock, work: Any):
    work.enqueue()
    drain(app)
    kept(app)
    clock.advance(2 * 86_400)
    app.upkeep().prune()
    kept(app)
    rates = app.rates(START_MS, span="hour")
    assert (rates.total("enqueued"), rates.total("completed")) == (1, 1)


@pytest.mark.parametrize(("given", "says"), [({"since": 1.5}, "since"), ({"since": 0, "span": "day"}, "span")])
def test_what_cannot_be_is_refused(app: Penstock, work: Any, given: dict[str, Any], says: str):
    with pytest.raises(InvalidArguments, match=says):
        app.rates(**given)


def test_a_backlog_has_an_age(app: Penstock, clock: Clock, work: Any):
    app.enqueue_many([work.call() for _ in range(3)])
    clock.advance(90)
    work.enqueue()
    app.tasks["again"].using(run_after=timedelta(hours=1)).enqueue()
    Engine(app, clock).claim("default", 1)
    kept(app)
    app.pause("other")
    default, other = app.backlog()
    assert (default.queue, default.available, default.executing, default.oldest_at) == ("default", 3, 1, START_MS)
    assert (default.age_ms, default.paused_at) == (90_000, None)
    assert (other.queue, other.available, other.scheduled, other.oldest_at) == ("other", 0, 1, None)
    assert (other.age_ms, other.paused_at) == (None, clock.now_ms)


def test_a_queue_that_no_worker_has_looked_after_yet_is_there(app: Penstock, work: Any):
    work.enqueue()
    (found,) = app.backlog()
    assert (found.queue, found.available, found.paused_at) == ("default", 1, None)
