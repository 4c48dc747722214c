"""asyncpg: whatever executes a statement tells of it, once, also on loan from a pool."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import asyncpg
import pytest
from asyncpg import connection as connections
from asyncpg import cursor as cursors
from asyncpg import prepared_stmt

from penstock.domain.parameters import values
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.trace import OTHER, QUERIED, Trace
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import statement, statements, traced

SERIES = "select n from generate_series(1, $1::int) n"


def run(url: str, work: Callable[[Any], Awaitable[None]]) -> Trace:
    """Do the work on a connection, in a trace."""
    async def main() -> Trace:
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
            await connection.execute("create temp table item (id int primary key, name text)")
            with traced() as trace:
                await work(connection)
            return trace

    instrument("asyncpg")
    return asyncio.run(main())


def test_it_tells_calls_rows_parameters_and_the_callers_line(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        for most in (3, 5):
            assert len(await connection.fetch(SERIES, most)) == most

    seen = statement(run(postgres_server, work))
    assert (seen.text, seen.driver, seen.calls, seen.rows, seen.at_most_one) == (SERIES, "asyncpg", 2, 8, 0)
    assert seen.database is not None
    assert seen.database.startswith("postgresql://")
    assert [values(sample.parameters) for sample in seen.samples] == [[3], [5]]
    assert [(site.file, site.calls) for site in seen.sites] == [(__file__, 2)]


def test_each_way_to_execute_tells_once(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        assert await connection.fetchval("select 1") == 1
        assert await connection.fetchrow("select 2 where false") is None
        assert await connection.execute("insert into item (id) values ($1)", 1) == "INSERT 0 1"
        assert await connection.execute("delete from item; select 3") == "SELECT 1"
        await connection.executemany("insert into item values ($1, $2)", [(n, "x") for n in range(4)])
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("select * from nowhere")

    trace = run(postgres_server, work)
    assert [(seen.text, seen.calls, seen.rows, seen.failed) for seen in statements(trace)] == [
        ("select 1", 1, 1, 0), ("select 2 where false", 1, 0, 0), ("insert into item (id) values ($1)", 1, 1, 0),
        ("delete from item; select 3", 1, 1, 0), ("insert into item values ($1, $2)", 1, 4, 0),
        ("select * from nowhere", 1, 0, 1)]
    assert trace._entered == [OTHER]


def test_prepared_statements_and_cursors(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        prepared = await connection.prepare(SERIES)
        assert len(await prepared.fetch(3)) == 3
        assert (await prepared.fetchrow(1))["n"] == 1
        assert await prepared.fetchval(1) == 1
        async with connection.transaction():
            assert len([row async for row in connection.cursor("select 1 from generate_series(1, 120)")]) == 120
            cursor = await connection.cursor("select 2 from generate_series(1, 10)")
            assert len(await cursor.fetch(4)) == 4
            assert (await cursor.fetchrow())[0] == 2

    found = {seen.text: (seen.calls, seen.rows, seen.at_most_one) for seen in statements(run(postgres_server, work))}
    assert found[SERIES] == (3, 5, 2)
    assert found["select 1 from generate_series(1, 120)"] == (2, 125, 0)  # of one shape with the other
    assert {"BEGIN;", "COMMIT;"} <= set(found)


def test_copies(postgres_server: str) -> None:
    async def work(connection: Any) -> None:
        await connection.copy_records_to_table("item", records=[(n, "x") for n in range(3)])
        await connection.copy_to_table("item", source=BytesIO(b"7\ty\n"))
        assert await connection.copy_from_query("select * from item", output=BytesIO()) == "COPY 4"

    found = {seen.text: (seen.calls, seen.rows) for seen in statements(run(postgres_server, work))}
    assert [rows for text, rows in found.items() if text.startswith("COPY")] == [(1, 3), (1, 1), (1, 4)]


def test_what_is_gathered_is_told_where_it_was_asked_for(postgres_server: str) -> None:
    async def main() -> Trace:
        async with asyncpg.create_pool(postgres_server, min_size=3, max_size=3) as pool:
            with traced() as trace:
                held = [await pool.acquire() for _ in range(3)]
                await asyncio.gather(*[connection.fetch("select pg_sleep(0.02)") for connection in held])
                for connection in held:
                    await pool.release(connection)
            return trace

    instrument("asyncpg")
    trace = asyncio.run(main())
    seen = {each.text: each for each in statements(trace)}["select pg_sleep(0.02)"]
    assert (seen.calls, seen.rows) == (3, 3)
    assert [(site.file, site.calls) for site in seen.sites] == [(__file__, 3)]
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)
    assert 20_000_000 <= trace.phases[QUERIED] <= trace.took_ns


def test_it_can_be_removed_and_leaves_the_library_as_it_was() -> None:
    kinds = [connections.Connection, prepared_stmt.PreparedStatement, cursors.BaseCursor]
    before = [dict(vars(kind)) for kind in kinds]
    instrument("asyncpg")
    assert [dict(vars(kind)) for kind in kinds] != before
    uninstrument("asyncpg")
    assert [dict(vars(kind)) for kind in kinds] == before
