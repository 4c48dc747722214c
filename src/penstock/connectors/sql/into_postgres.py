"""Writing to PostgreSQL, also behind a pooler that gives every transaction another server connection.

The rows of a batch travel in a pipeline, one statement each. Where one is refused, what came before it is carried
out again from a savepoint and what follows goes on behind it, so a bad row costs two round trips, not its batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any

import psycopg
from psycopg import errors

from penstock.connectors.sql.layout import Layout
from penstock.connectors.sql.redact import redacted
from penstock.connectors.sql.server import Server
from penstock.connectors.sql.session import NO_TEXT, UNIQUENESS, Answer, Refusal, Step, is_text, misfit
from penstock.connectors.sql.table import Column, Kind, Table
from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.errors import Unavailable
from penstock.domain.records import Rejected

_CODES = {"23505": UNIQUENESS, "23502": "not_null", "23503": "foreign_key", "23001": "foreign_key", "23514": "check",
          "23P01": "exclusion"}
# Classes of SQLSTATE that say nothing of a row: connection, state, conflict, rights and names, resources, the server.
_NOT_THE_ROWS = ("08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "F0", "XX")
_DATATYPE_MISMATCH = "42804"
_NO_RIGHT = "42501"
_CONSTRAINTS = "23"
_CHECK_OF_RIGHTS = "aclcheck_error"  # the server's function that refuses whole tables; others refuse single rows

_KINDS = {"int2": Kind.INTEGER, "int4": Kind.INTEGER, "int8": Kind.INTEGER, "bool": Kind.BOOLEAN, "json": Kind.JSON,
          "jsonb": Kind.JSON, "text": Kind.TEXT, "varchar": Kind.TEXT, "bpchar": Kind.TEXT, "citext": Kind.TEXT}

_COLUMNS = """\
select a.attname, t.typname,
       a.atthasdef and a.attgenerated = '' or a.attidentity <> '', a.attgenerated <> '' or a.attidentity = 'a'
