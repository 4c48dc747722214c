"""The adapter of the store port for SQLite."""

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from penstock.domain.errors import CallerHoldsWriteLock, StoreError, StoreForked
from penstock.store.port import Ask, Params, Question, Row, Work, numbered
from penstock.store.sqlite.connection import SQLiteTransaction, connect, translated
from penstock.store.sqlite.file import caller_holds_write_lock, check
from penstock.store.sqlite.writer import Writer
from penstock.store.statements import Compiled, Dialect, statement

T = TypeVar("T")
_NONE: Params = {}
_SELF_CHECK_SECONDS = 0.05
_RECONNECT_SECONDS = 1.0


class SQLiteStore:
    """A store in one SQLite file. `now` is the SQL expression for the time; tests set it."""

    dialect: Dialect = "sqlite"
    migrates_itself = True
    looks_first = True
    dead_rows_linger = False
    slots: Sequence[str] = ()

    def __init__(self, path: Path, *, now: str | None = None, busy_timeout_seconds: float = 10.0,
                 poll_seconds: float = 0.02) -> None:
        check(path)
        self.path = path
        self.now = now
        self._pid = os.getpid()
        self._poll_seconds = poll_seconds
        self._readers: deque[sqlite3.Connection] = deque()
        self._writer = Writer(path, now, busy_timeout_seconds)
        self._watches: set[DataVersionWatch] = set()
        self._closed = False

    @property
    def control(self) -> "SQLiteStore":
        """This store itself: its writer has a connection of its own, and takes work only for a moment."""
        return self

    def compile(self, name: str) -> Compiled:
        return statement(name, "sqlite", now=self.now)

    def submit(self, work: Work[T]) -> Future[T]:
        self._usable()
        return self._writer.submit(work)

    def write(self, work: Work[T]) -> T:
        if threading.current_thread() is self._writer.thread:
            raise StoreError("expected no write inside of a write, which would wait for itself: use its transaction")
        future = self.submit(work)
        while True:
            try:
                return future.result(_SELF_CHECK_SECONDS)
            except TimeoutError:
                if future.done():
                    return future.result()  # it ended just now, or its own error is a TimeoutError
                self.refuse_self_lock(future)

    def run(self, name: str, params: Params = _NONE) -> list[Row]:
        return self.write(lambda tx: tx.batch(name, params) if statement(name, "sqlite").columns else
                          tx.rows(name, params))

    def numbered(self, count: int, ask: Ask) -> list[Row]:
        return self.write(lambda tx: numbered(tx, count, ask))

    def look(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> list[Row]:
        return self._reading(lambda tx: tx.rows(name, params, layer=layer))  # one view by itself, and not begun

    def refuse_self_lock(self, future: Future[Any]) -> None:
        """Raise where the work waits for a lock that the waiting thread itself holds."""
        if self._writer.blocked.is_set() and caller_holds_write_lock(self.path) and future.cancel():
            raise CallerHoldsWriteLock(
                f"this thread has an open write transaction on {self.path}, so Penstock's own connection would wait"
                " for it for ever: pass that connection with using(connection=…), or commit it first"
            )

    def read(self, work: Work[T]) -> T:
        return self._reading(work, begun=True)

    def _reading(self, work: Work[T], *, begun: bool = False) -> T:
        self._usable()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = connect(self.path, read_only=True)
        try:
            if begun:
                connection.execute("begin")
            return work(SQLiteTransaction(connection, self.now))
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
            self._readers.append(connection)
            if self._closed:
                self._close_readers()

    def tells(self) -> bool:
        return False

    def wake(self, *, told: bool = False) -> None:
        """Tell this process at once; other processes poll the file's data version."""
        for watch in tuple(self._watches):
            watch.wake()

    def watch(self, notice: Callable[[], None]) -> "DataVersionWatch":
        self._usable()
        watch = DataVersionWatch(self.path, notice, self._poll_seconds)
        self._watches -= {each for each in tuple(self._watches) if not each.running}  # others may begin one just now
        self._watches.add(watch)
        return watch

    def owns(self, connection: Any) -> Question | None:
        def fault(rows: list[Row]) -> str | None:
            name = os.fsdecode(rows[0][0]) if rows else ""
            if name and os.path.realpath(name) == os.path.realpath(self.path):
                return None
            return f"a connection to {name or 'a database in memory'}, not to the SQLite file {self.path}"

        return Question("whereabouts", fault)

    def close(self) -> None:
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        for watch in tuple(self._watches):
            watch.close()
        self._writer.close()
        self._close_readers()

    def _close_readers(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._readers.pop().close()

    def _usable(self) -> None:
        if os.getpid() != self._pid:
            raise StoreForked(
                f"the store {self.path} was opened in process {self._pid} and used in its fork {os.getpid()}, which"
                " SQLite forbids: open the app after the fork"
            )
        if self._closed:
            raise StoreError(f"the store {self.path} is closed")


class DataVersionWatch:
    """Polls `PRAGMA data_version`, which changes when any other connection, of any process, has committed."""

    def __init__(self, path: Path, notice: Callable[[], None], every_seconds: float) -> None:
        self._path = path
        self._notice = notice
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="penstock-watch", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return not self._stop.is_set()

    def _loop(self) -> None:
        while self.running:
            with (contextlib.suppress(sqlite3.Error, StoreError),
                  contextlib.closing(connect(self._path, read_only=True)) as connection):
                self._poll(connection)
            self._stop.wait(_RECONNECT_SECONDS)

    def _poll(self, connection: sqlite3.Connection) -> None:
        seen = None
        while not self._stop.wait(self._every_seconds):
            version = connection.execute("pragma data_version").fetchone()[0]
            if version != seen:
                seen = version
                self._notice()

    def wake(self) -> None:
        """Notice something that this very process did."""
        if self.running:
            self._notice()

    def close(self) -> None:
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
