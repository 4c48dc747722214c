"""Reading from a SQLite file that somebody else writes to.

The file is opened read-only: a wrong path must be an error, not a new and empty database, whose emptiness would
look like everybody having left.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from penstock.connectors.sql.paging import Bindings, Row
from penstock.connectors.sql.query import Query
from penstock.connectors.sql.statements import Statements, compose
from penstock.domain.errors import SourceError

BUSY_SECONDS = 10.0  # how long a read waits for a writer that holds the whole file

# Lines of a query plan in which no query is put together from several: those say COMPOUND QUERY, UNION, MERGE, …
_SIMPLE_PLAN = re.compile(
    r"SCAN|SEARCH|USE TEMP B-TREE|CO-ROUTINE|MATERIALIZE|SCALAR SUBQUERY|CORRELATED|LIST SUBQUERY|REUSE|BLOOM FILTER"
    r"|MULTI-INDEX OR|INDEX \d"
)
_RENAMED = re.compile(r"(.+):\d+", re.DOTALL)


class SqliteReader:
    """One read-only connection to the file at `path`."""

    works_apart = False

    def __init__(self, path: str) -> None:
        self._path = Path(os.path.abspath(path))

    def __enter__(self) -> "SqliteReader":
        if not os.path.isfile(self._path):  # Path.is_file raises where a folder may not be looked into
            raise SourceError(
                f"The source expects a SQLite database at {self._path}, but sees no such file. Correct the path in"
                " the URL; a relative one (three slashes) starts at the current directory."
            )
        with self._reading():
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                # A generator that nobody finished may be closed by another thread; two never use it at once.
                check_same_thread=False,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def columns(self, query: Query, bindings: Bindings) -> list[str]:
        with self._reading():
            cursor = self._connection.execute(compose(query, "sqlite").columns, bindings)
            return _spelled_by_query([column[0] for column in cursor.description])

    def statements(self, query: Query, bindings: Bindings) -> Statements:
        statements = compose(query, "sqlite")
        plan = self.rows(f"explain query plan {statements.next}", {**bindings, "after": None, "limit": 1})
        simple = all(_SIMPLE_PLAN.match(line) for *_, line in plan)
        return statements if simple else compose(query, "sqlite", bare=True)

    def rows(self, sql: str, bindings: Bindings) -> list[Row]:
        with self._reading():
            return self._connection.execute(sql, bindings).fetchall()

    def start_of_last_key(self, rows: Sequence[Row]) -> int:
        last, start = _loosely(rows[-1][-1]), len(rows) - 1
        while start and _loosely(rows[start - 1][-1]) == last:
            start -= 1
        return start

    def stream(self, sql: str, bindings: Bindings, size: int) -> Iterator[list[Row]]:
        with self._reading():
            cursor = self._connection.execute(sql, bindings)
            try:
                while len(rows := cursor.fetchmany(size)) == size:
                    yield rows
            finally:
                cursor.close()
        if rows:
            yield rows

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeError) as error:  # a subject may be no text
            raise SourceError(f"The source at {self._path} could not be read: {error}. {_advice(error)}") from error


def _advice(error: Exception) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the rest tells the kind within the kind
        case sqlite3.SQLITE_BUSY:
            return (
                f"Another connection has held the whole file for {BUSY_SECONDS:g} s: let it end its transaction, or"
                " let readers and writers work at once (pragma journal_mode = wal)."
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return (
                "Give this user leave to read the file; one in WAL mode also needs its -wal and -shm files, or a"
                " folder to make them in."
            )
    return "Correct the query, or the path in the URL."


def _loosely(key: Any) -> Any:
    """The same for all keys that any of SQLite's collations (binary, nocase, rtrim) holds for one.

    A page that ends too early for a stricter collation loses nothing.
    """
    return key.partition("\0")[0].rstrip(" ").lower() if isinstance(key, str) else key


def _spelled_by_query(columns: list[str]) -> list[str]:
    """The columns as the query names them: a derived table calls its second `id`, or `ID`, `id:1`."""
    spelled: dict[str, str] = {}
    names = []
    for column in columns:
        renamed = _RENAMED.fullmatch(column)
        name = spelled.get(renamed[1].casefold(), column) if renamed else column
        names.append(spelled.setdefault(name.casefold(), name))
    return names
