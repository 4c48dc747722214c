"""What Penstock executes for itself is no statement of the trace in which it is asked to, on whatever connection."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine, text

from penstock import Penstock, instrument, uninstrument
from penstock.observe.trace import Trace, active

MINE = "select 4711"


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    for name in ("psycopg", "asyncpg", "sqlite3", "sqlalchemy"):
        instrument(name)
    yield
    uninstrument()


@contextlib.contextmanager
def traced() -> Iterator[Trace]:
    trace = Trace("trace", "test")
    token = active.set(trace)
    try:
        yield trace
    finally:
        active.reset(token)


def told(trace: Trace) -> set[str]:
    return {statement.text for statement in trace.statements.values()}


def test_calls_of_the_store(app: Penstock, store_url: str) -> None:
    @app.task
    def remind(number: int) -> None: ...

    with traced() as trace:
        with Penstock(store_url) as other:
            assert other.counts() == []
        remind.enqueue(1)
        app.enqueue_many(remind.call(number) for number in range(1_500))
        asyncio.run(remind.aenqueue(2))
    assert told(trace) == set()


def test_what_joins_a_transaction_of_the_applications(app: Penstock, store_url: str) -> None:
    @app.task
    def remind(number: int) -> None: ...

    app.store  # noqa: B018 — opened before the application writes
    place = store_url.removeprefix("sqlite:///")
    connect: Any = sqlite3.connect if app.store.dialect == "sqlite" else psycopg.connect
    with traced() as trace:
        with contextlib.closing(connect(place)) as connection:
            connection.execute(MINE)
            remind.using(connection=connection).enqueue(1)
            connection.execute(MINE)
            connection.commit()
        engine = create_engine(store_url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(MINE))
            remind.using(connection=connection).enqueue(1)
        engine.dispose()
    assert {each for each in told(trace) if "penstock" in each} == set()
    assert {statement.text: statement.calls for statement in trace.statements.values()}[MINE] == 3


def test_what_joins_a_transaction_with_await(app: Penstock, store_url: str, tmp_path: Path) -> None:
    @app.task
    def remind(number: int) -> None: ...

    async def main() -> None:
        if app.store.dialect == "sqlite":
            async with aiosqlite.connect(store_url.removeprefix("sqlite:///")) as connection:
                await remind.using(connection=connection).aenqueue(1)
                await connection.commit()
            return
        connection = await asyncpg.connect(store_url)
        async with connection.transaction():
            await connection.fetch(MINE)
            await remind.using(connection=connection).aenqueue(1)
        await connection.close()
        async with await psycopg.AsyncConnection.connect(store_url) as other:
            await other.execute(MINE)
            await remind.using(connection=other).aenqueue(1)

    with traced() as trace:
        asyncio.run(main())
    assert {each for each in told(trace) if "penstock" in each} == set()
    assert MINE in told(trace) or app.store.dialect == "sqlite"
