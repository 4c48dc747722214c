"""A PostgreSQL that may be explained: plain EXPLAIN with the real values, which plans for them and for nothing else."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from penstock.advise.asking.binding import Bound
from penstock.advise.asking.database import USUAL, CannotExplain, Limits
from penstock.advise.asking.postgres.catalogue import read_schema
from penstock.advise.asking.postgres.connection import Connection, connect, reading, reason, role_of
from penstock.advise.asking.postgres.functions import doubts
from penstock.domain.advice import Dialect, Plan, Query, Safety, Schema
from penstock.domain.plans import plan, read_postgres

PLAIN = "explain (format json) "
# Without timing of each node: it would cost more than what is timed. The root's time is that of the whole.
ANALYSED = "explain (analyze, buffers, timing off, summary on, format json) "


class Postgres:
    """The database at `url`, for as long as it is entered."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str, limits: Limits = USUAL, who: str = "the database to be explained") -> None:
        self.url = url
        self.limits = limits
        self.notes: tuple[str, ...] = ()
        self._who = who
        self.role: str | None = None

    def __enter__(self) -> "Postgres":
        self.connection: Connection = connect(self.url, self._who)
        self.role, self.notes = role_of(self.connection, self.limits.role)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.connection.close()

    def schema(self, tables: Sequence[tuple[str | None, str]]) -> Schema:
        try:
            with reading(self.connection, self.limits, self.role) as connection:
                return read_schema(connection, tables)
        except psycopg.Error as error:
            raise CannotExplain(f"the catalogue could not be read: {reason(error, self.url)}") from error

    def doubts(self, query: Query, safety: Safety, schema: Schema) -> tuple[str, ...]:
        try:
            with reading(self.connection, self.limits, self.role) as connection:
                return doubts(connection, query, safety, schema)
        except psycopg.Error as error:
            return (f"what it calls could not be looked up: {reason(error, self.url)}",)

    def explain(self, bound: Bound, *, analyse: bool = False, parameters: str | None = None) -> Plan:
        try:
            with reading(self.connection, self.limits, self.role) as connection:
                return ask(connection, bound, analyse=analyse, parameters=parameters, redact=self.limits.redact)
        except psycopg.Error as error:
            raise CannotExplain(self.why(error)) from error
        except ValueError as error:  # no plan, or a value that cannot be sent
            raise CannotExplain(str(error)) from error

    def why(self, error: psycopg.Error) -> str:
        """What a failure means to a person."""
        said = reason(error, self.url)
        if isinstance(error, psycopg.errors.QueryCanceled):
            return f"it took longer than the {self.limits.statement_ms:,} ms that it may take here"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return f"the role may not read what it reads: {said}; GRANT SELECT allows it"
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return f"somebody holds a lock on what it reads for longer than {self.limits.lock_ms:,} ms; try again later"
        if isinstance(error, psycopg.errors.IndeterminateDatatype | psycopg.errors.AmbiguousFunction):
            return f"the types of its parameters cannot be told: {said}"
        return f"the database refused it: {said}"


def ask(connection: Connection, bound: Bound, *, analyse: bool = False, parameters: str | None = None,
        redact: bool = True) -> Plan:
    """One plan, within the caller's transaction.

    The values are bound by the server, as an application's are, and in the unnamed statement, which is planned for
    them: `plan_cache_mode` says nothing here. In this protocol a text can hold one statement only.
    """
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(((ANALYSED if analyse else PLAIN) + bound.numbered).encode(), bound.values, binary=True)
        row = cursor.fetchone()
    assert row is not None
    return plan(_timed(row[0], redact), parameters=parameters, analysed=analyse)


def _timed(answer: Any, redact: bool) -> Any:
    """The nodes; the whole takes what the execution took, since nodes are not timed."""
    import msgspec

    root = read_postgres(answer, redact=redact)
    took_ms = answer[0].get("Execution Time") if isinstance(answer, list) and answer else None
    return root if took_ms is None else msgspec.structs.replace(root, took_us=round(took_ms * 1000))


def identity(connection: Connection) -> tuple[Any, ...] | None:
    """What tells two connections to one database from those to two."""
    return connection.execute(sql.SQL("select pg_postmaster_start_time(), inet_server_port(), current_database()"
                                      )).fetchone()
