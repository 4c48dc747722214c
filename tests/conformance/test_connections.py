"""Penstock inside of the application's transaction, through every driver and framework."""

import asyncio
import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg2.extras
import pytest

from penstock import Penstock
from penstock.domain.errors import UnknownConnection
from penstock.store.adapters import ainsert, insert
from tests.clock import Clock
from tests.conformance import callers
from tests.conformance.callers import (
    DRIVERS,
    Caller,
    Driver,
    django_on,
    path_of,
    with_sqlalchemy,
    with_sqlalchemy_async,
)

EACH = [pytest.param(store, driver, id=f"{store}-{name}".replace(" ", "-"))
        for store, drivers in DRIVERS.items() for name, driver in drivers.items()]
NEW_CONTROL = sys.version_info >= (3, 12)  # since then sqlite3 has autocommit=
SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


@pytest.fixture
def remind(app: Penstock) -> Any:
    @app.task(name="remind")
    def remind(offer: int) -> None: ...

    return remind


@pytest.fixture
def table(store_url: str) -> None:
    """A table of the application's own."""
    with contextlib.closing(outsider(store_url)) as connection:
        connection.execute("create table account (name text)")


def outsider(url: str) -> Any:
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(path_of(url), isolation_level=None, timeout=10)
        connection.execute("pragma wal_autocheckpoint = 0")
        return connection
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def committed(clock: Clock, table: None) -> Callable[[], tuple[list[str], list[str]]]:
    """The application's rows and the arguments of the jobs that everybody sees."""
    def read() -> tuple[list[str], list[str]]:
        names = clock.fetch("select name from account order by name")
        return [row[0] for row in names], [
            row[0] for row in clock.fetch("select arguments from penstock.live_jobs order by id")]

    return read


each_driver = pytest.mark.parametrize(("store_url", "driver"), EACH, indirect=["store_url"])


@each_driver
def test_what_is_enqueued_shares_the_fate_of_what_is_written(
        app: Penstock, remind: Any, committed: Any, store_url: str, driver: Driver):
    async def transaction(number: int, how: str) -> None:
        async with driver(store_url) as caller:
            await caller.write(f"a{number}")
            await caller.enqueue(remind, number)
            await caller.write(f"b{number}")
            assert committed() == before
            await caller.end(how)

    before: tuple[list[str], list[str]] = ([], [])
    driver.play(transaction(1, "commit"))
    before = (["a1", "b1"], ['{"offer":1}'])
    assert committed() == before
    driver.play(transaction(2, "roll back"))
    assert committed() == before
    assert remind.enqueue(3).id  # and no lock is left


@each_driver
def test_an_enqueue_begins_the_transaction_that_it_joins(remind: Any, committed: Any, store_url: str, driver: Driver):
    """Where it is the first that happens: some drivers and frameworks begin only with what they recognise."""
    async def transaction(how: str) -> None:
        async with driver(store_url) as caller:
            await caller.enqueue(remind, 1)
            assert committed() == ([], [])
            await caller.write("a")
            assert committed() == ([], [])
            await caller.end(how)

    driver.play(transaction("roll back"))
    assert committed() == ([], [])
    driver.play(transaction("commit"))
    assert committed() == (["a"], ['{"offer":1}'])


@each_driver
def test_every_verb_takes_every_connection(app: Penstock, clock: Clock, committed: Any, store_url: str, driver: Driver):
    """All forms of parameters: numbers, text and their absence, arrays of both, with absences among them."""
    from penstock import Unique
    from penstock.queue.enqueue import plan

    @app.task(name="once", unique=Unique())
    def once(text: str) -> None: ...

    @app.task(name="often")
    def often(text: str) -> None: ...

    odd = "100% :not %(not)s $1 ' \" \\ \x01 ☃ %%"
    waiting = often.using(tags=["offer:7", odd]).enqueue(odd)

    async def transaction(how: str) -> None:
        async with driver(store_url) as caller:
            calls = [once.call(odd), often.call(odd), once.call("other"), once.call(odd), often.call("")]
            rows = await caller.run(app, *plan(calls))
            assert [bool(row[1]) for row in rows] == [False, False, False, True, False]
            assert rows[3][0] == rows[0][0]
            rows = await caller.run(app, *plan([often.call(f"{number}{odd}") for number in range(300)]))
            assert len({row[0] for row in rows}) == 300
            assert await caller.run(app, "invalidate", {"tags": ["offer:7", odd]})
            cancelled = await caller.run(app, "cancel", {"id": waiting.id, "keep_ms": 5_000, "reason": odd})
            assert cancelled == [("cancelled",)]
            requests = json.dumps([{"sync": "s", "subject": odd, "account": "a", "priority": -1, "reason": "why"}] * 3)
            assert len(await caller.run(app, "request", {"requests": requests})) == 3
            await caller.end(how)

    driver.play(transaction("roll back"))
    assert committed()[1] == [json.dumps({"text": odd}, ensure_ascii=False, separators=(",", ":"))]
    assert clock.fetch("select count(*) from penstock.sync_requests union all"
                       " select count(*) from penstock.tag_marks") == [(0,), (0,)]
    driver.play(transaction("commit"))
    assert len(committed()[1]) == 304
    assert clock.fetch("select error from penstock.finished_jobs") == [(odd,)]
    assert sorted(clock.fetch("select tag from penstock.tag_marks")) == [(odd,), ("offer:7",)]
    assert clock.fetch("select subject, reason from penstock.sync_requests") == [(odd, "why")] * 3


