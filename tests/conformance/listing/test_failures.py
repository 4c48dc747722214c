"""The errors of a job's attempts: one of each that failed, bounded, and gone with the job."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, Retention, RetryPolicy, Snooze
from penstock.domain.errors import Throttled
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from penstock.testing import drain
from tests.clock import START_MS, Clock
from tests.engine import Engine

DAY = 86_400
SHORT = timedelta(hours=1)


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    @app.task(name="work", retry=RetryPolicy(max_attempts=100))
    def work() -> None: ...

    return Engine(app, clock, lease_ms=10_000)


def kept(clock: Clock) -> list[Any]:
    return clock.fetch("select job_id, attempt, error_class from penstock.attempt_errors order by job_id, lease")


def told(app: Penstock, id: int) -> list[tuple[int, str, str | None]]:
    found = app.job_found(id)
    assert found is not None
    return [(each.attempt, each.error_class, each.error) for each in found.failures]


def fail(engine: Engine, count: int = 1, state: str = "available", **more: Any) -> None:
    """Attempts of all jobs that are ready, after each of which they are ready again."""
    for _ in range(count):
        outcomes = [Outcome(job.id, job.lease, state, error_class=f"E{job.attempt}", error=f"e{job.attempt}", **more)
                    for job in engine.claim("default", 10)]
        assert outcomes
        assert settle(engine.app.store.control, outcomes) == set()


def test_each_attempt_that_failed_has_its_error_the_newest_first(app: Penstock, clock: Clock):
    said = iter(["one", "two", "three"])

    @app.task(name="thrice", retry=RetryPolicy(max_attempts=3, jitter=0))
    def thrice() -> None:
        clock.advance(1)
        raise ValueError(next(said))

    job = thrice.enqueue()
    for _ in range(3):
        drain(app, raising=False)
        clock.advance(DAY)
    found = app.job_found(job.id)
    assert found is not None
    assert (found.state, found.attempt) == ("discarded", 3)
    assert [(each.attempt, (each.error or "").splitlines()[-1]) for each in found.failures] == [
        (3, "ValueError: three"), (2, "ValueError: two"), (1, "ValueError: one")]
    assert {each.error_class for each in found.failures} == {"ValueError"}
    assert all("Traceback" in (each.error or "") for each in found.failures)
    assert found.failures[0].error == found.error
    assert [each.at for each in found.failures][::2] == [found.finished_at, START_MS + 1_000]
    assert kept(clock) == [(job.id, 1, "ValueError"), (job.id, 2, "ValueError")], "the last one stands with the job"


def test_what_counts_no_attempt_did_not_fail(app: Penstock, clock: Clock):
    how = iter([Snooze(timedelta(seconds=1)), Throttled(1), None])

    @app.task(name="later")
    def later() -> None:
        if (signal := next(how)) is not None:
            raise signal

    job = later.enqueue()
    for _ in range(3):
        drain(app, raising=False)
        clock.advance(DAY / 2)
    assert next(how, "over") == "over"
    assert told(app, job.id) == []
    assert kept(clock) == []


def test_a_stale_lease_leaves_no_error(app: Penstock, engine: Engine, clock: Clock):
    app.enqueue_many([app.tasks["work"].call()] * 3)
    again, ended, mine = engine.claim("default", 3)
    settle(app.store, [Outcome(again.id, again.lease, "available", counted=0),
                       Outcome(ended.id, ended.lease, "completed", keep_ms=10**9)])
    outcomes = [Outcome(job.id, job.lease, "retryable", error_class="Late", error="late", delay_ms=10**6)
                for job in (again, ended, mine)]
    assert settle(app.store, outcomes, [mine.lease]) == {again.id, ended.id}
    assert kept(clock) == [(mine.id, 1, "Late")]
    assert settle(app.store, outcomes) == {again.id, ended.id, mine.id}
    assert kept(clock) == [(mine.id, 1, "Late")]


def test_the_newest_25_of_each_job_are_kept(app: Penstock, engine: Engine, clock: Clock):
    first, second = (job.id for job in app.enqueue_many([app.tasks["work"].call()] * 2))
    fail(engine, 25)
    assert [attempt for attempt, _, _ in told(app, first)] == [*range(25, 0, -1)]
    fail(engine, 3)
    assert [attempt for attempt, _, _ in told(app, first)] == [*range(28, 3, -1)]
    assert told(app, first) == told(app, second)
    assert len(kept(clock)) == 50
    fail(engine, state="discarded", keep_ms=10**9)
    assert [attempt for attempt, _, _ in told(app, first)] == [*range(29, 4, -1)]


def test_an_attempt_of_a_lost_worker_is_one_that_failed(app: Penstock, engine: Engine, clock: Clock):
    job = app.tasks["work"].enqueue()
    assert engine.claim("default")
    clock.advance(11)
    app.upkeep().rescue()
    ((attempt, error_class, error),) = told(app, job.id)
    assert (attempt, error_class) == (1, "WorkerLost")
    assert "stopped renewing" in (error or "")


def test_a_job_that_is_put_back_keeps_them_with_the_last_one(app: Penstock, engine: Engine):
    job = app.tasks["work"].enqueue()
    fail(engine)
    fail(engine, state="discarded", keep_ms=10**9)
    assert app.requeue(job.id)
    before = [(2, "E2", "e2"), (1, "E1", "e1")]
    assert told(app, job.id) == before
    fail(engine)
    assert told(app, job.id) == [(1, "E1", "e1"), *before], "it counts its attempts anew"
    assert app.discard(job.id, "enough")
    assert told(app, job.id) == [(1, "E1", "e1"), *before], "no attempt failed then"
    assert app.requeue(job.id)
    assert told(app, job.id) == [(1, "E1", "e1"), *before]


KEPT = [timedelta(0), timedelta(hours=20), timedelta(days=3), timedelta(days=100)]


@pytest.mark.parametrize("keep", KEPT, ids=str)
def test_they_go_with_their_job(app: Penstock, engine: Engine, clock: Clock, keep: timedelta):
    """In every part of the finished jobs; those of a job that is kept for longer, or lives, stay."""
    going, staying, living = (job.id for job in app.enqueue_many([app.tasks["work"].call()] * 3))
    fail(engine)
    keep_ms = {going: keep // timedelta(milliseconds=1), staying: 10**12}
    settle(app.store, [Outcome(job.id, job.lease, "completed", keep_ms=keep_ms[job.id])
                       for job in engine.claim("default", 3) if job.id != living])
    for _ in range(4 if keep else 0):
        clock.advance(keep.total_seconds() / 5)
        app.upkeep().prune()
        assert [id for id, _, _ in kept(clock)] == [going, staying, living]
    clock.advance(keep.total_seconds() / 5)
    for _ in range(8):  # a part is emptied when all in it is past its time
        clock.advance(DAY / 2 if keep <= timedelta(days=1) else 2 * DAY)
        app.upkeep().prune()
    assert app.job_found(going) is None
    assert [id for id, _, _ in kept(clock)] == [staying, living]


def test_a_pass_takes_all_of_them_however_many_and_says_so(app: Penstock, engine: Engine, clock: Clock):
    app.enqueue_many([app.tasks["work"].call()] * 1_005)
    for state in ("available", "discarded"):
        jobs = engine.claim("default", 1_005)
        assert len(jobs) == 1_005
        settle(app.store, [Outcome(job.id, job.lease, state, error_class="E", error="e") for job in jobs])
    assert len(kept(clock)) == 1_005
    clock.advance(DAY)
    told = [removed for what, removed in app.upkeep().pruning() if what == "errors of attempts"]
    assert kept(clock) == []
    assert told == ([1_000, 5] if app.store.slots else [0]), "where there are no parts they go with the rows"


def test_a_job_that_is_kept_keeps_them_to_its_end(app: Penstock, engine: Engine, clock: Clock):
    job = app.tasks["work"].enqueue()
    fail(engine)
    fail(engine, state="discarded", keep_ms=30 * DAY * 1000)
    for _ in range(29):
        clock.advance(DAY)
        app.upkeep().prune()
    assert [attempt for attempt, _, _ in told(app, job.id)] == [2, 1]


def test_what_goes_well_leaves_nothing(app: Penstock, clock: Clock):
    app.task(lambda: None, name="well", retention=Retention(completed=SHORT)).enqueue()
    drain(app)
    assert kept(clock) == []
