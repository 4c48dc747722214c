"""sqlite3: connections that are made from now on, whatever their class, and their cursors. Connections that there are
already are of a class that cannot be changed, and tell nothing.

SQLite does its work while rows are fetched, so fetches count: their rows and their time are their statement's.
"""

import functools
import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from penstock.domain.traces import database_name
from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import Sets, Telling, fault, silent
from penstock.observe.trace import QUERIED, active
from penstock.store.sqlite.connection import OwnConnection
from penstock.store.within import within

LIBRARY = "sqlite3"
_FACTORY = 5
"""The place of `factory` among the arguments of `sqlite3.connect`."""
_told_connections: dict[type, type] = {}
_told_cursors: dict[type, type] = {}


def install(patches: Patches) -> None:
    for module in (sqlite3, sqlite3.dbapi2):
        patches.wrap(module, "connect", _connecting)
    for name, method in _OF_CURSORS.items():
        patches.put(TellingCursor, name, method)
    for name, method in _OF_CONNECTIONS.items():
        patches.put(TellingConnection, name, method)


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(*args: Any, **options: Any) -> Any:
        given = args[_FACTORY] if len(args) > _FACTORY else options.get("factory", sqlite3.Connection)
        if isinstance(given, type) and not issubclass(given, OwnConnection):
            factory = told_class(given, TellingConnection, _told_connections)
            if len(args) > _FACTORY:
                args = (*args[:_FACTORY], factory, *args[_FACTORY + 1:])
            else:
                options["factory"] = factory
        connection = original(*args, **options)
        if isinstance(connection, TellingConnection):
            connection.penstock_database = _database(args[0] if args else options.get("database"), options.get("uri"))
        return connection

    return connect


def _database(given: Any, uri: Any) -> str:
    try:
        path = os.fsdecode(given)
        if uri and path.startswith("file:"):
            path = unquote(urlsplit(path).path)
        return database_name("sqlite", os.path.abspath(path) if path and path != ":memory:" else path)
    except Exception:
        fault("sqlite3")
        return database_name("sqlite", "")


def told_class(given: type, base: type, known: dict[type, type]) -> type:
    """A class as given that tells of what it does: it comes before the driver's own, and after the user's."""
    if given in known:
        return known[given]
    try:
        made = base if given in base.__mro__ else type(given.__name__, (given, base), {"__module__": given.__module__})
    except Exception:  # a class that does not let itself be derived from is left as it is
        made = given
    known[given] = made
    return made


class TellingCursor(sqlite3.Cursor):
    """A cursor that tells what it does, as long as the instrument is installed; else it is an ordinary one."""

    penstock_text = ""
    penstock_rows: int | None = None
    penstock_database: str | None = None


class TellingConnection(sqlite3.Connection):
    """A connection whose cursors tell what they do."""

    penstock_database: str | None = None


def _cursor_execute(self: "TellingCursor", sql: str, parameters: Any = (), /) -> "TellingCursor":
    trace = active.get()
    if trace is None or (within.get() is not None and silent()):
        if self.penstock_text:
            self.penstock_text = ""
        return sqlite3.Cursor.execute(self, sql, parameters)
    began = trace.enter(QUERIED)
    failed = True
    try:
        sqlite3.Cursor.execute(self, sql, parameters)
        failed = False
        return self
    finally:
        took = trace.leave(QUERIED) - began
        try:
            self.penstock_text = sql
            self.penstock_rows = None
            # What gives rows has none yet, also if it writes.
            rows = None if failed or self.description is not None else max(self.rowcount, 0)
            trace.statement(sql, "sqlite3", self.penstock_database, took, rows, parameters, failed=failed)
        except Exception:
            fault("sqlite3")


def _cursor_executemany(self: "TellingCursor", sql: str, parameters: Iterable[Any], /) -> "TellingCursor":
    trace = active.get()
    if trace is None or silent():
        return sqlite3.Cursor.executemany(self, sql, parameters)
    sets = Sets(parameters)
    with Telling("sqlite3", trace, self.penstock_database, None,
                 lambda: (sql, "sqlite3", max(self.rowcount, 0), sets.first)):
        sqlite3.Cursor.executemany(self, sql, sets)
    return self


def _cursor_executescript(self: "TellingCursor", sql: str, /) -> "TellingCursor":
    trace = active.get()
    if trace is None or silent():
        sqlite3.Cursor.executescript(self, sql)
        return self
    with Telling("sqlite3", trace, self.penstock_database, None, lambda: (sql, "sqlite3", 0, None)):
        sqlite3.Cursor.executescript(self, sql)
    return self


