"""Tells what kind of connection a caller has given, and refuses what has no transaction to join."""

from typing import Any

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters.drivers import DRIVERS, described
from penstock.store.adapters.link import Kind, is_one_of
from penstock.store.adapters.wrappers import WRAPPERS

_HINTS = (
    ("sqlalchemy.engine", ("Engine",), "an engine has no transaction: pass the Session or Connection that has it"),
    ("sqlalchemy.ext.asyncio", ("AsyncEngine",),
     "an engine has no transaction: pass the AsyncSession or AsyncConnection that has it"),
    ("sqlalchemy.orm", ("sessionmaker",), "pass the Session that it makes"),
    ("sqlalchemy.ext.asyncio", ("async_sessionmaker",), "pass the AsyncSession that it makes"),
    ("sqlalchemy.pool", ("PoolProxiedConnection",),
     "pass the Session or Connection, or this one's .driver_connection if you commit it yourself"),
    ("psycopg_pool", ("ConnectionPool", "AsyncConnectionPool"), "pass a connection that it lends"),
    ("asyncpg", ("Pool",), "pass a connection that it lends"),
    ("psycopg", ("Cursor", "AsyncCursor"), "pass the cursor's .connection"),
    ("psycopg2.extensions", ("cursor",), "pass the cursor's .connection"),
    ("sqlite3", ("Cursor",), "pass the cursor's .connection"),
    ("django.db.utils", ("ConnectionHandler",), 'pass one of its connections, such as connections["default"]'),
)
_HINT = "pass the connection or session in whose transaction the application writes, or leave out connection="


def kind_of(connection: Any) -> Kind:
    """The kind of a connection. Raises `UnknownConnection`."""
    for kind in (*DRIVERS, *WRAPPERS):
        if kind.has(connection):
            return kind
    hint = next((hint for module, classes, hint in _HINTS if is_one_of(connection, module, classes)), _HINT)
    raise UnknownConnection(
        "expected a connection of sqlite3, psycopg, asyncpg, psycopg2 or aiosqlite, a Session or Connection of"
        f" SQLAlchemy, or a connection of Django, got {described(connection)}: {hint}"
    )
