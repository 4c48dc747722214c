"""`job.resume`: each row once, however often the job is interrupted; a crash repeats what was not saved."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy, Snooze, current_job
from penstock.domain.errors import InvalidCheckpoint
from penstock.domain.limits import Window
from penstock.queue.attempt import Attempt
from penstock.queue.progress import cursor_of, save
from penstock.testing import drain, inline
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until

ROWS = [{"id": number} for number in range(1, 11)]


@dataclass
class Entry:
    at: Any


def attempt_of(app: Penstock, clock: Clock) -> tuple[Engine, Attempt]:
    app.task(lambda: None, name="work").enqueue()
    engine = Engine(app, clock)
    (job,) = engine.claim("default")
    return engine, engine.attempt(job)


class TestGoingOn:
    @pytest.mark.parametrize("ack", ["batch", "each"])
    @pytest.mark.parametrize("rows", ["all", "from there"])
    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_a_job_that_is_interrupted_does_each_row_once(self, app: Penstock, colour: str, rows: str, ack: Any):
        """By a snooze, by a failure in the middle of a row, and by what asks it to end."""
        done: list[int] = []
        attempts: list[int] = []

        def source(cursor: Any) -> Iterator[dict[str, int]]:
            return iter(ROWS[cursor or 0:])

        async def asource(cursor: Any) -> AsyncIterator[dict[str, int]]:
            for row in source(cursor):
                yield row

        def one(row: dict[str, int], times: int) -> None:
            if row["id"] == 3 and times == 1:
                raise ValueError("in the middle of a row")
            done.append(row["id"])
            if row["id"] == 6 and times == 2:
                raise Snooze(timedelta(0))
            if row["id"] == 8 and times == 3:
                current_job().stopping.set()

        def work() -> None:
            attempts.append(current_job().attempt)
            for row in current_job().resume(ROWS if rows == "all" else source, key="id"):
                one(row, len(attempts))

        async def awork() -> None:
            attempts.append(current_job().attempt)
            async for row in current_job().resume(ROWS if rows == "all" else asource, key=lambda row: row["id"]):
                one(row, len(attempts))

        body: Any = work if colour == "thread" else awork
        app.task(body, name="work", ack=ack, retry=RetryPolicy(base_seconds=0.001, jitter=0)).enqueue()
        while drain(app, with_scheduled=True).ran:
            pass
        assert done == [1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10], "row 6 was not done when its body raised"
        assert attempts == [1, 2, 2, 2], "the failure alone was counted"

    def test_a_worker_that_stops_gives_it_back_to_another(self, app: Penstock, workers: Workers):
        done: list[int] = []

        @app.task
        def work() -> None:
            for row in current_job().resume(ROWS, key="id"):
                done.append(row["id"])
                if row["id"] == 4:
                    workers.go.wait(60)

        id = work.enqueue().id
        first = workers.start()
        until("it is in the middle", lambda: 4 in done)
        first._stopping.set()
        workers.go.set()
        first.stop()
        assert workers.job(id, "state, attempt") == ("available", 0)
        workers.start()
        workers.wait_for({"completed": 1})
        assert done == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

    @pytest.mark.parametrize("slots", [1, 2])
    def test_the_end_of_a_hosts_time_costs_no_attempt(self, app: Penstock, clock: Clock, slots: int):
        passed = [0.0]
        app.monotonic = lambda: passed[0]
        done: list[int] = []
        attempts: list[int] = []

        @app.task
        def work() -> None:
            attempts.append(current_job().attempt)
            for row in current_job().resume(ROWS, key="id"):
                done.append(row["id"])
                passed[0] += 20

        work.enqueue()
        while app.drain(Window(100, headroom=20), slots=slots).remaining:
            pass
        assert done == [row["id"] for row in ROWS]
        assert len(attempts) > 1
        assert set(attempts) == {1}

    def test_a_crash_repeats_what_was_not_saved(self, app: Penstock, clock: Clock):
        """The last word that was saved counts, not the last that was said."""
        engine, first = attempt_of(app, clock)
        rows = iter(first.resume(ROWS, key="id"))
        assert [next(rows)["id"] for _ in range(4)] == [1, 2, 3, 4]
        save(app.store, [first])
        assert next(rows)["id"] == 5
        clock.advance(60)
        app.upkeep().rescue()
        engine.register()
        (job,) = engine.claim("default")
        assert job.attempt == 2
        second = engine.attempt(job)
        second.load = lambda id: cursor_of(app.store, id)
        assert [row["id"] for row in second.resume(ROWS, key="id")] == [4, 5, 6, 7, 8, 9, 10]

    def test_in_inline_mode_it_is_one_loop(self, app: Penstock):
        @app.task
        def work() -> list[int]:
            return [row["id"] for row in current_job().resume(ROWS, key="id")]

        with inline(app) as ran:
            work.enqueue()
        assert ran.jobs[0].state == "completed"


@pytest.mark.parametrize("keys", [
    [datetime(2026, 1, 1, 0, 0, second, micro, tzinfo=UTC) for second in (0, 1) for micro in (0, 500_000)],
    [(1, "a"), (1, "b"), (2, "a")],
    [Decimal("1.5"), Decimal("9"), Decimal("10")],
    [1, 1.5, 2],
    ["a", "b"],
])
def test_keys_of_any_kind_are_compared_as_what_they_are(app: Penstock, clock: Clock, keys: list[Any]):
    _, attempt = attempt_of(app, clock)
    entries = [Entry(key) for key in keys]
    for count in range(len(keys)):
        attempt.left = None if count == 0 else attempt.written(keys[count - 1])
        attempt.resumes, attempt.said = False, None
        assert [entry.at for entry in attempt.resume(entries, key="at")] == keys[count:]


class TestWhatCannotBeResumed:
    @pytest.mark.parametrize(("rows", "key", "message"), [
        ([{"id": 2}, {"id": 1}], "id", "rising order of their key, no two alike, got 1 after 2"),
        ([{"id": 2}, {"id": 2}], "id", "rising order of their key, no two alike, got 2 after 2"),
        ([{"id": "a"}, {"id": "B"}], "id", 'after .a.: sort them by it .a text by its code points: `collate "C"`'),
        ([{"id": 2}, {"id": "b"}], "id", "expected keys that can be compared, got 'b' after 2"),
        ([{"id": object()}], "id", "cursor: expected a JSON value"),
        (7, "id", "rows: expected an iterable, or a function that is given the cursor, got 7"),
        ([], 7, "key: expected the name of a field, or a function of a row, got 7"),
    ])
    def test_is_refused(self, app: Penstock, clock: Clock, rows: Any, key: Any, message: str):
        _, attempt = attempt_of(app, clock)
        with pytest.raises(InvalidCheckpoint, match=message):
            list(attempt.resume(rows, key=key))

    def test_rows_that_have_another_kind_of_key_now(self, app: Penstock, clock: Clock):
        _, attempt = attempt_of(app, clock)
        attempt.left = '"ann"'
        with pytest.raises(InvalidCheckpoint, match="expected keys like the cursor 'ann', got 1"):
            list(attempt.resume(ROWS, key="id"))

    def test_two_loops(self, app: Penstock, clock: Clock):
        _, attempt = attempt_of(app, clock)
        assert len(list(attempt.resume(ROWS, key="id"))) == 10
        with pytest.raises(InvalidCheckpoint, match="expected one job.resume"):
            list(attempt.resume(ROWS, key="id"))
        with pytest.raises(InvalidCheckpoint, match="expected no cursor= beside job.resume"):
            attempt.checkpoint(cursor=1)
        attempt.checkpoint(percent=100)

    def test_what_is_asynchronous_in_a_plain_loop(self, app: Penstock, clock: Clock):
        async def rows() -> AsyncIterator[int]:
            yield 1

        _, attempt = attempt_of(app, clock)
        with pytest.raises(InvalidCheckpoint, match="with `async for`"):
            list(attempt.resume(rows(), key=lambda row: row))


def test_somebody_who_cancels_is_heard_before_the_next_row(app: Penstock, workers: Workers):
    done: list[int] = []

    @app.task
    def work() -> None:
        for row in current_job().resume(({"id": id} for id in range(10**9)), key="id"):
            done.append(row["id"])
            workers.go.wait(0.001)

    id = work.enqueue().id
    workers.start()
    until("it runs", lambda: done)
    app.cancel(id)
    workers.wait_for({"cancelled": 1})
