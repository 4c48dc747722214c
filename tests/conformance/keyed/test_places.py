"""Places of lines: who has one, who keeps it, and what gives it back, each once, whatever becomes of a job."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import Concurrency, Penstock, RetryPolicy
from penstock.domain.jobs import JobState, Outcome
from penstock.queue.claim import release, settle
from tests.clock import Clock
from tests.conformance.keyed.lines import Lines

SERIAL, ALSO = "serial:both:1", "concurrency:both:2"


@pytest.fixture(autouse=True)
def tasks(app: Penstock) -> None:
    app.task(name="both", serial="a", concurrency=Concurrency(4, by="b"))(_keyed)
    app.task(name="some", concurrency=Concurrency(2, by="b"))(_keyed)


def _keyed(a: int, b: int) -> None: ...


def admitted(app: Penstock, lines: Lines, task: str = "both") -> Any:
    """One that runs, claimed; the news so far is read."""
    job = app.tasks[task].enqueue(1, 2)
    lines.news()
    lines.admit(job.id)
    [claimed] = lines.claim()
    return claimed


@pytest.mark.parametrize("state", ["completed", "cancelled", "discarded", "scheduled"])
def test_a_job_that_ends_or_is_put_off_frees_the_places_of_both_its_keys(app: Penstock, lines: Lines, state: str):
    job = admitted(app, lines)
    assert lines.held() == {SERIAL: 1, ALSO: 1}
    assert lines.settle(job, state, delay_ms=5_000) == set()
    assert lines.news() == [(ALSO, 1, None, None, None), (SERIAL, 1, None, None, None)]
    lines.all_are_free()
    assert lines.settle(job, "completed") == {job.id}, "a second settle changes nothing"
    assert lines.news() == []


def test_a_batch_gives_one_news_for_each_line(app: Penstock, lines: Lines):
    jobs = [app.tasks["both"].enqueue(number % 2, 2) for number in range(6)]
    lines.news()
    lines.admit(*(job.id for job in jobs))
    claimed = lines.claim()
    settle(lines.store, [Outcome(job.id, job.lease, "completed") for job in claimed], [claimed[0].lease])
    assert lines.news() == [(ALSO, 6, None, None, None)] + [(f"serial:both:{n}", 3, None, None, None) for n in (0, 1)]


def test_a_serial_job_keeps_its_places_through_a_retry_and_goes_on_at_once_when_it_is_due(
        app: Penstock, lines: Lines, clock: Clock):
    job = admitted(app, lines)
    assert lines.settle(job, "retryable", delay_ms=5_000) == set()
    assert (lines.state(job.id), lines.news()) == ("retryable", [])
    assert lines.held() == {SERIAL: 1, ALSO: 1}
    clock.advance(5)
    assert app.upkeep().stage() == 1
    assert (lines.state(job.id), lines.pending(), lines.news()) == ("available", [], [])
    [again] = lines.claim()
    assert (again.id, again.attempt) == (job.id, 2)
    lines.settle(again, "completed")
    lines.all_are_free()


def test_a_job_with_only_a_number_gives_its_place_up_for_a_retry_and_waits_again(
        app: Penstock, lines: Lines, clock: Clock):
    job = admitted(app, lines, "some")
    lines.settle(job, "retryable", delay_ms=5_000)
    assert lines.news() == [("concurrency:some:2", 1, None, None, None)]
    clock.advance(5)
    app.upkeep().stage()
    assert lines.state(job.id) == "pending"
    assert lines.pending() == [("concurrency:some:2", job.id)]
    assert lines.news() == [("concurrency:some:2", 0, 2, None, None)]
    lines.admit(job.id)
    assert [each.attempt for each in lines.claim()] == [2]


def test_what_is_given_back_or_rescued_keeps_its_place(app: Penstock, lines: Lines, clock: Clock):
    job = admitted(app, lines)
    assert release(lines.store, [(job.id, job.lease)], [job.lease]) == set()
    assert (lines.state(job.id), lines.news()) == ("available", [])
    lines.start(lease_ms=1_000)
    [held] = lines.claim()
    clock.advance(2)
    assert app.upkeep().rescue() == 1
    assert (lines.state(job.id), lines.news(), lines.held()) == ("available", [], {SERIAL: 1, ALSO: 1})
    assert lines.settle(held, "completed") == {job.id}, "who was given up frees nothing"
    assert lines.news() == []
    lines.start()
    [again] = lines.claim()
    lines.settle(again, "completed")
    lines.all_are_free()


def test_a_job_that_lost_too_many_workers_frees_its_places(app: Penstock, lines: Lines, clock: Clock):
    app.task(name="once", serial="a", retry=RetryPolicy(max_attempts=1))(_keyed)
    job = app.tasks["once"].enqueue(1, 2)
    lines.news()
    lines.admit(job.id)
    for lost in range(3):
        lines.start(lease_ms=1_000)
        assert [each.id for each in lines.claim()] == [job.id]
        clock.advance(2)
        assert lines.held() == {"serial:once:1": 1}
        assert app.upkeep().rescue() == 1
        assert lines.state(job.id) == ("available" if lost < 2 else "discarded")
    lines.all_are_free()


def test_cancelled_while_it_waits_it_frees_nothing_and_its_line_is_looked_at_again(app: Penstock, lines: Lines):
    job = app.tasks["both"].enqueue(1, 2)
    lines.news()
    assert app.cancel(job.id) == JobState.CANCELLED
    assert (lines.pending(), lines.news()) == ([], [(SERIAL, 0, 1, None, None)])
    assert {each.state: each.jobs for each in app.counts()} == {"cancelled": 1}


@pytest.mark.parametrize("state", ["available", "retryable"])
def test_cancelled_with_a_place_it_frees_it(app: Penstock, lines: Lines, state: str):
    if state == "retryable":
        job = admitted(app, lines)
        lines.settle(job, "retryable", delay_ms=5_000)
    else:
        job = app.tasks["both"].enqueue(1, 2)
        lines.news()
        lines.admit(job.id)
    assert lines.state(job.id) == state
    assert app.cancel(job.id) == JobState.CANCELLED
    assert lines.news() == [(ALSO, 1, None, None, None), (SERIAL, 1, None, None, None)]
    lines.all_are_free()


@pytest.mark.parametrize("task", ["both", "some"])
def test_cancelled_before_it_is_due_it_frees_what_it_holds(app: Penstock, lines: Lines, task: str):
    job = app.tasks[task].using(run_after=timedelta(seconds=9)).enqueue(1, 2)
    assert app.cancel(job.id) == JobState.CANCELLED
    assert lines.news() == []
    job = admitted(app, lines, "some")
    lines.settle(job, "retryable", delay_ms=5_000)
    lines.news()
    assert app.cancel(job.id) == JobState.CANCELLED
    assert lines.news() == []


def test_a_requeued_job_waits_in_its_line_again(app: Penstock, lines: Lines, clock: Clock):
    job = admitted(app, lines)
    lines.settle(job, "discarded", error_class="Oops")
    lines.news()
    assert app.requeue(job.id)
    assert (lines.state(job.id), lines.pending()) == ("pending", [(SERIAL, job.id)])
    assert lines.news() == [(ALSO, 0, 4, None, None), (SERIAL, 0, 1, None, None)]
    lines.admit(job.id)
    [again] = lines.claim()
    lines.settle(again, "completed")
    lines.all_are_free()


def test_an_invalidated_job_frees_its_place_when_its_turn_comes(app: Penstock, lines: Lines):
    job = app.tasks["both"].using(tags=["offer:7"]).enqueue(1, 2)
    app.invalidate("offer:7")
    lines.news()
    assert lines.state(job.id) == "pending"
    lines.admit(job.id)
    [claimed] = lines.claim()
    assert claimed.stale == "invalidated"
    lines.settle(claimed, "cancelled")
    lines.all_are_free()


class TestAtMostOnce:
    """Settled before the body runs, with its places kept until it is told how that ended, or its lease is."""

    def begun(self, app: Penstock, lines: Lines) -> Any:
        job = admitted(app, lines)
        assert settle(lines.store, [Outcome(job.id, job.lease, "discarded", keep_ms=3_600_000,
                                            error_class="AtMostOnce", error="it began")]) == set()
        assert (lines.state(job.id), lines.news()) == ("discarded", [])
        assert lines.held() == {SERIAL: 1, ALSO: 1}
        return job

    def told(self, lines: Lines, job: Any) -> bool:
        return bool(lines.store.run("at_most_once_end", {
            "id": job.id, "lease": job.lease, "state": "completed", "took_ms": 1, "keep_ms": 3_600_000,
            "error_class": None, "error": None}))

    def test_they_are_free_when_it_is_told(self, app: Penstock, lines: Lines):
        job = self.begun(app, lines)
        assert self.told(lines, job)
        assert lines.news() == [(ALSO, 1, None, None, None), (SERIAL, 1, None, None, None)]
        assert not self.told(lines, job)
        assert app.upkeep().rescue() == 0
        assert lines.news() == []
        lines.all_are_free()

    def test_they_are_free_once_its_worker_is_lost(self, app: Penstock, lines: Lines, clock: Clock):
        job = self.begun(app, lines)
        app.upkeep().rescue()
        assert lines.held() == {SERIAL: 1, ALSO: 1}
        clock.advance(31)
        app.upkeep().rescue()
        app.upkeep().rescue()
        assert lines.news() == [(ALSO, 1, None, None, None), (SERIAL, 1, None, None, None)]
        assert self.told(lines, job), "what it came to is still worth to know"
        assert lines.news() == []
        lines.all_are_free()
