"""Enqueueing: when, where and in whose transaction."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest

from penstock import Penstock
from penstock.domain.errors import UnknownConnection
from penstock.queue.task import Task
from tests.caller import caller
from tests.clock import START_MS, Clock

Row = dict[str, Any]


@pytest.fixture
def remind(app: Penstock) -> "Task[[int], None]":
    @app.task(name="remind", queue="mail", priority=3)
    def remind(offer: int) -> None: ...

    return remind  # type: ignore[no-any-return]


@pytest.fixture
def jobs(clock: Clock) -> Callable[[], list[Row]]:
    """Every committed job, in the order of ids."""
    columns = "id task queue priority state arguments attempt max_attempts run_at".split()

    def read() -> list[Row]:
        return [dict(zip(columns, row, strict=True))
                for row in clock.fetch(f"select {', '.join(columns)} from penstock.jobs order by id")]

    return read


def test_a_job_is_what_its_task_and_its_call_say(remind: Any, jobs: Callable[[], list[Row]]):
    job = remind.enqueue(7)
    assert (job.task, job.queue) == ("remind", "mail")
    assert jobs() == [{"id": job.id, "task": "remind", "queue": "mail", "priority": 3, "state": "available",
                       "arguments": '{"offer":7}', "attempt": 0, "max_attempts": 20, "run_at": START_MS}]


def test_a_task_is_still_a_function(app: Penstock):
    @app.task
    def double(number: int) -> int:
        return 2 * number

    assert double(4) == 8
    assert double.name.endswith("double")


def test_using_changes_one_launch_only(remind: Any, jobs: Callable[[], list[Row]]):
    remind.using(queue="slow", priority=-5).enqueue(1)
    remind.enqueue(2)
    assert [(job["queue"], job["priority"]) for job in jobs()] == [("slow", -5), ("mail", 3)]


def test_ids_are_given_in_the_order_of_the_calls(app: Penstock, remind: Any, jobs: Callable[[], list[Row]]):
    made = app.enqueue_many(remind.using(priority=number % 7).call(number) for number in range(5_000))
    ids = [job.id for job in made]
    assert ids == sorted(set(ids))
    assert [(job["id"], job["arguments"]) for job in jobs()] == [
        (id, f'{{"offer":{number}}}') for number, id in enumerate(ids)]


def test_nothing_to_enqueue_is_nothing_enqueued(app: Penstock, jobs: Callable[[], list[Row]]):
    assert app.enqueue_many([]) == []
    assert jobs() == []


RUN_AFTER: list[tuple[Any, str, int]] = [
    (None, "available", START_MS),
    (timedelta(0), "available", START_MS),
    (timedelta(seconds=-5), "available", START_MS - 5_000),
    (timedelta(milliseconds=1), "scheduled", START_MS + 1),
    (timedelta(days=3), "scheduled", START_MS + 3 * 86_400_000),
    (timedelta.max, "scheduled", START_MS + timedelta.max // timedelta(milliseconds=1)),
    (datetime.fromtimestamp(START_MS / 1000, UTC), "available", START_MS),
    (datetime.fromtimestamp(START_MS / 1000 + 60, UTC), "scheduled", START_MS + 60_000),
    (datetime.fromtimestamp(START_MS / 1000 + 60, timezone(timedelta(hours=-7))), "scheduled", START_MS + 60_000),
    (datetime(2000, 1, 1, tzinfo=UTC), "available", 946_684_800_000),
    (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "available", -62_135_647_200_000),
    (datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), "scheduled", 253_402_343_999_999),
]


def test_run_after(remind: Any, jobs: Callable[[], list[Row]]):
    for run_after, _, _ in RUN_AFTER:
        remind.using(run_after=run_after).enqueue(1)
    assert [(job["state"], job["run_at"]) for job in jobs()] == [(state, run_at) for _, state, run_at in RUN_AFTER]


def test_priorities_reach_far(remind: Any, jobs: Callable[[], list[Row]]):
    for priority in (-(2**31) + 1, 2**31 - 1):
        remind.using(priority=priority).enqueue(1)
    assert [job["priority"] for job in jobs()] == [-(2**31) + 1, 2**31 - 1]


def test_a_caller_may_wait_without_blocking_its_loop(remind: Any, jobs: Callable[[], list[Row]]):
    async def main() -> list[int]:
        return [job.id for job in await asyncio.gather(*(remind.aenqueue(number) for number in range(20)))]

    ids = asyncio.run(main())
    assert sorted(ids) == [job["id"] for job in jobs()]
    by_id = {job["id"]: job["arguments"] for job in jobs()}
    assert [by_id[id] for id in ids] == [f'{{"offer":{number}}}' for number in range(20)]


def test_thousands_at_once_are_what_a_few_would_be(app: Penstock, clock: Clock):
    """PostgreSQL gets so many by COPY, whose text has marks of its own."""
    texts = ["plain", "tab\t newline\n return\r", 'quote " backslash \\ \\N \\.', "", "null \\0 é 漢", "{a,b}"]

    @app.task(name="take")
    def take(text: str, number: int) -> None: ...

    calls = []
    for number in range(2_400):
        soon = take.using(queue="q" + str(number % 3), priority=number % 5 - 2, tags=[texts[number % 6] or "tag", "x"],
                          run_after=timedelta(seconds=number % 2), deadline=timedelta(hours=1 + number % 2))
        calls.append(soon.call(texts[number % 6], number))
    columns = "task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, tags, deadline_at"
    rows = f"select {columns} from penstock.live_jobs order by id"
    ready = ("select r.queue, r.rank, j.arguments from penstock.ready_jobs r join penstock.live_jobs j on j.id = r.id"
             " order by 1, 2, 3")
    many = app.enqueue_many(calls)
    assert [job.id for job in many] == sorted({job.id for job in many})
    together, ready_together, counted = clock.fetch(rows), clock.fetch(ready), app.counts()
    for table in ("live_jobs", "ready_jobs", "count_deltas"):
        clock.fetch(f"delete from penstock.{table} where true returning 1")
    for first in range(0, len(calls), 400):
        app.enqueue_many(calls[first : first + 400])
    assert clock.fetch(rows) == together
    assert clock.fetch(ready) == ready_together
    assert app.counts() == counted


class TestInTheCallersTransaction:
    def test_unseen_before_its_commit(self, store_url: str, remind: Any, jobs: Callable[[], list[Row]]):
        with closing(caller(store_url)) as connection:
            job = remind.using(connection=connection).enqueue(7)
            assert jobs() == []
            connection.commit()
        assert [each["id"] for each in jobs()] == [job.id]

    def test_gone_after_its_rollback(self, store_url: str, remind: Any, jobs: Callable[[], list[Row]]):
        with closing(caller(store_url)) as connection:
            remind.using(connection=connection).enqueue(7)
            connection.rollback()
        assert jobs() == []
        assert remind.enqueue(8).id  # and no lock is left

    def test_many(self, store_url: str, app: Penstock, remind: Any, jobs: Callable[[], list[Row]]):
        with closing(caller(store_url)) as connection:
            made = app.using(connection=connection).enqueue_many(remind.call(number) for number in range(300))
            assert jobs() == []
            connection.commit()
        assert [(each["id"], each["arguments"]) for each in jobs()] == [
            (job.id, f'{{"offer":{number}}}') for number, job in enumerate(made)]

    def test_rows_of_any_shape(self, store_url: str, remind: Any, jobs: Callable[[], list[Row]]):
        with closing(caller(store_url)) as connection:
            if store_url.startswith("sqlite:"):
                connection.row_factory = lambda cursor, row: {
                    column[0]: value for column, value in zip(cursor.description, row, strict=True)}
            else:
                connection.row_factory = psycopg.rows.dict_row
            job = remind.using(connection=connection).enqueue(7)
            connection.commit()
        assert [each["id"] for each in jobs()] == [job.id]

    def test_from_async_code_on_a_synchronous_connection(
            self, store_url: str, remind: Any, jobs: Callable[[], list[Row]]):
        with closing(caller(store_url)) as connection:
            asyncio.run(remind.using(connection=connection).aenqueue(7))
            assert jobs() == []
            connection.commit()
        assert len(jobs()) == 1

    def test_on_an_asynchronous_connection(self, store_url: str, remind: Any, jobs: Callable[[], list[Row]]):
        if store_url.startswith("sqlite:"):
            return  # the standard library's sqlite3 has no asynchronous connection

        async def main() -> None:
            async with await psycopg.AsyncConnection.connect(store_url) as connection:
                await remind.using(connection=connection).aenqueue(1)
                assert jobs() == []
                await connection.rollback()
                job = await remind.using(connection=connection).aenqueue(2)
                with pytest.raises(UnknownConnection, match="use `await ….aenqueue"):
                    remind.using(connection=connection).enqueue(3)
                await connection.commit()
                assert [each["id"] for each in jobs()] == [job.id]

        asyncio.run(main())

    def test_something_else_than_a_connection(self, remind: Any):
        for connection in (object(), "sqlite:///store.db", 5):
            with pytest.raises(UnknownConnection, match="expected a connection of sqlite3, psycopg, .*, got builtins"):
                remind.using(connection=connection).enqueue(1)

    def test_a_connection_of_another_dialect(self, request: pytest.FixtureRequest, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other = psycopg.connect(request.getfixturevalue("postgres_server"))
        else:
            other = sqlite3.connect(":memory:")  # type: ignore[assignment]
        with closing(other), pytest.raises(UnknownConnection, match="a transaction cannot span both"):
            remind.using(connection=other).enqueue(1)

    def test_a_connection_to_another_database(
            self, request: pytest.FixtureRequest, tmp_path: Path, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other = sqlite3.connect(tmp_path / "other.db")
        else:
            other = psycopg.connect(request.getfixturevalue("postgres_server"))  # type: ignore[assignment]
        with closing(other), pytest.raises(UnknownConnection, match="expected a connection to the store"):
            remind.using(connection=other).enqueue(1)
