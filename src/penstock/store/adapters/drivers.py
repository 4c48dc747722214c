"""Connections of the drivers themselves. A driver is never imported here: its connection proves that it was.

Cursors are made by class and not by the connection, whose factories of cursors and rows the application may have set.
"""

import sqlite3
import sys
from typing import Any

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters import forms
from penstock.store.adapters.link import Kind, Link
from penstock.store.port import Row


def sqlite(connection: sqlite3.Connection) -> Link:
    """A connection of the standard library."""
    def run(sql: str, params: Any) -> list[Row]:
        text_factory, connection.text_factory = connection.text_factory, str
        cursor = sqlite3.Cursor(connection)
        try:
            return cursor.execute(sql, params).fetchall()
        finally:
            cursor.close()
            connection.text_factory = text_factory

    return Link(connection, "sqlite", forms.as_compiled, run)


def aiosqlite(connection: Any) -> Link:
    """A connection of aiosqlite, which has one of sqlite3 in a thread of its own."""
    async def run(sql: str, params: Any) -> list[Row]:
        text_factory, connection.text_factory = connection.text_factory, str
        try:
            async with connection.cursor() as cursor:
                cursor.row_factory = None
                await cursor.execute(sql, params)
                return list(await cursor.fetchall())
        finally:
            connection.text_factory = text_factory

    return Link(connection, "sqlite", forms.as_compiled, run)


def psycopg(connection: Any) -> Link:
    """A `psycopg.Connection`."""
    module = sys.modules["psycopg"]

    def run(sql: str, params: Any) -> list[Row]:
        with module.Cursor(connection, row_factory=module.rows.tuple_row) as cursor:
            return list(cursor.execute(sql.encode(), params).fetchall())

    return Link(connection, "postgres", forms.as_compiled, run)


def psycopg_async(connection: Any) -> Link:
    """A `psycopg.AsyncConnection`."""
    module = sys.modules["psycopg"]

    async def run(sql: str, params: Any) -> list[Row]:
        async with module.AsyncCursor(connection, row_factory=module.rows.tuple_row) as cursor:
            await cursor.execute(sql.encode(), params)
            return list(await cursor.fetchall())

    return Link(connection, "postgres", forms.as_compiled, run)


def psycopg2(connection: Any) -> Link:
    """A connection of psycopg2, the driver before psycopg."""
    if connection.async_:
        raise UnknownConnection("expected a psycopg2 connection that waits for its answers, got one with async_=1: pass"
                                " an ordinary one")

    def run(sql: str, params: Any) -> list[Row]:
        with sys.modules["psycopg2.extensions"].cursor(connection) as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())

    return Link(connection, "postgres", forms.as_compiled, run)


def asyncpg(connection: Any) -> Link:
    """A connection of asyncpg, its own or on loan from its pool."""
    record = sys.modules["asyncpg"].Record

    async def run(sql: str, params: Any) -> list[Row]:
        return [tuple(row) for row in await connection.fetch(sql, *params, record_class=record)]

    return Link(connection, "postgres", forms.with_dollars, run)


DRIVERS = (
    Kind("sqlite3", ("Connection",), sqlite),
    Kind("psycopg", ("Connection",), psycopg),
    Kind("psycopg", ("AsyncConnection",), psycopg_async, asynchronous=True),
    Kind("asyncpg", ("Connection",), asyncpg, asynchronous=True),
    Kind("psycopg2.extensions", ("connection",), psycopg2),
    Kind("aiosqlite", ("Connection",), aiosqlite, asynchronous=True),
)


def driver_link(connection: Any, framework: str) -> Link:
    """The link of a connection that lies beneath a framework's. Raises `UnknownConnection`."""
    for kind in DRIVERS:
        if kind.has(connection):
            link: Link = kind.open(connection)
            return link
    raise UnknownConnection(
        f"expected {framework} on sqlite3, aiosqlite, psycopg, psycopg2 or asyncpg, got it on {described(connection)}:"
        " give it one of those drivers, or leave out connection="
    )


def described(found: object) -> str:
    """The full name of the class of something."""
    return f"{type(found).__module__}.{type(found).__qualname__}"
