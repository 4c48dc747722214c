"""Connections to PostgreSQL for advice. Each piece of work is one transaction, read-only, bounded, and rolled back.

All settings are made for the transaction alone, so that a pooler in between does not hand them to somebody else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from penstock.advise.asking.database import Limits
from penstock.domain.errors import AdviceUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]
NAME = "penstock advise"

_ROLE = """
select r.rolname, current_user::text, (select rolsuper from pg_roles where rolname = current_user),
       case when r.oid is null then null else pg_has_role(current_user, r.oid, 'MEMBER') end
from (select 1) as one left join pg_roles r on r.rolname = %s
"""


def connect(url: str, who: str = "the database") -> Connection:
    """A connection in autocommit mode. Raises `AdviceUnavailable`, without the password."""
    try:
        return psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name=NAME,
                               connect_timeout=10, client_encoding="utf8")
    except (psycopg.Error, UnicodeError) as error:
        raise AdviceUnavailable(f"{who} at {shown(url)} cannot be reached: {reason(error, url)}. Check that the server"
                                " runs, and the URL.") from None


def shown(url: str) -> str:
    """Where a database is, without user and password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return "postgresql://…"
    host, port, name = (str(given.get(part) or "") for part in ("host", "port", "dbname"))
    if any("@" in part for part in (host, port, name)):
        return "postgresql://…"
    place = f"{host}:{port}" if port else host
    return f"postgresql:///{name}?host={host}" if host.startswith("/") else f"postgresql://{place}/{name}"


def reason(error: Exception, url: str = "") -> str:
    """What an error says, in one line, without the password."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    said = " ".join((primary or str(error)).split()).rstrip(".")
    try:
        password = conninfo_to_dict(url).get("password") if url else None
    except psycopg.Error:
        password = None
    return said.replace(str(password), "***") if password else said


def role_of(connection: Connection, wanted: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The role to take, None where there is none to be taken, and what a person should know of it."""
    if wanted is None:
        return None, ()
    row = connection.execute(_ROLE, [wanted]).fetchone()
    assert row is not None
    found, user, superuser, member = row
    if found == user:
        return None, ()
    power = "a superuser" if superuser else "a role of the application"
    if found is None:
        return None, (f"there is no role {wanted}: explained as {user}, {power}; docs/advise.md says how to make it",)
    if not member:
        return None, (f"{user} may not take the role {wanted}: explained as {user}, {power}; GRANT {wanted} TO {user}"
                      " allows it",)
    return wanted, ()


def _roll_back(connection: Connection) -> None:
    """End a transaction. What cannot be rolled back is given up, without a word: what went wrong before, Ctrl-C too, is
    what people are to hear of."""
    if not connection.closed:
        try:
            connection.execute("rollback")
        except psycopg.Error:
            connection.close()


@contextmanager
def reading(connection: Connection, limits: Limits, role: str | None) -> Iterator[Connection]:
    """A transaction that can write nothing, waits for nothing, and is rolled back whatever happens."""
    connection.execute("begin transaction read only")
    try:
        _bound(connection, limits)
        if role is not None:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        yield connection
    finally:
        _roll_back(connection)


@contextmanager
def experimenting(connection: Connection, limits: Limits) -> Iterator[Connection]:
    """A transaction on a database that was named for experiments; rolled back unless the caller commits."""
    connection.execute("begin")
    try:
        _bound(connection, limits)
        yield connection
    finally:
        _roll_back(connection)


def _bound(connection: Connection, limits: Limits) -> None:
    for name, value in (("statement_timeout", limits.statement_ms), ("lock_timeout", limits.lock_ms),
                        ("idle_in_transaction_session_timeout", limits.idle_ms)):
        connection.execute(sql.SQL("set local {} = {}").format(sql.Identifier(name), sql.Literal(value)))
