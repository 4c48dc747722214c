"""Applications as they write to their database: one caller for each driver and framework that Penstock joins.

A caller's transaction is begun by what it is used for first. Callers that do not wait are written as coroutines too,
which never suspend, so that one test serves both.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import psycopg2
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio

from penstock import Penstock
from penstock.store.adapters import ainsert, insert

T = TypeVar("T")


@dataclass
class Caller:
    """A connection or session that is open, and how its application uses it. Its verbs may have to be awaited."""

    connection: Any
    execute: Callable[[str], Any]
    commit: Callable[[], Any]
    rollback: Callable[[], Any]
    waits: bool = False

    async def write(self, name: str) -> None:
        """Write a row of the application's own."""
        await settled(self.execute(f"insert into account values ('{name}')"))

    async def end(self, how: str) -> None:
        await settled(self.commit() if how == "commit" else self.rollback())

    async def enqueue(self, launch: Any, *arguments: Any) -> Any:
        """Enqueue as its colour asks for; `launch` is a task, or what its `using` gives."""
        launch = launch.using(connection=self.connection)
        return await launch.aenqueue(*arguments) if self.waits else launch.enqueue(*arguments)

    async def run(self, app: Penstock, name: str, params: dict[str, Any]) -> list[Any]:
        """Run any statement of the catalogue."""
        if self.waits:
            return await ainsert(app.store, name, params, self.connection)
        return insert(app.store, name, params, self.connection)


async def settled(result: Any) -> Any:
    return await result if isinstance(result, Awaitable) else result


class Driver:
    """A way to connect; `waits` says whether its connections are used with `await`."""

    def __init__(self, connect: Callable[..., AsyncIterator[Caller]], waits: bool) -> None:
        self._connect = contextlib.asynccontextmanager(connect)
        self.waits = waits

    def __call__(self, url: str, **options: Any) -> contextlib.AbstractAsyncContextManager[Caller]:
        return self._connect(url, **options)

    def play(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a test's coroutine: on an event loop, or without any, since Django for one refuses to work within."""
        if self.waits:
            return asyncio.run(work)
        try:
            work.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        raise AssertionError("it waits")


def waiting(connect: Callable[..., AsyncIterator[Caller]]) -> Driver:
    return Driver(connect, True)


def blocking(connect: Callable[..., AsyncIterator[Caller]]) -> Driver:
    return Driver(connect, False)


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def on_driver(url: str, driver: str) -> str:
    """A URL as SQLAlchemy takes it."""
    kind, _, rest = url.partition("://")
    return f"{kind}+{driver}://{rest}"


def outsider(url: str) -> Any:
    """A connection beside the application's; it commits every statement."""
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(path_of(url), isolation_level=None, timeout=60)
        connection.execute("pragma wal_autocheckpoint = 0")
        return connection
    return psycopg.connect(url, autocommit=True)


@blocking
async def with_sqlite3(url: str, **options: Any) -> AsyncIterator[Caller]:
    with contextlib.closing(sqlite3.connect(path_of(url), **options)) as connection:
        yield Caller(connection, connection.execute, connection.commit, connection.rollback)


@waiting
async def with_aiosqlite(url: str, **options: Any) -> AsyncIterator[Caller]:
    import aiosqlite

    async with aiosqlite.connect(path_of(url), **options) as connection:
        yield Caller(connection, connection.execute, connection.commit, connection.rollback, True)


@blocking
async def with_psycopg(url: str, **options: Any) -> AsyncIterator[Caller]:
    with contextlib.closing(psycopg.connect(url, **options)) as connection:
        yield Caller(connection, connection.execute, connection.commit, connection.rollback)


@waiting
async def with_psycopg_async(url: str, **options: Any) -> AsyncIterator[Caller]:
    connection = await psycopg.AsyncConnection.connect(url, **options)
    try:
        yield Caller(connection, connection.execute, connection.commit, connection.rollback, True)
    finally:
        await connection.close()


@blocking
async def with_psycopg2(url: str, **options: Any) -> AsyncIterator[Caller]:
    with contextlib.closing(psycopg2.connect(url, **options)) as connection:
        yield Caller(connection, lambda sql: connection.cursor().execute(sql), connection.commit, connection.rollback)


@waiting
async def with_asyncpg(url: str) -> AsyncIterator[Caller]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        yield Caller(connection, connection.execute, transaction.commit, transaction.rollback, True)
    finally:
        await connection.close()


@waiting
async def with_asyncpg_pool(url: str) -> AsyncIterator[Caller]:
    import asyncpg

    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield Caller(connection, connection.execute, transaction.commit, transaction.rollback, True)


def with_sqlalchemy(driver: str, form: str) -> Driver:
    @blocking
    async def caller(url: str, **options: Any) -> AsyncIterator[Caller]:
        engine = sqlalchemy.create_engine(on_driver(url, driver), **options)
        given: Any
        match form:
            case "Connection":
                given = engine.connect()
            case "Session":
                given = orm.Session(engine)
            case _:
                given = orm.scoped_session(orm.sessionmaker(engine))
        try:
            yield Caller(given, lambda sql: given.execute(sqlalchemy.text(sql)), given.commit, given.rollback)
        finally:
            given.close()
            engine.dispose()

    return caller


def with_sqlalchemy_async(driver: str, form: str) -> Driver:
    @waiting
    async def caller(url: str, **options: Any) -> AsyncIterator[Caller]:
        engine = sqlalchemy_asyncio.create_async_engine(on_driver(url, driver), **options)
        given: Any
        match form:
            case "AsyncConnection":
                given = await engine.connect()
            case "AsyncSession":
                given = sqlalchemy_asyncio.AsyncSession(engine)
            case _:
                given = sqlalchemy_asyncio.async_scoped_session(
                    sqlalchemy_asyncio.async_sessionmaker(engine), asyncio.current_task)
        try:
            yield Caller(given, lambda sql: given.execute(sqlalchemy.text(sql)), given.commit, given.rollback, True)
        finally:
            await given.close()
            await engine.dispose()

    return caller


def django_databases(url: str) -> dict[str, dict[str, Any]]:
    """What `settings.DATABASES` says of the store's database."""
    if url.startswith("sqlite:"):
        return {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path_of(url)}}
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": parts["dbname"],
                        "USER": parts.get("user", ""), "PASSWORD": parts.get("password", ""),
                        "HOST": parts.get("host", ""), "PORT": str(parts.get("port", ""))}}


