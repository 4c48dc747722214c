"""Asking for what a job returned: what comes back, and what is said where nothing does."""

import asyncio
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from penstock import Cancel, Job, Penstock, Result, Retention, RetryPolicy, Snooze, Unique, current_job
from penstock.domain.errors import (
    ConfigurationError,
    DeclarationError,
    InvalidResult,
    JobCancelled,
    NoResult,
    NotCompleted,
    ResultError,
    ResultGone,
    ResultTimeout,
)
from penstock.events import ResultRefused
from penstock.testing import drain
from tests.clock import Clock
from tests.conformance.workers import Workers

ONCE = RetryPolicy(max_attempts=1)


@dataclass
class Total:
    pence: int
    at: datetime


class Tree(msgspec.Struct):
    """A type that has itself for a field."""

    name: str
    below: list["Tree"] = []


class Odd:
    """A class of somebody's own."""


class Whole(msgspec.Struct):
    part: Odd | None = None


@pytest.mark.parametrize(("annotation", "value", "expected"), [
    (Tree, Tree("a", [Tree("b")]), Tree("a", [Tree("b")])),
    (object, [1], [1]),
    (Total, Total(7, datetime(2026, 1, 1, tzinfo=UTC)), Total(7, datetime(2026, 1, 1, tzinfo=UTC))),
    (None, Total(7, datetime(2026, 1, 1, tzinfo=UTC)), {"pence": 7, "at": "2026-01-01T00:00:00Z"}),
    (tuple[int, str], (1, "a\0\"\\'\n"), (1, "a\0\"\\'\n")),
    (int | Snooze | Cancel, 5, 5),
    (Snooze | None, None, None),
    (dict[str, Any], {"": None}, {"": None}),
])
def test_a_value_comes_back_as_the_task_says_that_it_returns_it(app: Penstock, annotation: Any, value: Any,
                                                                expected: Any):
    def work() -> Any:
        return value

    if annotation is None:
        del work.__annotations__["return"]
    else:
        work.__annotations__["return"] = annotation
    job = app.task(work, name="work", result=Result()).enqueue()
    drain(app)
    assert job.result(0) == expected
    assert app.result(job.id, 0) == expected
    assert asyncio.run(job.aresult(0)) == expected
    assert asyncio.run(app.aresult(job.id, 0)) == expected


@pytest.mark.parametrize("colour", ["thread", "event loop"])
@pytest.mark.parametrize("options", [{}, {"ack": "each"}, {"delivery": "at_most_once"}, {"serial": "number"}],
                         ids=lambda options: next(iter(options.values()), "batch"))
def test_jobs_of_every_kind_record_theirs(app: Penstock, workers: Workers, options: Any, colour: str):
    """Enqueued at once, waited for while workers run them."""
    def work(number: int) -> int:
        return number * number

    async def awork(number: int) -> int:
        return number * number

    body: Any = work if colour == "thread" else awork
    task = app.task(body, name="work", result=Result(), **options)
    jobs = app.enqueue_many(task.call(number) for number in range(20))
    workers.start()
    assert [job.result(60) for job in jobs] == [number * number for number in range(20)]


def test_a_job_that_waits_for_another_is_given_its_result(app: Penstock, workers: Workers):
    @app.task(result=Result())
    def part(number: int) -> int:
        return number + 1

    @app.task(result=Result())
    async def whole() -> list[int]:
        jobs = [await part.aenqueue(number) for number in range(3)]
        return [await job.aresult(60) for job in jobs]

    job = whole.enqueue()
    workers.start({"default": 2})
    assert job.result(60) == [1, 2, 3]


def test_a_job_that_was_met_gives_the_result_of_the_one_that_runs(app: Penstock):
    @app.task(unique=Unique(), result=Result())
    def work() -> int:
        return current_job().id

    first, second = work.enqueue(), work.enqueue()
    assert second.skipped
    drain(app)
    assert first.result(0) == second.result(0) == first.id


