"""Databases on a real PostgreSQL, one for each test, that are emptied and used again.

To empty one takes a third of what it takes to copy a template. One whose shape a test has changed (a relation, a
function, a setting) is dropped instead, and a template copied in its place.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

OWN_NAME = "databases of the tests"
_numbers = itertools.count(1)

# What a test may have changed besides rows: relations and columns, constraints, functions, settings. This is asked
# after each test, so what came with the server (all below an oid that is fixed) is passed over by the index of oids.
_SHAPE = """
select sum(hash) from (
    select hash_record_extended((relnamespace, relname, relkind), 0) as hash
    from pg_class where oid >= 16384 and relnamespace <> 'pg_toast'::regnamespace and relpersistence <> 't'
    union all
    select hash_record_extended((attrelid, attnum, attname, atttypid, attnotnull), 1)
    from pg_attribute where attrelid >= 16384 and attnum > 0 and not attisdropped
    union all
    select hash_record_extended((proname, prosrc), 2) from pg_proc where oid >= 16384
    union all
    select hash_record_extended(row(conname), 3) from pg_constraint where oid >= 16384
    union all
    select hash_record_extended(row(nspname), 4) from pg_namespace where nspname not like 'pg\\_%'
    union all
    select hash_record_extended(row(tgname), 5) from pg_trigger where not tgisinternal
    union all
    select hash_record_extended(row(extname), 6) from pg_extension
    union all
    select hash_record_extended(row(setconfig), 7) from pg_db_role_setting
    where setdatabase = (select oid from pg_database where datname = current_database())
) as everything
"""
_TABLES = """
select oid::regclass::text from pg_class where relkind in ('r', 'p') and relnamespace in ('penstock'::regnamespace,
                                                                                         'public'::regnamespace)
"""
_USED = """
select oid::regclass::text from pg_class
where relnamespace = 'penstock'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0
"""
_ROWS = "select json_agg(t)::text from {} t"
_BEGIN_ANEW = """
select setval(oid::regclass, seqstart, false) from pg_class join pg_sequence on seqrelid = oid
where relnamespace = 'penstock'::regnamespace
"""
_OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


def on_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextlib.contextmanager
def database(server: str, template: str | None) -> Iterator[str]:
    """A database of one's own, dropped in the end."""
    name = _create(server, template)
    try:
        yield on_database(server, name)
    finally:
        _drop(server, name)


def _create(server: str, template: str | None) -> str:
    name = f"penstock_test_{os.getpid()}_{next(_numbers)}"
    create = sql.SQL("create database {}").format(sql.Identifier(name))
    if template:
        create += sql.SQL(" template {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(create)
    return name


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


class Databases:
    """Copies of a template, lent to one test at a time."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._lent: set[str] = set()
        self._own: dict[str, psycopg.Connection[Any]] = {}
        with psycopg.connect(on_database(server, template)) as connection:
            self._shape = _one(connection, _SHAPE)
            self._tables = {row[0] for row in connection.execute(_TABLES)}
            self._rows = {name: rows for (name,) in connection.execute(_USED).fetchall()
                          if (rows := _one(connection, _ROWS.format(name)))}

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database that is as the template is."""
        name = self._free.pop() if self._free else _create(self._server, self._template)
        self._lent.add(name)
        try:
            yield on_database(self._server, name)
        finally:
            if self._emptied(name):
                self._free.append(name)
            else:
                self._drop(name)
            self._lent.discard(name)

    def own(self, url: str) -> "psycopg.Connection[Any] | None":
        """The connection that empties a database of ours, open from test to test; None where it is no database of ours.

        Who has it need not make one, which to a server is as much as twenty statements.
        """
        name = urlsplit(url).path.removeprefix("/")
        if name not in self._lent or on_database(self._server, name) != url:
            return None
        if name not in self._own:
            # A new one would read the whole catalogue each time. Prepared at once: tests ask the same again and again,
            # and to plan the view of all jobs takes the longest.
            self._own[name] = psycopg.connect(url, autocommit=True, application_name=OWN_NAME, prepare_threshold=0,
                                              options="-c client_min_messages=warning")
        return self._own[name]

    def close(self) -> None:
        while self._free:
            self._drop(self._free.pop())

    def _drop(self, name: str) -> None:
        if own := self._own.pop(name, None):
            own.close()
        _drop(self._server, name)

    def _emptied(self, name: str) -> bool:
        """Make it as it was; False where that cannot be."""
        try:
            own = self.own(on_database(self._server, name))
            assert own is not None
            with own.transaction():
                return self._as_it_was(own)
        except psycopg.Error:
            return False

    def _as_it_was(self, connection: "psycopg.Connection[Any]") -> bool:
        connection.execute(_OTHERS)
        connection.execute("reset all")  # what a test has set by its clock's connection
        if added := [row[0] for row in connection.execute(_TABLES) if row[0] not in self._tables]:
            connection.execute("drop table " + ", ".join(added) + " cascade")
        if _one(connection, _SHAPE) != self._shape:
            return False
        kept = {table for table, rows in self._rows.items() if _one(connection, _ROWS.format(table)) == rows}
        if used := [row[0] for row in connection.execute(_USED) if row[0] not in kept]:
            connection.execute("truncate " + ", ".join(used))
        for table in self._rows.keys() - kept:
            connection.execute(f"insert into {table} select * from json_populate_recordset(null::{table}, %s)",
                               [self._rows[table]])
        connection.execute(_BEGIN_ANEW)
        return True


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
