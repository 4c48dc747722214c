"""SQLAlchemy: any engine tells of its statements, once, whether its driver is instrumented too or not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from penstock.domain.parameters import Parameters, values
from penstock.domain.traces import StatementSeen
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.instruments.sqlalchemy import LISTENERS
from penstock.observe.trace import OTHER, QUERIED, Trace
from penstock.store.within import within
from tests.unit.observe.instruments.conftest import statements, traced


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "instruments_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


DRIVERS = ["psycopg", "psycopg2", "asyncpg", "psycopg async", "sqlite", "aiosqlite"]
INSTRUMENTED = {"psycopg": "psycopg", "psycopg async": "psycopg", "asyncpg": "asyncpg", "sqlite": "sqlite3"}


def url(driver: str, server: str, folder: Path) -> str:
    if "sqlite" in driver:
        return f"sqlite{'+aiosqlite' if driver == 'aiosqlite' else ''}:///{folder}/shop.db"
    return server.replace("postgresql://", f"postgresql+{driver.partition(' ')[0]}://")


def work(session: Any) -> None:
    """What an application does with its models."""
    session.execute(insert(Item), [{"id": n, "name": "x"} for n in range(1, 4)])
    for number in (1, 2, 9):
        session.scalars(select(Item).where(Item.id == number)).all()
    session.rollback()


def done(driver: str, where: str) -> Trace:
    if driver not in ("asyncpg", "psycopg async", "aiosqlite"):
        engine = create_engine(where, poolclass=NullPool)
        with engine.connect() as connection:
            Base.metadata.drop_all(connection)
            Base.metadata.create_all(connection)
            with Session(connection) as session, traced() as trace:
                work(session)
            return trace

    async def main() -> Trace:
        engine = create_async_engine(where, poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
            async with AsyncSession(connection) as session:
                with traced() as trace:
                    await session.execute(insert(Item), [{"id": n, "name": "x"} for n in range(1, 4)])
                    for number in (1, 2, 9):
                        (await session.scalars(select(Item).where(Item.id == number))).all()
                    await session.rollback()
            return trace

    return asyncio.run(main())


def given(parameters: Parameters | None) -> list[Any]:
    """The values, by place or by name."""
    found = values(parameters)
    return list(found.values()) if isinstance(found, dict) else found or []


@pytest.mark.parametrize(("driver", "both"), [
    *[pytest.param(driver, False, id=f"{driver} alone") for driver in DRIVERS],
    *[pytest.param(driver, True, id=f"{driver} instrumented too") for driver in INSTRUMENTED],
])
def test_statements_are_told_once_with_the_users_line(postgres_server: str, tmp_path: Path, driver: str, both: bool,
                                                      ) -> None:
    instrument("sqlalchemy")
    if both:
        instrument(INSTRUMENTED[driver])
    trace = done(driver, url(driver, postgres_server, tmp_path))
    found: list[StatementSeen] = [seen for seen in statements(trace) if "item" in seen.text]
    assert [seen.calls for seen in found] == [1, 3]
    inserted, selected = found
    assert inserted.text.startswith("INSERT INTO instruments_item")
    assert selected.text.startswith("SELECT instruments_item.id")
    assert [given(sample.parameters) for sample in selected.samples] == [[1], [2], [9]]
    if both or "sqlite" not in driver:
        assert (selected.rows, selected.at_most_one) == (2, 3)
    assert {site.file for seen in found for site in seen.sites} == {__file__}
    assert sum(site.calls for site in selected.sites) == 3
    assert {seen.database for seen in found} == {found[0].database}
    assert trace.phases[QUERIED] > 0
    assert trace._entered == [OTHER]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    yield engine
    engine.dispose()


def test_an_error_is_counted_and_passes_as_it_is(engine: Engine, trace: Trace) -> None:
    instrument("sqlalchemy")
    with engine.connect() as connection, pytest.raises(OperationalError, match="no such table"):
        connection.execute(text("select * from nowhere"))
    (seen,) = statements(trace)
    assert (seen.calls, seen.failed, seen.driver) == (1, 1, "sqlite3")
    assert trace._entered == [OTHER]


def test_an_error_of_an_instrumented_driver_is_counted_once(postgres_server: str, trace: Trace) -> None:
    instrument("sqlalchemy")
    instrument("psycopg")
    engine = create_engine(url("psycopg", postgres_server, Path()), poolclass=NullPool)
    with engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text("select * from nowhere"))
    assert [(seen.calls, seen.failed) for seen in statements(trace) if "nowhere" in seen.text] == [(1, 1)]


def test_removed_it_listens_no_more(engine: Engine, trace: Trace) -> None:
    instrument("sqlalchemy")
    uninstrument("sqlalchemy")
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    assert not trace.statements
    assert not any(event.contains(Engine, name, listener) for name, listener in LISTENERS)


@pytest.mark.parametrize("driver", ["psycopg async", "asyncpg"])
@pytest.mark.parametrize("both", [False, True], ids=["alone", "with its driver"])
def test_a_statement_that_is_cancelled_has_ended(postgres_server: str, driver: str, both: bool) -> None:
    instrument("sqlalchemy")
    if both:
        instrument(INSTRUMENTED[driver])

    async def main() -> Trace:
        engine = create_async_engine(url(driver, postgres_server, Path()), poolclass=NullPool)
        with traced() as trace:
            async with engine.connect() as connection:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await connection.execute(text("select pg_sleep(30)"))
            assert within.get() is None
            async with engine.connect() as connection:
                await connection.execute(text("select 4711"))
        return trace

    trace = asyncio.run(main())
    found = {seen.text: (seen.calls, seen.failed) for seen in statements(trace)}
    assert found["select pg_sleep(30)"] == (1, 1)
    assert found["select 4711"] == (1, 0)
    assert trace._entered == [OTHER]


def test_a_statement_that_is_interrupted_has_ended(engine: Engine) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    instrument("sqlalchemy")
    with traced() as trace, engine.connect() as connection:
        event.listen(engine, "do_execute", interrupt)
        with pytest.raises(KeyboardInterrupt):
            connection.execute(text("select 1"))
        event.remove(engine, "do_execute", interrupt)
    assert within.get() is None
    assert trace._entered == [OTHER]
