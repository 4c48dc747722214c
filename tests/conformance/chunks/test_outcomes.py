"""What becomes of the jobs of one call: what was said of each, and what the call came to of those that are left."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Chunk, ChunkJob, Jobs, Outcomes, Penstock, Retry, RetryPolicy, Snooze, Unique, current_job
from penstock.events import JobFailed, JobSkipped, OutcomesInvalid
from penstock.testing import drain
from tests.caller import transaction
from tests.clock import Clock
from tests.conformance.workers import Workers

SLOWLY = RetryPolicy(max_attempts=2, base_seconds=600)
HOUR = timedelta(hours=1)


@dataclass
class Document:
    id: int
    text: str = ""


def said_of(app: Penstock, says: Any, count: int = 4, **options: Any) -> tuple[list[Any], list[list[int]]]:
    """Enqueue so many documents, and run them by a task that says what `says` makes of them; the numbers of each
    call's documents."""
    calls: list[list[int]] = []

    @app.task(name="index", chunk=Chunk(size=100), retry=SLOWLY, **options)
    def index(jobs: Jobs[Document]) -> Any:
        calls.append([job.arguments.id for job in jobs])
        return says(jobs)

    jobs = app.enqueue_many(index.call(Document(number)) for number in range(count))
    drain(app)
    return jobs, calls


def states(workers: Workers, jobs: list[Any]) -> list[tuple[str, int, str | None]]:
    return [workers.job(job.id, "state, attempt, error_class") for job in jobs]


DONE = ("completed", 1, None)


def test_one_call_receives_all_and_none_means_that_they_completed(app: Penstock, workers: Workers):
    jobs, calls = said_of(app, lambda jobs: None)
    assert calls == [[0, 1, 2, 3]]
    assert states(workers, jobs) == [DONE] * 4
    assert workers.counts_agree()


def test_no_more_than_the_size_in_a_call(app: Penstock, workers: Workers):
    sizes = []

    @app.task(chunk=Chunk(size=3))
    def index(jobs: Jobs[int]) -> None:
        sizes.append([job.arguments for job in jobs])

    app.enqueue_many(index.call(number) for number in range(8))
    drain(app)
    assert sizes == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_each_has_the_outcome_that_was_said_of_it(app: Penstock, workers: Workers):
    def says(jobs: Jobs[Document]) -> Outcomes:
        return {jobs[0].id: Retry(HOUR, reason="busy"), jobs[1].id: Cancel("withdrawn"), jobs[2].id: Snooze(HOUR),
                jobs[3].id: ValueError("broken"), jobs[4].id: None}

    jobs, _ = said_of(app, says, 6)
    assert states(workers, jobs) == [("retryable", 1, "Retry"), ("cancelled", 1, "cancelled"), ("scheduled", 0, None),
                                     ("retryable", 1, "ValueError"), DONE, DONE]
    assert workers.job(jobs[1].id, "error") == "withdrawn"
    assert [each.job_id for each in workers.told(JobFailed)] == [jobs[0].id, jobs[3].id]
    assert workers.counts_agree()


def test_jobs_may_be_named_by_themselves(app: Penstock, workers: Workers):
    jobs, _ = said_of(app, lambda jobs: {job: Cancel() for job in jobs if job.arguments.id % 2})
    assert [workers.job(job.id) for job in jobs] == ["completed", "cancelled"] * 2


@pytest.mark.parametrize(("error", "expected"), [
    (ValueError("no index"), ("retryable", 1, "ValueError")), (Snooze(HOUR), ("scheduled", 0, None)),
    (Cancel("over"), ("cancelled", 1, "cancelled")), (Retry(HOUR), ("retryable", 1, "Retry"))])
def test_what_is_raised_holds_for_all_of_them(app: Penstock, workers: Workers, error: Exception, expected: Any):
    def raises(jobs: Jobs[Document]) -> None:
        raise error

    jobs, _ = said_of(app, raises)
    assert states(workers, jobs) == [expected] * 4