from pg_catalog.pg_attribute a
join pg_catalog.pg_type given on given.oid = a.atttypid
join pg_catalog.pg_type t on t.oid = coalesce(nullif(given.typbasetype, 0), given.oid)
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum"""

_INDICES = """\
select c.relname, i.indisprimary,
       array(select a.attname::text from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k (number, place)
             join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number order by k.place)
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
where i.indrelid = %s and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
  and i.indexprs is null"""

_TABLE = """\
select c.oid, n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = to_regclass(%s) and c.relkind in ('r', 'p', 'v', 'f')"""

_TABLES = """\
select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f') and case when %s::text is null then pg_catalog.pg_table_is_visible(c.oid)
      else n.nspname = %s end and n.nspname not in ('pg_catalog', 'information_schema')"""


class PostgresSession:
    """One connection to the database at `url`."""

    def __init__(self, url: str) -> None:
        self._server = Server(url, "SQLDestination")

    def __enter__(self) -> "PostgresSession":
        with self._working():
            self._connection = self._server.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self, *, write: bool, seconds: float) -> None:
        with self._working():
            self._connection.execute("begin" if write else "begin read only")
            self._connection.execute("select set_config('statement_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])

    def commit(self) -> Refusal | None:
        try:
            status = self._connection.execute("commit").statusmessage
        except psycopg.Error as error:
            # The server's ERROR is its word that it has not committed; anything else may have hit the answer.
            undone = error.diag.severity_nonlocalized == "ERROR"
            self.rollback()
            if undone and _is_rows_fault(error):
                return self._refusal(error, ())
            raise self._unavailable(error, sent=not undone) from error
        if status != "COMMIT":
            raise misfit(f"The destination at {self._server} did not commit what it was sent, but answered {status}."
                         " This is tried again later.")
        return None

    def rollback(self) -> None:
        try:
            self._connection.execute("rollback")
        except psycopg.Error:
            return  # the connection is gone, and the transaction with it

    def carry_out(self, steps: Sequence[Step]) -> list[Answer]:
        if any(map(_is_unwritable, steps)):
            written = iter(self.carry_out([step for step in steps if not _is_unwritable(step)]))
            return [NO_TEXT if _is_unwritable(step) else next(written) for step in steps]
        answers: list[Answer] = []
        waiting = list(steps)
        while waiting:
            with self._working():
                self._connection.execute("savepoint penstock_rows")
            done, error = self._pipelined(waiting)
            if error is None:
                return [*answers, *done]
            if not _is_rows_fault(error):
                raise self._unavailable(error, sent=False) from error
            with self._working():
                self._connection.execute("rollback to savepoint penstock_rows")
            before = waiting[: len(done)]
            answers += self.carry_out(before)
            answers.append(self._refusal(error, waiting[len(before)].values))
            waiting = waiting[len(before) + 1 :]
        return answers

    def _pipelined(self, steps: Sequence[Step]) -> tuple[list[list[Any]], psycopg.Error | None]:
        """The rows of the statements up to the first that failed, and what it failed of."""
        cursors: list[psycopg.Cursor[Any]] = []
        failure: psycopg.Error | None = None
        try:
            with self._connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext():
                for sql, values in steps:
                    cursors.append(self._connection.execute(sql.encode(), values))
        except psycopg.Error as error:
            failure = error
        done: list[list[Any]] = []
        with self._working():
            for cursor in cursors:
                if cursor.pgresult is None:
                    break
                done.append(cursor.fetchall() if cursor.description else [])
        return done, failure

    def describe(self, layout: Layout) -> Table:
        with self._working():
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (layout.schema, layout.table) if part)
            found = self._connection.execute(_TABLE, [quoted]).fetchone()
            if found is None:
                tables = [name for (name,) in self._connection.execute(_TABLES, [layout.schema] * 2)]
                raise misfit(f"The destination expects a table {str(layout)!r} at {self._server}, but sees none."
                             + (did_you_mean(layout.table, tables) or " Make it first: Penstock makes none of yours."))
            number, schema = found
            if schema == "penstock":
                raise misfit(f"The destination expects a table of your own, but {str(layout)!r} at {self._server} is"
                             " Penstock's. Name another.")
            columns = {name: Column(name, _KINDS.get(kind, Kind.OTHER), automatic, computed)
                       for name, kind, automatic, computed in self._connection.execute(_COLUMNS, [number])}
            indices = self._connection.execute(_INDICES, [number]).fetchall()
        primary = next((tuple(parts) for _, is_primary, parts in indices if is_primary), ())
        return Table(columns, primary, {name: frozenset(parts) for name, _, parts in indices})

    def _refusal(self, error: psycopg.Error, values: Sequence[object]) -> Refusal:
        state, name = error.sqlstate or "", error.diag.constraint_name
        message = self._server.reason(error)
        if not state.startswith(_CONSTRAINTS):
            message = redacted(message, values)
        by = f" by {name}" if name and name not in message else ""
        code = _CODES.get(state, "value" if state.startswith("22") else "refused")
        return Refusal(Rejected(code, f"the destination's database refuses the row{by}: {message}"), constraint=name)

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._unavailable(error, sent=False) from error

    def _unavailable(self, error: psycopg.Error, *, sent: bool) -> Unavailable:
        doubt = " It is not known whether it has committed." if sent else ""
        return Unavailable(f"The destination at {self._server} could not be written to or read:"
                           f" {self._server.reason(error)}.{doubt} {_advice(error)}", sent=sent)


def _is_unwritable(step: Step) -> bool:
    """Whether a value cannot even be sent; in a pipeline that could not be told from what the server refuses."""
    return any("\0" in value or not is_text(value) for value in step.values if isinstance(value, str))


def _is_rows_fault(error: psycopg.Error) -> bool:
    state = error.sqlstate
    if state is None:  # a connection that is gone
        return False
    if state == _NO_RIGHT:
        return error.diag.source_function != _CHECK_OF_RIGHTS
    return state == _DATATYPE_MISMATCH or not state.startswith(_NOT_THE_ROWS)


def _advice(error: psycopg.Error) -> str:
    match error:
        case errors.QueryCanceled() | errors.LockNotAvailable():
            return "Look for what holds locks on the table; this is tried again later."
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
            return "Give this user leave to select, insert, update and delete, at a server that takes writes."
        case errors.SyntaxErrorOrAccessRuleViolation():
            return "Correct what is declared, or the table; this is tried again later."
    return "Check that the server runs, and the URL; this is tried again later."