class TestWhereThereIsNone:
    def test_in_time(self, app: Penstock):
        @app.task(result=Result())
        def work() -> int:
            return 1

        job = work.enqueue()
        with pytest.raises(ResultTimeout, match=r"expected its result within 0.02 s, got none: it has not ended"):
            job.result(timeout=0.02)
        with pytest.raises(TimeoutError):
            asyncio.run(job.aresult(timeout=0.02))
        drain(app)
        assert job.result() == 1

    @pytest.mark.parametrize(("end", "state", "error_class", "message"), [
        (Cancel("no such report"), "cancelled", "cancelled", "ended as cancelled: cancelled: no such report"),
        (ValueError("a bad row"), "discarded", "ValueError", "ended as discarded: ValueError: a bad row"),
    ], ids=["cancelled", "discarded"])
    def test_since_the_job_did_not_complete(self, app: Penstock, end: Exception, state: str, error_class: str,
                                            message: str):
        @app.task(result=Result(), retry=ONCE)
        def work() -> int:
            raise end

        job = work.enqueue()
        drain(app)
        with pytest.raises(NotCompleted, match=f"{message}$") as caught:
            job.result(0)
        assert (caught.value.state, caught.value.error_class) == (state, error_class)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.state, again.error) == (str(caught.value), state, caught.value.error)

    def test_since_it_was_cancelled_while_it_waited(self, app: Penstock):
        job = app.task(lambda: 1, name="work", result=Result()).using(run_after=timedelta(days=1)).enqueue()
        app.cancel(job.id, reason="asked for by ann")
        with pytest.raises(NotCompleted, match="ended as cancelled: cancelled: asked for by ann"):
            job.result(0)

    def test_since_the_task_records_none(self, app: Penstock):
        job = app.task(lambda: 1, name="work").enqueue()
        drain(app)
        with pytest.raises(NoResult, match="task work records no result: declare it with"):
            job.result(0)

    def test_since_it_was_kept_for_long_enough(self, app: Penstock, clock: Clock):
        job = app.task(lambda: 1, name="work", result=Result(keep=timedelta(minutes=1))).enqueue()
        drain(app)
        clock.advance(59)
        app.upkeep().prune()
        assert job.result(0) == 1
        clock.advance(1)
        with pytest.raises(ResultGone, match="its result is not kept any more"):
            job.result(0)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.job_results") == [(0,)]
        with pytest.raises(ResultGone, match="its result is not kept any more"):
            job.result(0)

    def test_since_its_job_is_gone(self, app: Penstock, clock: Clock):
        job = app.task(lambda: 1, name="work", result=Result()).enqueue()
        drain(app)
        clock.advance(40 * 86_400)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.jobs") == [(0,)]
        with pytest.raises(ResultGone, match=f"job {job.id}: expected a job, got none"):
            job.result(0)
        with pytest.raises(ResultTimeout, match="no such job is to be seen: .* not committed yet"):
            app.result(job.id, 0)

    def test_since_a_job_at_most_once_has_only_begun(self, app: Penstock, workers: Workers):
        @app.task(delivery="at_most_once", result=Result())
        def work() -> int:
            with pytest.raises(ResultTimeout, match="it has not ended"):
                app.result(current_job().id, 0.01)
            return 3

        job = work.enqueue()
        workers.start({"default": 1})
        assert job.result(60) == 3

    def test_since_the_waiting_job_is_told_to_end(self, app: Penstock, workers: Workers):
        never = app.task(lambda: 1, name="never", queue="other", result=Result()).enqueue()
        heard: list[type] = []

        @app.task
        def work() -> None:
            try:
                never.result(60)
            except JobCancelled as error:
                heard.append(type(error))
                raise

        id = work.enqueue().id
        workers.start({"default": 1})
        workers.wait_for({"available": 1, "executing": 1})
        app.cancel(id)
        workers.wait_for({"available": 1, "cancelled": 1})
        assert heard == [JobCancelled]

    def test_since_the_job_is_a_copy(self, app: Penstock):
        job = app.task(lambda: 1, name="work", result=Result()).enqueue()
        copy = pickle.loads(pickle.dumps(job))
        assert copy == job
        assert hash(copy) == hash(job)
        assert repr(copy) == repr(job)
        assert repr(job).startswith(f"Job(id={job.id}, task='work', queue='default', skipped=False")
        for each in (copy, Job(job.id, "work", "default")):
            with pytest.raises(ResultError, match=rf"ask app.result\({job.id}\)"):
                each.result(0)

    @pytest.mark.parametrize("timeout", [-1, "soon", True])
    def test_since_the_timeout_is_none(self, app: Penstock, timeout: Any):
        with pytest.raises(ConfigurationError, match="timeout: expected seconds of 0 or more, or None"):
            app.result(1, timeout)