def test_a_signal_that_is_returned_holds_for_all_of_them(app: Penstock, workers: Workers):
    jobs, _ = said_of(app, lambda jobs: Snooze(HOUR))
    assert states(workers, jobs) == [("scheduled", 0, None)] * 4


def test_each_counts_its_own_attempts(app: Penstock, clock: Clock, workers: Workers):
    """One that is new goes with those that are tried again, and outlives them."""
    attempts: list[list[int]] = []

    @app.task(chunk=Chunk(size=10), retry=RetryPolicy(max_attempts=2, base_seconds=10, jitter=0))
    def index(jobs: Jobs[int]) -> None:
        attempts.append([job.attempt for job in jobs])
        raise ValueError

    old = app.enqueue_many(index.call(number) for number in range(2))
    drain(app)
    clock.advance(10)
    new = index.enqueue(2)
    drain(app)
    assert [sorted(each) for each in attempts] == [[1, 1], [1, 2, 2]]
    assert [workers.job(job.id, "state, attempt") for job in [*old, new]] == [
        ("discarded", 2), ("discarded", 2), ("retryable", 1)]


class TestWhatCannotBeSaid:
    def test_outcomes_of_jobs_that_it_was_not_given(self, app: Penstock, workers: Workers):
        """What was said of its own jobs stands; of the others nobody knows whether it was meant, so they go again."""
        jobs, _ = said_of(app, lambda jobs: {jobs[0].id: Cancel(), jobs[1].id: None, 10**9: Retry(HOUR), "seven": None})
        assert states(workers, jobs) == [("cancelled", 1, "cancelled"), DONE, ("retryable", 1, "InvalidOutcomes"),
                                         ("retryable", 1, "InvalidOutcomes")]
        (told,) = workers.told(OutcomesInvalid)
        assert told.task == "index"
        assert "2 of jobs that it was not given (1000000000, 'seven')" in told.error
        assert "1000000000, 'seven'" in workers.job(jobs[2].id, "error")

    def test_they_are_told_even_if_nothing_else_is_left_open(self, app: Penstock, workers: Workers):
        jobs, _ = said_of(app, lambda jobs: {**dict.fromkeys((job.id for job in jobs), None), -1: Cancel()})
        assert states(workers, jobs) == [DONE] * 4
        assert len(workers.told(OutcomesInvalid)) == 1

    def test_a_value_that_is_no_outcome_fails_its_job_alone(self, app: Penstock, workers: Workers):
        jobs, _ = said_of(app, lambda jobs: {jobs[0].id: "done", jobs[1].id: Cancel()})
        assert states(workers, jobs) == [("retryable", 1, "InvalidOutcomes"), ("cancelled", 1, "cancelled"), DONE, DONE]
        assert "got a value of type str" in workers.job(jobs[0].id, "error")

    @pytest.mark.parametrize("result", [True, [Cancel()], "done"])
    def test_what_is_no_mapping_fails_the_call(self, app: Penstock, workers: Workers, result: object):
        jobs, _ = said_of(app, lambda jobs: result)
        assert states(workers, jobs) == [("retryable", 1, "InvalidOutcomes")] * 4
        assert "expected None, or a mapping" in workers.job(jobs[0].id, "error")