def _cursor_fetchone(self: "TellingCursor") -> Any:
    trace = active.get()
    if trace is None or not self.penstock_text:
        return sqlite3.Cursor.fetchone(self)
    began = trace.enter(QUERIED)
    row = None
    try:
        row = sqlite3.Cursor.fetchone(self)
        return row
    finally:
        _cursor_fetched(self, trace, trace.leave(QUERIED) - began, 0 if row is None else 1)


def _cursor_fetchmany(self: "TellingCursor", *args: Any, **options: Any) -> Any:
    trace = active.get()
    if trace is None or not self.penstock_text:
        return sqlite3.Cursor.fetchmany(self, *args, **options)
    began = trace.enter(QUERIED)
    rows: list[Any] = []
    try:
        rows = sqlite3.Cursor.fetchmany(self, *args, **options)
        return rows
    finally:
        _cursor_fetched(self, trace, trace.leave(QUERIED) - began, len(rows))


def _cursor_fetchall(self: "TellingCursor") -> Any:
    trace = active.get()
    if trace is None or not self.penstock_text:
        return sqlite3.Cursor.fetchall(self)
    began = trace.enter(QUERIED)
    rows: list[Any] = []
    try:
        rows = sqlite3.Cursor.fetchall(self)
        return rows
    finally:
        _cursor_fetched(self, trace, trace.leave(QUERIED) - began, len(rows))


def _cursor_next(self: "TellingCursor") -> Any:
    trace = active.get()
    if trace is None or not self.penstock_text:
        return sqlite3.Cursor.__next__(self)
    began = trace.enter(QUERIED)
    rows = 0
    try:
        row = sqlite3.Cursor.__next__(self)
        rows = 1
        return row
    finally:
        _cursor_fetched(self, trace, trace.leave(QUERIED) - began, rows)


def _cursor_fetched(self: "TellingCursor", trace: Any, took_ns: int, rows: int) -> None:
    try:
        before = self.penstock_rows
        self.penstock_rows = (before or 0) + rows
        trace.fetched(self.penstock_text, "sqlite3", self.penstock_database, took_ns, rows, before=before)
    except Exception:
        fault("sqlite3")


def _connection_cursor(self: "TellingConnection", factory: Any = sqlite3.Cursor) -> Any:
    if isinstance(factory, type) and issubclass(factory, sqlite3.Cursor):
        factory = told_class(factory, TellingCursor, _told_cursors)
    made = super(TellingConnection, self).cursor(factory)
    if isinstance(made, TellingCursor):
        made.penstock_database = self.penstock_database
    return made


def _by_cursor(name: str) -> Callable[..., Any]:
    """A method of connections that makes a cursor by itself: the original does so past `cursor` of a subclass."""
    plain: Callable[..., Any] = getattr(sqlite3.Connection, name)

    @functools.wraps(plain)
    def execute(self: "TellingConnection", *args: Any) -> Any:
        if active.get() is None:
            return plain(self, *args)
        cursor = super(TellingConnection, self).cursor(TellingCursor)
        cursor.penstock_database = self.penstock_database
        return getattr(cursor, name)(*args)

    return execute


def _connection_commit(self: "TellingConnection") -> None:
    trace = active.get()
    if trace is None or not self.in_transaction or silent():
        return super(TellingConnection, self).commit()
    with _connection_ending(self, trace, "COMMIT"):
        return super(TellingConnection, self).commit()


def _connection_rollback(self: "TellingConnection") -> None:
    trace = active.get()
    if trace is None or not self.in_transaction or silent():
        return super(TellingConnection, self).rollback()
    with _connection_ending(self, trace, "ROLLBACK"):
        return super(TellingConnection, self).rollback()


def _connection_exit(self: "TellingConnection", kind: Any, error: Any, traceback: Any) -> Any:
    trace = active.get()
    if trace is None or not self.in_transaction or silent():
        return super(TellingConnection, self).__exit__(kind, error, traceback)
    with _connection_ending(self, trace, "COMMIT" if kind is None else "ROLLBACK"):
        return super(TellingConnection, self).__exit__(kind, error, traceback)


def _connection_ending(self: "TellingConnection", trace: Any, words: str) -> Telling:
    return Telling("sqlite3", trace, self.penstock_database, None, lambda: (words, "sqlite3", 0, None))


_OF_CURSORS = {"execute": _cursor_execute, "executemany": _cursor_executemany, "executescript": _cursor_executescript,
               "fetchone": _cursor_fetchone, "fetchmany": _cursor_fetchmany, "fetchall": _cursor_fetchall,
               "__next__": _cursor_next}
_OF_CONNECTIONS = {"cursor": _connection_cursor, "execute": _by_cursor("execute"),
                   "executemany": _by_cursor("executemany"), "executescript": _by_cursor("executescript"),
                   "commit": _connection_commit, "rollback": _connection_rollback, "__exit__": _connection_exit}
