"""Connections to SQLite files for advice: opened so that they cannot write, and bounded in time."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from penstock.domain.errors import AdviceUnavailable

_EVERY = 1000
_DENIED = frozenset((sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH))


def path_of(url: str) -> str:
    """The file that a URL names. Raises `AdviceUnavailable`."""
    scheme, _, rest = url.partition("://")
    path = rest.removeprefix("/")
    if scheme != "sqlite" or not rest.startswith("/") or not path or path == ":memory:":
        raise AdviceUnavailable("expected sqlite:///relative/path or sqlite:////absolute/path of a file, got something"
                                " else")
    return path


def connect(url: str) -> sqlite3.Connection:
    """A connection that only reads. Raises `AdviceUnavailable`."""
    path = Path(path_of(url)).resolve()
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=1.0)
        connection.execute("pragma query_only = on")
        connection.execute("select 1 from sqlite_master limit 1").fetchone()
    except sqlite3.Error as error:
        raise AdviceUnavailable(f"the database at {path} cannot be read: {error}. Check the path and who may read it."
                                ) from None
    connection.set_authorizer(_only_this_file)
    return connection


def _only_this_file(action: int, first: str | None, *rest: str | None) -> int:
    if action in _DENIED or (action == sqlite3.SQLITE_PRAGMA and (rest and rest[0] is not None) and first not in _READ):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


_READ = frozenset(("table_xinfo", "index_list", "index_xinfo", "table_list"))


class Clocked:
    """Counts the steps of SQLite's machine while it is entered, and interrupts what takes too long."""

    def __init__(self, connection: sqlite3.Connection, limit_ms: int,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._until = clock() + limit_ms / 1000
        self._clock = clock
        self.steps = 0

    def __enter__(self) -> "Clocked":
        self._connection.set_progress_handler(self._count, _EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.set_progress_handler(None, 0)

    def _count(self) -> int:
        self.steps += _EVERY
        return int(self._clock() > self._until)