class TestWhatNeedNotRun:
    def test_what_is_stale_is_left_out(self, app: Penstock, workers: Workers, clock: Clock):
        seen = []

        @app.task(chunk=Chunk(size=10), valid_if=lambda document: document.text != "pointless")
        def index(jobs: Jobs[Document]) -> None:
            seen.extend(job.arguments.id for job in jobs)

        good = index.enqueue(Document(0))
        invalidated = index.using(tags="offer:7").enqueue(Document(1))
        late = index.using(deadline=timedelta(seconds=5)).enqueue(Document(2))
        pointless = index.enqueue(Document(3, "pointless"))
        app.invalidate("offer:7")
        clock.advance(6)
        drain(app)
        assert seen == [0]
        assert states(workers, [good, invalidated, late, pointless]) == [
            DONE, ("cancelled", 0, "invalidated"), ("cancelled", 0, "deadline"), ("cancelled", 0, "invalid")]
        assert {each.job_id for each in workers.told(JobSkipped)} == {invalidated.id, late.id}

    def test_a_question_that_raises_fails_the_job_that_it_was_about(self, app: Penstock, workers: Workers):
        def asks(document: Document) -> bool:
            return 1 / document.id > 0

        jobs, calls = said_of(app, lambda jobs: None, 3, valid_if=asks)
        assert calls == [[1, 2]]
        assert states(workers, jobs) == [("retryable", 1, "ZeroDivisionError"), DONE, DONE]

    def test_the_function_is_not_called_where_nothing_is_left(self, app: Penstock, workers: Workers):
        jobs, calls = said_of(app, lambda jobs: None, valid_if=lambda document: False)
        assert calls == []
        assert states(workers, jobs) == [("cancelled", 0, "invalid")] * 4

    def test_arguments_that_no_longer_fit_fail_their_job_alone(self, app: Penstock, workers: Workers, clock: Clock):
        seen = []

        @app.task(chunk=Chunk(size=10), retry=SLOWLY)
        def index(jobs: Jobs[Document]) -> None:
            seen.extend(job.arguments for job in jobs)

        jobs = app.enqueue_many(index.call(Document(number)) for number in range(3))
        table = "penstock.live_jobs" if app.store.dialect == "postgres" else "penstock_live_jobs"
        clock._connection.execute(f"update {table} set arguments = '{{\"id\":\"x\"}}' where id = {jobs[1].id}")
        drain(app)
        assert seen == [Document(0), Document(2)]
        assert states(workers, jobs) == [DONE, ("retryable", 1, "InvalidArguments"), DONE]


def test_each_is_enqueued_as_any_other_job(app: Penstock, workers: Workers, store_url: str):
    """In bulk, in a transaction, unique by a field, with what is its own."""
    seen: list[list[int]] = []

    @app.task(chunk=Chunk(size=10), unique=Unique(args=("id",)), ack="each")
    def index(jobs: Jobs[Document]) -> None:
        seen.append([job.arguments.id for job in jobs])

    with transaction(store_url) as connection:
        first = index.using(connection=connection).enqueue(Document(1, "a"))
    again, urgent = app.enqueue_many([index.call(Document(1, "b")), index.using(priority=9).call(Document(2))])
    assert (again.skipped, again.id) == (True, first.id)
    drain(app)
    assert seen == [[2, 1]]
    assert states(workers, [first, urgent]) == [DONE, DONE]
    assert not index.enqueue(Document(1)).skipped


def test_jobs_of_one_serial_key_never_go_together(app: Penstock, workers: Workers):
    seen: list[list[tuple[int, str]]] = []

    @app.task(chunk=Chunk(size=10), serial="id")
    def index(jobs: Jobs[Document]) -> None:
        seen.append([(job.arguments.id, job.arguments.text) for job in jobs])

    app.enqueue_many(index.call(Document(number % 3, str(number // 3))) for number in range(6))
    drain(app)
    assert [sorted(call) for call in seen] == [[(0, "0"), (1, "0"), (2, "0")], [(0, "1"), (1, "1"), (2, "1")]]


def test_the_current_job_is_the_call(app: Penstock):
    """What it says of its progress is said of each; its id is that of the first."""
    seen: list[Any] = []

    @app.task(chunk=Chunk(size=10))
    def index(jobs: Jobs[Document]) -> None:
        call = current_job()
        call.checkpoint(percent=50, note="half")
        seen.extend([call.id, call.remaining() > 0, [job.id for job in call.jobs or ()],
                     [row.note for job in jobs if (row := app.job(job.id))]])

    jobs = app.enqueue_many(index.call(Document(number)) for number in range(3))
    drain(app)
    assert seen == [jobs[0].id, True, [job.id for job in jobs], ["half"] * 3]


def test_a_task_is_still_a_plain_function(app: Penstock):
    @app.task(chunk=Chunk(size=10))
    def index(jobs: Jobs[Document]) -> int:
        return sum(job.arguments.id for job in jobs)

    assert index([ChunkJob(1, Document(3)), ChunkJob(2, Document(4))]) == 7
