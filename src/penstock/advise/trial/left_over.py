"""Indexes of trials that were killed half-way: found by their tag, and dropped.

A trial's index has a name that begins with `penstock_trial_`, a comment that begins with `penstock trial`, and, while
its trial is alive, a lock that the trial's session holds. So an index of a trial that is under way is left alone.
"""

import contextlib
import secrets
from collections.abc import Iterator

import psycopg
from psycopg import sql

from penstock.advise.asking.postgres.connection import Connection

PREFIX = "penstock_trial_"
COMMENT = "penstock trial"
_LOCK, _TURN = 0x50454E53, 0x50454E54
_FOUND = r"""
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
where c.relkind in ('i', 'I') and c.relname like 'penstock\_trial\_%' and d.description like 'penstock trial%'
order by 1, 2
"""


def new_name() -> str:
    """A name for a trial's index, never had before."""
    return PREFIX + secrets.token_hex(4)


@contextlib.contextmanager
def held(connection: Connection, name: str) -> Iterator[None]:
    """While inside, the trial of that name is alive."""
    connection.execute("select pg_advisory_lock(%s::int, %s::int)", [_LOCK, _key(name)])
    try:
        yield
    finally:
        if not connection.closed:
            with contextlib.suppress(psycopg.Error):
                connection.execute("select pg_advisory_unlock(%s::int, %s::int)", [_LOCK, _key(name)])


@contextlib.contextmanager
def taking_turns(connection: Connection, table: str, wait_ms: int) -> Iterator[None]:
    """While inside, no other trial is at work on the table, whose index would be used in place of ours, or of none.

    Raises `psycopg.errors.LockNotAvailable` where another one takes too long.
    """
    with connection.transaction():
        connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(wait_ms)))
        connection.execute("select pg_advisory_lock(%s::int, hashtext(%s::regclass::oid::text))", [_TURN, table])
    try:
        yield
    finally:
        if not connection.closed:
            with contextlib.suppress(psycopg.Error):
                connection.execute("select pg_advisory_unlock(%s::int, hashtext(%s::regclass::oid::text))",
                                   [_TURN, table])


def left_over(connection: Connection) -> list[tuple[str, str]]:
    """Indexes of trials, whether alive or not: schema and name."""
    return [(schema, name) for schema, name in connection.execute(_FOUND).fetchall()]


def drop_left_over(connection: Connection, wait_ms: int = 3_000) -> list[str]:
    """Drop the indexes of trials that are dead, and give their names. One that is locked by others stays for now.

    The server may notice late that a trial was killed: so whoever holds its lock is waited for, but not for long.
    """
    dropped = []
    for schema, name in left_over(connection):
        with contextlib.suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(wait_ms)))
            connection.execute("select pg_advisory_xact_lock(%s::int, %s::int)", [_LOCK, _key(name)])
            connection.execute(sql.SQL("drop index if exists {}").format(sql.Identifier(schema, name)))
            dropped.append(name)
    return dropped


def _key(name: str) -> int:
    number = int(name.removeprefix(PREFIX)[:8] or "0", 16)
    return number - (1 << 32) if number >= 1 << 31 else number
