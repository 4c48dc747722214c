"""Runs one statement on a caller's own connection, whatever its driver, inside the transaction that is open there.

An adapter does nothing but execute: what it executes was built purely, so one code path serves every driver.
"""

import sqlite3
import sys
from collections.abc import Mapping
from typing import Any

from penstock.domain.errors import UnknownConnection
from penstock.store.port import Row, Store
from penstock.store.statements import Compiled


def execute(store: Store, connection: Any, compiled: Compiled, params: Mapping[str, Any]) -> list[Row]:
    """Execute on a psycopg `Connection` or a `sqlite3.Connection`; the caller commits."""
    kind = _kind(connection)
    if kind == "psycopg async":
        raise UnknownConnection("this connection is asynchronous: use `await ….aenqueue(…)` with it")
    _belongs(store, connection, kind)
    if kind == "sqlite3":
        return list(connection.execute(compiled.sql, params).fetchall())
    return list(connection.cursor(row_factory=_tuples()).execute(compiled.sql.encode(), params).fetchall())


async def aexecute(store: Store, connection: Any, compiled: Compiled, params: Mapping[str, Any]) -> list[Row]:
    """The same; takes a psycopg `AsyncConnection` as well."""
    if _kind(connection) != "psycopg async":
        return execute(store, connection, compiled, params)
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
        raise UnknownConnection(f"the store is {store.dialect}, the connection is {kind}: a transaction cannot span both;"
                                " leave out connection=, or put the store where the application's tables are")
    if other := store.owns(connection):
        raise UnknownConnection(f"expected a connection to the store, got {other}: leave out connection=, or put the"
                                " store where the application's tables are")
