"""Connections to the file and the transactions on them; every SQLite error becomes one of Penstock's."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec

from penstock.domain.errors import SchemaMissing, StoreBusy, StoreError, StoreUnavailable
from penstock.store.port import Params, Row
from penstock.store.statements import Compiled, positional, statement

_NONE: Params = {}


_WAL_SECONDS = 5.0
_READ_BUSY_MS = 5000


class OwnConnection(sqlite3.Connection):
    """A connection of Penstock's own, told apart from those of the application around it."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode that never checkpoints by itself (ADR 003)."""
    try:
        connection = sqlite3.connect(path, timeout=_WAL_SECONDS, isolation_level=None, check_same_thread=False,
                                     cached_statements=512, factory=OwnConnection)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        connection.execute("pragma wal_autocheckpoint = 0")
        _use_wal(connection, path)
        connection.execute("pragma synchronous = full")
        connection.execute("pragma temp_store = memory")
        connection.execute("pragma journal_size_limit = 4194304")
        if read_only:
            # A reader waits only while another process recovers the WAL after a crash, or closes the file.
            connection.execute(f"pragma busy_timeout = {_READ_BUSY_MS}")
            connection.execute("pragma query_only = on")
        else:
            connection.execute("pragma busy_timeout = 0")
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Switch the file to WAL, once in its life. Two that do so at once get in each other's way for a moment, in
    which SQLite does not wait but says that the file is locked."""
    deadline = time.monotonic() + _WAL_SECONDS
    while True:
        try:
            if connection.execute("pragma journal_mode").fetchone()[0] == "wal":
                return
            mode = connection.execute("pragma journal_mode = wal").fetchone()[0]
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        else:
            if mode == "wal":
                return
            raise StoreUnavailable(f"expected {path} to switch to journal mode WAL, it stays at {mode}: put the store"
                                   " on a local disk that allows shared memory, or use a postgresql:// store")
        time.sleep(0.01)


def has_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may corrupt a file where one connection checkpoints while another commits (ADR 003)."""
    return not (version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45))


def spare_checkpoints(connection: sqlite3.Connection) -> None:
    """Keep an application's connection from checkpointing by itself where that may do harm: the writer does it."""
    if has_reset_bug(sqlite3.sqlite_version_info):
        connection.execute("pragma wal_autocheckpoint = 0")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether an error says that somebody else holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """What an error of SQLite means for the store, with what to do next."""
    text = str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_busy(error):
        return StoreBusy(f"the store {path} is locked: {text}")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreUnavailable(
            f"expected to write to {path}, got {text!r}: give this user the right to write both the file and its"
            f" folder {path.parent} (SQLite keeps its -wal and -shm files beside the store)"
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"the disk that holds {path} is full; nothing of this transaction was kept")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreUnavailable(f"expected a SQLite database at {path}, got {text!r}: restore it, or name another file")
    if "no such table: penstock_" in text:
        return SchemaMissing(f"{path}: {text}; run `penstock migrate`")
    return StoreError(f"{path}: {text}")


class SQLiteTransaction:
    """Statements on one connection, which the owner has put into a transaction."""

    __slots__ = ("connection", "now")

    def __init__(self, connection: sqlite3.Connection, now: str | None) -> None:
        self.connection = connection
        self.now = now

    def _run(self, name: str, params: Params, layer: str | None) -> sqlite3.Cursor:
        return run_parts(self.connection, statement(name, "sqlite", now=self.now, layer=layer), arrays_as_json(params))

    def batch(self, name: str, columns: Params, *, layer: str | None = None) -> list[Row]:
        compiled = statement(name, "sqlite", now=self.now, layer=layer)
        rows = list(zip(*(columns[column] for column in compiled.columns), strict=True))
        params = {key: columns[key] for key in compiled.names if key != "rows"}
        return run_parts(self.connection, compiled, arrays_as_json({**params, "rows": rows})).fetchall()

    def rows(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> list[Row]:
        return self._run(name, params, layer).fetchall()

    def row(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> Row | None:
        found = self._run(name, params, layer).fetchall()  # to the end, or RETURNING leaves the change half made
        return found[0] if found else None

    def execute(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> int:
        cursor = self._run(name, params, layer)
        touched = len(cursor.fetchall())
        return max(cursor.rowcount, touched)

    def execute_many(self, name: str, columns: Mapping[str, Sequence[Any]], *, layer: str | None = None) -> None:
        sql, names = positional(statement(name, "sqlite", now=self.now, layer=layer).sql)
        rows = zip(*(columns[name] for name in names), strict=True) if names else repeat((), 0)
        self.connection.executemany(sql, rows)

    def script(self, sql: str) -> None:
        for part in split_script(sql):
            self.connection.execute(part)


def run_parts(connection: sqlite3.Connection, compiled: Compiled, params: Params) -> sqlite3.Cursor:
    """Run the parts of a statement, inside the transaction that is open; the last gives the rows."""
    *first, last = compiled.parts
    for part in first:
        connection.execute(part, params)
    return connection.execute(last, params)


def arrays_as_json(params: Params) -> Params:
    """SQLite has no arrays: `json_each` opens them from JSON text."""
    if any(type(value) is list for value in params.values()):
        return {name: msgspec.json.encode(value).decode() if type(value) is list else value
                for name, value in params.items()}
    return params


def split_script(sql: str) -> list[str]:
    """The statements of a script; `executescript` would commit the transaction that we are in."""
    parts: list[str] = []
    current = ""
    for line in sql.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            parts.append(current)
            current = ""
    return [*parts, current] if current.strip() else parts
