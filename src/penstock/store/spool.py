"""A spool: changes laid down on disk while a source is read, taken up again while a destination answers.

It holds one entry per key. A key that is laid down twice is marked as a duplicate, which is how both its records
are reported and neither is sent, however far apart they stood in the source.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.store.sqlite.connection import OwnConnection

_PAGE = 500
_SCHEMA = """
create table entries (
    position  integer primary key,
    key       text not null unique,
    kind      text not null,
    item      blob not null
);
create index entries_kind on entries (kind, position);
"""

Entry = tuple[str, str, bytes]
"""Key, kind and encoded item."""


class Spool:
    """Entries of one layer in one run, in a file that is deleted when closed. Used by one thread."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._connection: sqlite3.Connection | None = None

    def lay(self, entries: Iterable[Entry]) -> None:
        """Lay entries down; those whose key is here already turn into the kind `duplicate`."""
        connection = self._open()
        connection.execute("begin")
        connection.executemany(
            "insert into entries (key, kind, item) values (?, ?, ?)"
            " on conflict (key) do update set kind = 'duplicate'", entries)
        connection.execute("commit")

    def take(self, kind: str, most: int = _PAGE) -> Iterator[list[tuple[str, bytes]]]:
        """The entries of one kind as (key, item), in the order in which they were laid down, `most` at a time."""
        if self._connection is None:
            return
        after = 0
        while True:
            rows = self._connection.execute(
                "select position, key, item from entries where kind = ? and position > ? order by position limit ?",
                (kind, after, most)).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield [(key, item) for _, key, item in rows]

    def change_kind(self, keys: Iterable[str], kind: str) -> None:
        """Give the entries of some keys another kind."""
        if self._connection is not None:
            self._connection.executemany("update entries set kind = ? where key = ?", ((kind, key) for key in keys))

    def replace(self, entries: Iterable[Entry]) -> None:
        """Give entries that are here another kind and item."""
        if self._connection is not None:
            self._connection.executemany("update entries set kind = ?, item = ? where key = ?",
                                         ((kind, item, key) for key, kind, item in entries))

    def counts(self) -> dict[str, int]:
        """How many entries of each kind there are."""
        if self._connection is None:
            return {}
        return dict(self._connection.execute("select kind, count(*) from entries group by kind").fetchall())

    def item(self, key: str) -> tuple[str, bytes] | None:
        """The kind and item of one key's entry, if it has one."""
        if self._connection is None:
            return None
        row: tuple[str, bytes] | None = self._connection.execute("select kind, item from entries where key = ?",
                                                                 (key,)).fetchone()
        return row

    def kind(self, key: str) -> str | None:
        """The kind of one key's entry, if it has one."""
        if self._connection is None:
            return None
        row = self._connection.execute("select kind from entries where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def kinds(self, keys: Iterable[str]) -> dict[str, str]:
        """The kinds of the entries of some keys, of those that have one."""
        found = {key: self.kind(key) for key in keys}
        return {key: kind for key, kind in found.items() if kind is not None}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _open(self) -> sqlite3.Connection:
        """Most spools of most runs stay empty, so the file is made with the first entry."""
        if self._connection is None:
            self._folder = tempfile.TemporaryDirectory(prefix="penstock-spool-")
            self._connection = sqlite3.connect(Path(self._folder.name) / "spool.db", isolation_level=None,
                                               check_same_thread=False, factory=OwnConnection)
            self._connection.execute("pragma journal_mode = off")
            self._connection.execute("pragma synchronous = off")
            self._connection.executescript(_SCHEMA)
        return self._connection
