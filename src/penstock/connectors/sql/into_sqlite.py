"""Writing to a SQLite file that others use as well.

The file must exist: a wrong path must be an error, not a new and empty database. It must not be a store of Penstock:
a destination's transactions would take turns with every claim and heartbeat for the one write lock.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from penstock.connectors.sql.layout import Layout
from penstock.connectors.sql.redact import redacted
from penstock.connectors.sql.session import NO_TEXT, UNIQUENESS, Answer, Refusal, Step, Undone, misfit
from penstock.connectors.sql.table import Column, Kind, Table
from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.errors import Unavailable
from penstock.domain.records import Rejected
from penstock.store.sqlite.connection import spare_checkpoints

_CODES = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UNIQUENESS,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UNIQUENESS,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UNIQUENESS,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "not_null",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign_key",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check",
}
# Errors without a code of their own that no other row would be spared.
_DECLARED_WRONGLY = re.compile(r"no such|has no column|cannot modify|syntax error|no tables specified")
_INTEGER = "INTEGER"


class SqliteSession:
    """One connection to the file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = Path(os.path.abspath(path))

    def __enter__(self) -> "SqliteSession":
        if not os.path.isfile(self._path):
            raise misfit(
                f"The destination expects a SQLite database at {self._path}, but sees no such file. Make it, with its"
                " table, or correct the URL: a relative path (three slashes) starts at the current directory."
            )
        with self._working():
            # A generator that nobody finished may be closed by another thread; two never use it at once.
            self._connection = sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, isolation_level=None,
                                               check_same_thread=False)
        try:
            with self._working():
                self._connection.execute("pragma foreign_keys = on")
                spare_checkpoints(self._connection)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self, *, write: bool, seconds: float) -> None:
        with self._working():
            self._connection.execute(f"pragma busy_timeout = {round(seconds * 1000)}")
            self._connection.execute("begin immediate" if write else "begin")

    def commit(self) -> Refusal | None:
        try:
            self._connection.execute("commit")
        except sqlite3.Error as error:
            undone = self._connection.in_transaction
            self.rollback()
            if undone and isinstance(error, sqlite3.IntegrityError):
                return _refusal(error, ())
            raise self._unavailable(error, sent=not undone) from error
        return None

    def rollback(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("rollback")
            except sqlite3.Error:
                return  # closing the connection does the same

    def carry_out(self, steps: Sequence[Step]) -> list[Answer]:
        answers: list[Answer] = []
        for sql, values in steps:
            try:
                answers.append(self._connection.execute(sql, values).fetchall())
            except UnicodeEncodeError:
                answers.append(NO_TEXT)
            except sqlite3.Error as error:
                if not _is_rows_fault(error):
                    raise self._unavailable(error, sent=False) from error
                refusal = _refusal(error, values)
                if not self._connection.in_transaction:  # a trigger or a constraint that says ROLLBACK
                    raise Undone(refusal) from error
                answers.append(refusal)
        return answers

    def describe(self, layout: Layout) -> Table:
        with self._working():
            names = {name for (name,) in self._connection.execute("select name from sqlite_master where type in"
                                                                  " ('table', 'view')")}
            if "penstock_migrations" in names:
                raise misfit(
                    f"The destination expects a database of your own, but {self._path} is a store of Penstock, whose"
                    " only write lock its workers need for themselves. Put the destination's tables into another file."
                )
            if layout.table not in names:
                raise misfit(f"The destination expects a table {layout.table!r} in {self._path}, but sees none."
                             + (did_you_mean(layout.table, names) or " Make it first: Penstock makes none of yours."))
            return self._described(layout.table)

    def _described(self, name: str) -> Table:
        # Not as `select * from pragma_…`, which a table of that name would hide.
        rows = self._connection.execute(f"pragma table_xinfo({_quoted(name)})").fetchall()
        listed = self._connection.execute(f"pragma table_list({_quoted(name)})").fetchall()
        without_rowid = any(row[0] == "main" and row[4] for row in listed)
        primary = tuple(row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5])
        numbered = len(primary) == 1 and not without_rowid
        columns = {
            row[1]: Column(row[1], _kind(row[2]), computed=row[6] in (2, 3),
                           automatic=row[4] is not None or (numbered and bool(row[5]) and row[2].upper() == _INTEGER))
            for row in rows if row[6] != 1
        }
        unique = {}
        indices = self._connection.execute(f"pragma index_list({_quoted(name)})").fetchall()
        for _, index, is_unique, _, partial in indices:
            if is_unique and not partial:
                parts = self._connection.execute(f"pragma index_info({_quoted(index)})").fetchall()
                unique[index] = frozenset(part[2] for part in parts)
        return Table(columns, primary, unique)

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unavailable(error, sent=False) from error

    def _unavailable(self, error: sqlite3.Error, *, sent: bool) -> Unavailable:
        return Unavailable(f"The destination at {self._path} could not be written to or read: {error}."
                           f" {_advice(error)}", sent=sent)


def _is_rows_fault(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # a value that the driver cannot bind
        return isinstance(error, sqlite3.DataError | sqlite3.InterfaceError)
    match code & 0xFF:  # the rest tells the kind within the kind
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH | sqlite3.SQLITE_TOOBIG:
            return True
        case sqlite3.SQLITE_ERROR:
            return not _DECLARED_WRONGLY.search(str(error))
    return False


def _refusal(error: sqlite3.Error, values: Sequence[object]) -> Refusal:
    code = getattr(error, "sqlite_errorcode", 0)
    is_constraint = code & 0xFF == sqlite3.SQLITE_CONSTRAINT and code != sqlite3.SQLITE_CONSTRAINT_TRIGGER
    message = str(error) if is_constraint else redacted(str(error), values)
    _, _, listed = message.partition("UNIQUE constraint failed: ")
    columns = frozenset(column.rpartition(".")[2] for column in listed.split(", ") if column)
    return Refusal(Rejected(_CODES.get(code, "refused"), f"the destination's database refuses the row: {message}"),
                   columns=columns)


def _advice(error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY:
            return "Another connection holds its lock: let it end its transaction; this is tried again later."
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return "Give this user leave to write to the file, and to make files in its folder."
        case sqlite3.SQLITE_FULL:
            return "Its disk is full: make room."
    return "Correct what is declared, or the table; this is tried again later."


def _kind(declared: str) -> Kind:
    """By SQLite's rules for a column's affinity, and what people write for truth values and JSON."""
    name = declared.upper()
    if "BOOL" in name:
        return Kind.BOOLEAN
    if "JSON" in name:
        return Kind.JSON
    if "INT" in name:
        return Kind.INTEGER
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return Kind.TEXT
    return Kind.UNTYPED if not name or "BLOB" in name else Kind.OTHER


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
