"""What only some drivers, frameworks or databases have, in the application's transaction and outside of one."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg2.extras
import pytest

from tests.conformance.connections import callers
from tests.conformance.connections.callers import Driver, django_on, outsider, with_sqlalchemy, with_sqlalchemy_async

SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
NEW_CONTROL = sys.version_info >= (3, 12)  # since then sqlite3 has autocommit=


class TestRowsOfAnyShape:
    """Factories that the application has set change its own rows and not ours."""

    @SQLITE
    @pytest.mark.parametrize("driver", [callers.with_sqlite3, callers.with_aiosqlite])
    def test_sqlite(self, store_url: str, remind: Any, committed: Any, driver: Driver):
        def as_dict(cursor: Any, row: Any) -> Any:
            return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}

        async def transaction() -> None:
            async with driver(store_url) as caller:
                caller.connection.row_factory = as_dict
                caller.connection.text_factory = bytes
                assert (await caller.enqueue(remind, 1)).id
                assert caller.connection.row_factory is as_dict
                assert caller.connection.text_factory is bytes
                await caller.end("commit")

        driver.play(transaction())
        assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    @pytest.mark.parametrize(("driver", "options"), [
        (callers.with_psycopg, {"row_factory": psycopg.rows.dict_row}),
        (callers.with_psycopg, {"cursor_factory": psycopg.ClientCursor}),
        (callers.with_psycopg, {"cursor_factory": psycopg.RawCursor}),
        (callers.with_psycopg_async, {"row_factory": psycopg.rows.dict_row, "cursor_factory": psycopg.AsyncRawCursor}),
        (callers.with_psycopg2, {"cursor_factory": psycopg2.extras.RealDictCursor}),
    ])
    def test_postgres(self, store_url: str, remind: Any, committed: Any, driver: Driver, options: Any):
        async def transaction() -> None:
            async with driver(store_url, **options) as caller:
                assert (await caller.enqueue(remind, 1)).id
                await caller.end("commit")

        driver.play(transaction())
        assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    def test_asyncpg_with_codecs_and_records_of_its_own(self, store_url: str, remind: Any, committed: Any):
        import asyncpg

        class Mine(asyncpg.Record):  # type: ignore[misc]
            def __iter__(self) -> Iterator[Any]:
                return iter(self.keys())

        async def transaction() -> None:
            connection = await asyncpg.connect(store_url, record_class=Mine)
            for kind in ("json", "jsonb"):
                await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
            try:
                assert (await remind.using(connection=connection).aenqueue(1)).id
            finally:
                await connection.close()

        asyncio.run(transaction())
        assert committed()[1] == ['{"offer":1}']


class TestWithoutATransaction:
    """A connection that commits every statement by itself commits an enqueue too, whole."""

    @SQLITE
    @pytest.mark.parametrize(("driver", "options"), [
        (callers.with_sqlite3, {"isolation_level": None}),
        (callers.with_aiosqlite, {"isolation_level": None}),
        *[(driver, {"autocommit": True}) for driver in (callers.with_sqlite3, callers.with_aiosqlite) if NEW_CONTROL],
        (with_sqlalchemy("pysqlite", "Session"), {"isolation_level": "AUTOCOMMIT"}),
    ])
    def test_sqlite(self, store_url: str, remind: Any, committed: Any, driver: Driver, options: Any):
        self._check(store_url, remind, committed, driver, options)

    @POSTGRES
    @pytest.mark.parametrize(("driver", "options"), [
        (callers.with_psycopg, {"autocommit": True}),
        (callers.with_psycopg_async, {"autocommit": True}),
        (with_sqlalchemy("psycopg", "Connection"), {"isolation_level": "AUTOCOMMIT"}),
        (with_sqlalchemy_async("asyncpg", "AsyncSession"), {"isolation_level": "AUTOCOMMIT"}),
    ])
    def test_postgres(self, store_url: str, remind: Any, committed: Any, driver: Driver, options: Any):
        self._check(store_url, remind, committed, driver, options)

    def _check(self, url: str, remind: Any, committed: Any, driver: Driver, options: Any) -> None:
        async def work() -> None:
            async with driver(url, **options) as caller:
                await caller.enqueue(remind, 1)
                assert committed()[1] == ['{"offer":1}']
                await caller.write("a")
                assert committed()[0] == ["a"]

        driver.play(work())

    def test_django_outside_of_atomic(self, store_url: str, remind: Any, committed: Any):
        with django_on(store_url):
            from django.db import connection

            remind.using(connection=connection).enqueue(1)
            assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    def test_asyncpg(self, store_url: str, remind: Any, committed: Any):
        import asyncpg

        async def work() -> None:
            connection = await asyncpg.connect(store_url)
            try:
                await remind.using(connection=connection).aenqueue(1)
                assert committed()[1] == ['{"offer":1}']
            finally:
                await connection.close()

        asyncio.run(work())


class TestOnSQLite:
    """There an enqueue is several statements, which happen together or not at all."""

    @SQLITE
    @pytest.mark.parametrize("options", [{}, {"isolation_level": None}, {"isolation_level": "IMMEDIATE"}])
    def test_half_an_enqueue_is_none(self, store_url: str, remind: Any, committed: Any, options: Any):
        async def transaction() -> None:
            async with callers.with_sqlite3(store_url, **options) as caller:
                caller.connection.execute("create temp trigger full before insert on penstock_ready_jobs"
                                          " begin select raise(abort, 'no'); end")
                await caller.write("a")
                with pytest.raises(sqlite3.IntegrityError, match="no"):
                    await caller.enqueue(remind, 1)
                await caller.write("b")
                await caller.end("commit")

        callers.with_sqlite3.play(transaction())
        assert committed() == (["a", "b"], [])
        assert remind.enqueue(2).id

    @SQLITE
    def test_an_error_that_ends_the_transaction_comes_out_as_it_is(self, store_url: str, remind: Any, committed: Any):
        async def transaction() -> None:
            async with callers.with_sqlite3(store_url) as caller:
                caller.connection.execute("create temp trigger full before insert on penstock_ready_jobs"
                                          " begin select raise(rollback, 'no'); end")
                await caller.write("a")
                with pytest.raises(sqlite3.IntegrityError, match="no"):
                    await caller.enqueue(remind, 1)
                assert not caller.connection.in_transaction

        callers.with_sqlite3.play(transaction())
        assert committed() == ([], [])

    @SQLITE
    @pytest.mark.parametrize("driver", [callers.with_sqlite3, callers.with_aiosqlite])
    @pytest.mark.parametrize("options", [
        {"isolation_level": "DEFERRED"}, {"isolation_level": "IMMEDIATE"}, {"isolation_level": "EXCLUSIVE"},
        *([{"autocommit": False}] if NEW_CONTROL else []),
    ])
    def test_a_transaction_begins_as_the_application_has_it(
            self, store_url: str, remind: Any, committed: Any, driver: Driver, options: Any):
        async def transaction(how: str) -> None:
            async with driver(store_url, **options) as caller:
                await caller.enqueue(remind, 1)
                await caller.end(how)

        driver.play(transaction("roll back"))
        assert committed() == ([], [])
        driver.play(transaction("commit"))
        assert committed() == ([], ['{"offer":1}'])

    @SQLITE
    def test_a_session_that_only_read_is_rolled_back_with_the_job(self, store_url: str, remind: Any, committed: Any):
        """SQLAlchemy leaves it to sqlite3 to begin, which does so before a write that it recognises."""
        import sqlalchemy

        async def transaction() -> None:
            async with with_sqlalchemy("pysqlite", "Session")(store_url) as caller:
                caller.connection.execute(sqlalchemy.text("select * from account")).all()
                await caller.enqueue(remind, 1)
                assert committed() == ([], [])
                await caller.end("roll back")

        callers.with_sqlite3.play(transaction())
        assert committed() == ([], [])


class TestOnPostgreSQL:
    @POSTGRES
    def test_nothing_is_notified_and_nothing_else_locked(self, store_url: str, remind: Any, committed: Any):
        with outsider(store_url) as listener, psycopg.connect(store_url) as connection:
            listener.execute("listen penstock")
            remind.using(connection=connection).enqueue(1)
            held = listener.execute(
                "select distinct locktype, mode, relation::regclass::text from pg_locks where pid = %s",
                [connection.info.backend_pid]).fetchall()
            connection.commit()
            listener.execute("notify penstock, 'the end'")
            assert next(listener.notifies(timeout=60)).payload == "the end"
        assert {(kind, mode) for kind, mode, relation in held
                if kind not in ("virtualxid", "transactionid") and str(relation).startswith("penstock.")} == {
                    ("relation", "RowExclusiveLock")}
        assert [row for row in held if row[0] == "advisory" or (row[1] == "ExclusiveLock" and row[2])] == []

    @POSTGRES
    def test_in_a_savepoint_that_is_rolled_back(self, store_url: str, remind: Any, committed: Any):
        with psycopg.connect(store_url) as connection:
            remind.using(connection=connection).enqueue(1)
            with connection.transaction(force_rollback=True):
                remind.using(connection=connection).enqueue(2)
        assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    def test_in_a_pipeline(self, store_url: str, remind: Any, committed: Any):
        with psycopg.connect(store_url) as connection, connection.pipeline():
            connection.execute("insert into account values ('a')")
            remind.using(connection=connection).enqueue(1)
        assert committed() == (["a"], ['{"offer":1}'])


def test_a_session_within_run_sync(store_url: str, remind: Any, committed: Any):
    """SQLAlchemy's own bridge: a synchronous session on an asynchronous driver."""
    driver = "aiosqlite" if store_url.startswith("sqlite:") else "asyncpg"

    async def transaction(how: str) -> None:
        async with with_sqlalchemy_async(driver, "AsyncSession")(store_url) as caller:
            await caller.connection.run_sync(lambda session: remind.using(connection=session).enqueue(1))
            assert committed() == ([], [])
            await caller.end(how)

    asyncio.run(transaction("roll back"))
    assert committed() == ([], [])
    asyncio.run(transaction("commit"))
    assert committed() == ([], ['{"offer":1}'])


