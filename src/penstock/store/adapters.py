"""Runs one statement on a caller's own connection, whatever its driver, inside the transaction that is open there.

An adapter does nothing but execute: what it executes was built purely, so one code path serves every driver.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from penstock.domain.errors import UnknownConnection
from penstock.store.port import Row, Store, Transaction
from penstock.store.sqlite.connection import spare_checkpoints
from penstock.store.statements import Compiled

_SELF_CHECK_SECONDS = 0.05


def insert(store: Store, name: str, params: Mapping[str, Any], connection: Any = None) -> list[Row]:
    """Run the statement `name`: on a caller's connection if one is given, else in a transaction of the store's own.

    Only the latter wakes the workers: inside a caller's transaction nothing is notified, since that would take a
    global lock at its commit.
    """
    if connection is not None:
        return _execute(store, connection, store.compile(name), params)
    rows = store.write(lambda tx: tx.rows(name, params))
    store.wake()
    return rows


async def ainsert(store: Store, name: str, params: Mapping[str, Any], connection: Any = None) -> list[Row]:
    """The same without blocking the event loop."""
    if connection is not None:
        return await _aexecute(store, connection, store.compile(name), params)

    def work(tx: Transaction) -> list[Row]:
        return tx.rows(name, params)

    loop = asyncio.get_running_loop()
    future: Future[list[Row]] = await loop.run_in_executor(None, store.submit, work)
    waiting = asyncio.wrap_future(future)
    while not (await asyncio.wait({waiting}, timeout=_SELF_CHECK_SECONDS))[0]:
        store.refuse_self_lock(future)  # in this thread, since it is the one that may hold the lock
    rows = await waiting
    await loop.run_in_executor(None, store.wake)
    return rows


def _execute(store: Store, connection: Any, compiled: Compiled, params: Mapping[str, Any]) -> list[Row]:
    """Execute on a psycopg `Connection` or a `sqlite3.Connection`; the caller commits."""
    kind = _kind(connection)
    if kind == "psycopg async":
        raise UnknownConnection("this connection is asynchronous: use `await ….aenqueue(…)` with it")
    _belongs(store, connection, kind)
    if kind == "sqlite3":
        spare_checkpoints(connection)
        cursor = connection.cursor()
        cursor.row_factory = None  # rows as they come, whatever the application has made of them
        return list(cursor.execute(compiled.sql, params).fetchall())
    return list(connection.cursor(row_factory=_tuples()).execute(compiled.sql.encode(), params).fetchall())


async def _aexecute(store: Store, connection: Any, compiled: Compiled, params: Mapping[str, Any]) -> list[Row]:
    """The same; takes a psycopg `AsyncConnection` as well."""
    if _kind(connection) != "psycopg async":
        return _execute(store, connection, compiled, params)
    _belongs(store, connection, "psycopg async")
    cursor = await connection.cursor(row_factory=_tuples()).execute(compiled.sql.encode(), params)
    return list(await cursor.fetchall())


def _tuples() -> Any:
    from psycopg.rows import tuple_row

    return tuple_row


def _kind(connection: Any) -> str:
    if isinstance(connection, sqlite3.Connection):
        return "sqlite3"
    if psycopg := sys.modules.get("psycopg"):
        if isinstance(connection, psycopg.Connection):
            return "psycopg"
        if isinstance(connection, psycopg.AsyncConnection):
            return "psycopg async"
    raise UnknownConnection(
        f"expected a sqlite3 or psycopg connection, got {type(connection).__module__}.{type(connection).__qualname__}:"
        " pass the driver's own connection, for example session.connection().connection.driver_connection in"
        " SQLAlchemy"
    )


def _belongs(store: Store, connection: Any, kind: str) -> None:
    expected = "sqlite" if kind == "sqlite3" else "postgres"
    if store.dialect != expected:
        raise UnknownConnection(f"the store is {store.dialect}, the connection is {kind}: a transaction cannot span"
                                " both; leave out connection=, or put the store where the application's tables are")
    if other := store.owns(connection):
        raise UnknownConnection(f"expected a connection to the store, got {other}: leave out connection=, or put the"
                                " store where the application's tables are")