class TestWhatCannotBeRecorded:
    """The work is done: to do it again would not help, so the job has completed, and says what is wrong."""

    @pytest.mark.parametrize(("value", "message"), [
        ("x" * 99, "expected at most 100 bytes as JSON, got 101"),
        (object(), "a value of type object cannot be written as JSON"),
        ("\ud800", "what it returned was not recorded"),
    ])
    @pytest.mark.parametrize("options", [{}, {"ack": "each"}, {"delivery": "at_most_once"}],
                             ids=["batch", "each", "at most once"])
    def test_completes_its_job_all_the_same(self, app: Penstock, clock: Clock, value: Any, message: str, options: Any):
        told: list[Any] = []
        app.listen(told.append)
        runs: list[int] = []

        def work() -> Any:
            runs.append(1)
            return value

        job = app.task(work, name="work", result=Result(limit_bytes=100), **options).enqueue()
        assert drain(app, with_scheduled=True).completed == 1
        with pytest.raises(InvalidResult, match=f"task work completed, and .*{message}"):
            job.result(0)
        assert runs == [1]
        assert [event.job_id for event in told if isinstance(event, ResultRefused)] == [job.id]
        assert clock.fetch("select state, error_class from penstock.jobs") == [("completed", "InvalidResult")]
        assert clock.fetch("select count(*) from penstock.job_results") == [(0,)]

    def test_what_fits_no_more_is_told_to_who_asks(self, app: Penstock, store_url: str, clock: Clock):
        job = app.task(lambda: "a", name="work", result=Result()).enqueue()
        drain(app)

        def newer() -> int:
            return 1

        with Penstock(store_url, now=clock.expression) as other:
            assert other.result(job.id, 0) == "a", "who does not know the task is given what JSON says"
            other.task(newer, name="work", result=Result())
            with pytest.raises(InvalidResult, match="expected a result of <class 'int'>, as it says that it returns"):
                other.result(job.id, 0)

    @pytest.mark.parametrize(("options", "message"), [
        ({"result": True}, r"result: expected Result\(\), got True"),
        ({"result": Result(keep=timedelta(days=2))}, "expected keep of at most the 1 day"),
        ({"result": Result(), "retention": Retention(completed=timedelta(0))}, "expected keep of at most the 0:00:00"),
    ])
    def test_is_a_fault_of_the_declaration_where_it_can_be_told(self, app: Penstock, options: Any, message: str):
        with pytest.raises(DeclarationError, match=message):
            app.task(lambda: 1, name="work", **options)

    @pytest.mark.parametrize("annotation", [list[int] | set[int], complex, dict[str, Iterable[int]], Whole | None])
    def test_an_annotation_that_cannot_come_from_json(self, app: Penstock, annotation: Any):
        def work() -> Any:
            return []

        work.__annotations__["return"] = annotation
        with pytest.raises(DeclarationError, match="task work: what it returns cannot come from JSON"):
            app.task(work, name="work", result=Result())

    @pytest.mark.parametrize("given", [{"limit_bytes": 0}, {"limit_bytes": 1.5}, {"keep": timedelta(0)}, {"keep": 5}])
    def test_a_result_that_cannot_be(self, given: Any):
        with pytest.raises(DeclarationError, match=f"result: {next(iter(given))}: expected"):
            Result(**given)