def test_a_nested_transaction_of_django(store_url: str, remind: Any, committed: Any):
    with django_on(store_url):
        from django.db import connection, transaction

        with transaction.atomic():
            remind.using(connection=connection).enqueue(1)
            with pytest.raises(ArithmeticError), transaction.atomic():  # noqa: PT012
                remind.using(connection=connection).enqueue(2)
                raise ArithmeticError
        assert committed()[1] == ['{"offer":1}']


def test_a_framework_executes_by_itself(store_url: str, remind: Any, table: None):
    """So that its hooks and its log see what is done in its name."""
    import sqlalchemy
    from sqlalchemy import event, orm

    seen: list[str] = []

    def hook(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with django_on(store_url):
        from django.db import connection

        with connection.execute_wrapper(hook):
            remind.using(connection=connection).enqueue(1)
    assert any("insert into penstock" in sql for sql in seen)
    seen.clear()
    driver = "pysqlite" if store_url.startswith("sqlite:") else "psycopg"
    engine = sqlalchemy.create_engine(callers.on_driver(store_url, driver))
    event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    with orm.Session(engine) as session:
        remind.using(connection=session).enqueue(1)
    engine.dispose()
    assert any("insert into penstock" in sql for sql in seen)


def test_django_asks_for_a_thread_in_async_code(store_url: str, remind: Any, table: None):
    with django_on(store_url):
        from django.core.exceptions import SynchronousOnlyOperation
        from django.db import connection

        with pytest.raises(SynchronousOnlyOperation):
            asyncio.run(remind.using(connection=connection).aenqueue(1))
