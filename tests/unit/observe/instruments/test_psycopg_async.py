"""psycopg with `await` tells the same."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from penstock.domain.parameters import values
from penstock.observe.instruments import instrument
from penstock.observe.trace import OTHER, QUERIED, Trace
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import statement, statements, traced

SERIES = "select n from generate_series(1, %s) n"


def run(url: str, work: Callable[[Any], Awaitable[None]]) -> Trace:
    """Do the work on a connection, in a trace."""
    async def main() -> Trace:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("create temp table item (id int primary key, name text)")
            with traced() as trace:
                await work(connection)
            return trace

    instrument("psycopg")
    return asyncio.run(main())


def test_statements(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        assert len(await (await connection.execute(SERIES, [3])).fetchall()) == 3
        await connection.cursor().executemany("insert into item values (%s, %s)", [(1, "x"), (2, "y")])
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute("select * from nowhere")

    series, inserted, failed = statements(run(postgres_server, work))
    assert (series.calls, series.rows, series.sites[0].function) == (1, 3, "test_statements.<locals>.work")
    assert (inserted.calls, inserted.rows, values(inserted.samples[0].parameters)) == (1, 2, [1, "x"])
    assert failed.failed == 1


def test_rows_that_come_later(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        assert len([row async for row in connection.cursor().stream(SERIES, [3])]) == 3
        async with connection.transaction(), connection.cursor("mine") as cursor:
            await cursor.execute("select 1 from generate_series(1, 4)")
            assert len([row async for row in cursor]) == 4
        async with connection.cursor().copy("copy item from stdin") as copy:
            await copy.write_row((1, "x"))
        async with connection.cursor().copy("copy item to stdout") as copy:
            assert [row async for row in copy.rows()] == [("1", "x")]
        async with connection.pipeline():
            cursor = await connection.execute("select 2 from generate_series(1, 5)")
            assert len(await cursor.fetchall()) == 5

    trace = run(postgres_server, work)
    assert {seen.text: (seen.calls, seen.rows) for seen in statements(trace)} == {
        SERIES: (1, 3), "select 1 from generate_series(1, 4)": (2, 9), "COMMIT": (1, 0),
        "copy item from stdin": (1, 1), "copy item to stdout": (1, 1)}
    assert trace._entered == [OTHER]


def test_what_is_gathered_is_told_where_it_was_asked_for(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        await asyncio.gather(*[connection.cursor().execute(SERIES, [n]) for n in range(5)])

    trace = run(postgres_server, work)
    seen = statement(trace)
    assert (seen.calls, seen.rows) == (5, 10)
    assert [(site.file, site.calls) for site in seen.sites] == [(__file__, 5)]
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)
    assert trace.phases[QUERIED] > 0