@each_driver
def test_a_connection_is_asked_once(app: Penstock, remind: Any, table: None, store_url: str, driver: Driver):
    """Where it leads is asked over the network only once; a file is looked at again, which costs nothing."""
    async def transaction() -> None:
        async with driver(store_url) as caller:
            await caller.enqueue(remind, 1)
            link = callers_link(caller)
            link = await link if asyncio.iscoroutine(link) else link
            assert (app.store.owns(link.driver) is None) == (app.store.dialect == "postgres")
            await caller.end("roll back")

    driver.play(transaction())


def callers_link(caller: Caller) -> Any:
    from penstock.store.adapters.recognise import kind_of

    return kind_of(caller.connection).open(caller.connection)


@pytest.mark.parametrize(("store_url", "driver"), [each for each in EACH if each.values[1].waits],
                         indirect=["store_url"])
def test_an_asynchronous_connection_is_not_used_without_await(remind: Any, table: None, store_url: str, driver: Driver):
    async def transaction() -> None:
        async with driver(store_url) as caller:
            with pytest.raises(UnknownConnection, match="use `await ….aenqueue"):
                remind.using(connection=caller.connection).enqueue(1)
            await caller.end("roll back")

    driver.play(transaction())


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
            assert next(listener.notifies(timeout=10)).payload == "the end"
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


class TestRefused:
    def test_what_is_no_connection(self, remind: Any, store_url: str):
        import sqlalchemy
        from sqlalchemy import orm

        engine = sqlalchemy.create_engine("sqlite://")
        cursor = sqlite3.connect(":memory:").cursor()
        for given, remedy in [
                (object(), "got builtins.object: pass the connection or session in whose transaction"),
                ("sqlite:///store.db", "got builtins.str"),
                (5, "got builtins.int"),
                (engine, "an engine has no transaction: pass the Session"),
                (orm.sessionmaker(engine), "pass the Session that it makes"),
                (cursor, "pass the cursor's .connection"),
        ]:
            with pytest.raises(UnknownConnection, match=remedy.replace(".", r"\.")):
                remind.using(connection=given).enqueue(1)
            with pytest.raises(UnknownConnection, match=remedy.replace(".", r"\.")):
                asyncio.run(remind.using(connection=given).aenqueue(1))
        cursor.connection.close()
        engine.dispose()

    def test_another_kind_of_database(
            self, request: pytest.FixtureRequest, tmp_path: Path, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other, kind = request.getfixturevalue("postgres_server"), "postgres"
        else:
            other, kind = f"sqlite:///{tmp_path}/other.db", "sqlite"
        self._refused(other, kind, remind, "a transaction cannot span both; leave out connection=")

    def test_another_database(self, request: pytest.FixtureRequest, tmp_path: Path, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other, kind, got = f"sqlite:///{tmp_path}/other.db", "sqlite", f"{tmp_path}/other.db"
        else:
            other, kind, got = request.getfixturevalue("postgres_server"), "postgres", "a connection to database "
        self._refused(other, kind, remind, "expected a connection to the store, got", got, "leave out connection=")

    def _refused(self, url: str, kind: str, remind: Any, *said: str) -> None:
        async def transaction(driver: Driver) -> None:
            async with driver(url) as caller:
                with pytest.raises(UnknownConnection) as refused:
                    await caller.enqueue(remind, 1)
                assert [each for each in said if each not in str(refused.value)] == []
                await caller.end("commit")  # it was refused before anything could fail in the transaction

        for driver in DRIVERS[kind].values():
            driver.play(transaction(driver))

    @SQLITE
    def test_a_database_in_memory(self, store_url: str, remind: Any):
        with (contextlib.closing(sqlite3.connect(":memory:")) as connection,
              pytest.raises(UnknownConnection, match="got a connection to a database in memory")):
            remind.using(connection=connection).enqueue(1)

    @SQLITE
    def test_the_store_attached_to_another_file(self, store_url: str, remind: Any, tmp_path: Path):
        """A transaction over two files is not whole after a crash."""
        with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as connection:
            connection.execute(f"attach '{path_of(store_url)}' as store")
            with pytest.raises(UnknownConnection, match="expected a connection to the store"):
                remind.using(connection=connection).enqueue(1)

    @SQLITE
    def test_the_same_file_by_another_name(self, store_url: str, remind: Any, tmp_path: Path, committed: Any):
        (tmp_path / "link.db").symlink_to(path_of(store_url))
        with contextlib.closing(sqlite3.connect(tmp_path / "link.db")) as connection:
            remind.using(connection=connection).enqueue(1)
            connection.commit()
        assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    def test_psycopg2_that_does_not_wait(self, store_url: str, remind: Any):
        with (contextlib.closing(psycopg2.connect(store_url, async_=1)) as connection,
              pytest.raises(UnknownConnection, match="async_=1")):
            remind.using(connection=connection).enqueue(1)


def test_without_a_connection_both_colours_use_the_stores_own(app: Penstock, committed: Any):
    tags = {"tags": ["offer:7"]}
    assert insert(app.store, "invalidate", tags) == [("offer:7",)]
    assert asyncio.run(ainsert(app.store, "invalidate", tags)) == [("offer:7",)]