@contextlib.contextmanager
def django_on(url: str) -> Any:
    """Django with the store's database as its default, as `django.db.connection` gives it."""
    import django
    from django.conf import settings
    from django.db import connections

    if not settings.configured:
        settings.configure(USE_TZ=True, DATABASES={}, LOGGING_CONFIG=None)
        django.setup()
    before = connections.settings
    connections.settings = connections.configure_settings(django_databases(url))
    with contextlib.suppress(AttributeError):
        del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        del connections["default"]
        connections.settings = before


def with_django(form: str) -> Driver:
    @blocking
    async def caller(url: str) -> AsyncIterator[Caller]:
        with django_on(url):
            from django.db import connection, connections, transaction

            given: Any = connection if form == "connection" else connections["default"]
            atomic = transaction.atomic()
            atomic.__enter__()

            def end(error: Exception | None) -> None:
                atomic.__exit__(type(error) if error else None, error, None)

            yield Caller(given, lambda sql: given.cursor().execute(sql), lambda: end(None),
                         lambda: end(ArithmeticError()))

    return caller


FORMS = ("Connection", "Session", "scoped_session")
ASYNC_FORMS = ("AsyncConnection", "AsyncSession", "async_scoped_session")
DJANGO = {f"Django {form}": with_django(form) for form in ("connection", "connections")}
DRIVERS: dict[str, dict[str, Driver]] = {
    "sqlite": {
        "sqlite3": with_sqlite3,
        "aiosqlite": with_aiosqlite,
        **{f"SQLAlchemy {form}": with_sqlalchemy("pysqlite", form) for form in FORMS},
        **{f"SQLAlchemy {form}": with_sqlalchemy_async("aiosqlite", form) for form in ASYNC_FORMS},
        **DJANGO,
    },
    "postgres": {
        "psycopg": with_psycopg,
        "psycopg async": with_psycopg_async,
        "psycopg2": with_psycopg2,
        "asyncpg": with_asyncpg,
        "asyncpg pool": with_asyncpg_pool,
        **{f"SQLAlchemy {form}": with_sqlalchemy("psycopg", form) for form in FORMS},
        "SQLAlchemy Session on psycopg2": with_sqlalchemy("psycopg2", "Session"),
        **{f"SQLAlchemy {form}": with_sqlalchemy_async("asyncpg", form) for form in ASYNC_FORMS},
        "SQLAlchemy AsyncSession on psycopg": with_sqlalchemy_async("psycopg", "AsyncSession"),
        **DJANGO,
    },
}
