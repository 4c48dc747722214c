"""The one writer of a process: a thread that takes work from many threads and commits it in groups.

Each piece of work stands in a savepoint of its own, so that one that fails undoes nothing of the others, and its
result is told only after the commit that holds it. The wait for the file's write lock is bounded and says who
holds it.
"""

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any

from penstock.domain.errors import StoreBusy, StoreError
from penstock.store.port import Work
from penstock.store.sqlite.connection import SQLiteTransaction, connect, is_busy, translated
from penstock.store.sqlite.file import describe_holder

_GROUP = 256
_WAL_LIMIT_BYTES = 4 * 1024 * 1024
_CHECKPOINT_EVERY_SECONDS = 1.0
_LOCK_RETRY_SECONDS = 0.002

Unit = tuple[Work[Any], Future[Any]]


class Writer:
    """Owns the process's only writing connection, and a second one that stands guard over checkpoints."""

    def __init__(self, path: Path, now: str | None, busy_timeout_seconds: float) -> None:
        self.path = path
        self.blocked = threading.Event()
        self._timeout_seconds = busy_timeout_seconds
        self._connection = connect(path)
        self._guard = connect(path)
        self._transaction = SQLiteTransaction(self._connection, now)
        self._queue: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._checkpointed_at = 0.0
        self._checkpointed_bytes = 0
        self.thread = threading.Thread(target=self._loop, name="penstock-writer", daemon=True)
        self.thread.start()

    def submit(self, work: Work[Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Finish what was submitted, then stop."""
        self._queue.put(None)
        self.thread.join()
        for left in _drain(self._queue):
            left[1].set_exception(StoreError("the store was closed before this could be written"))
        self._guard.close()
        self._connection.close()

    def _loop(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            closing = False
            while len(group) < _GROUP and not closing:
                try:
                    unit = self._queue.get_nowait()
                except queue.Empty:
                    break
                if unit is None:
                    closing = True
                else:
                    group.append(unit)
            self._commit(group)
            if closing:
                return

    def _commit(self, group: list[Unit]) -> None:
        settled: list[Callable[[], None]] = []
        try:
            self._begin(group)
            for work, future in group:
                if future.set_running_or_notify_cancel():
                    settled.append(self._one(work, future))
            self._connection.execute("commit")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
            cause = translated(error, self.path) if isinstance(error, sqlite3.Error) else error
            for _, future in group:
                with contextlib.suppress(InvalidStateError):  # it was cancelled meanwhile
                    future.set_exception(cause)
            return
        for settle in settled:
            settle()
        self._checkpoint_if_long()

    def _one(self, work: Work[Any], future: Future[Any]) -> Callable[[], None]:
        """Do one piece of work and return how to tell its result, for after the commit."""
        self._connection.execute("savepoint unit")
        try:
            result = work(self._transaction)
        except BaseException as error:
            if not self._connection.in_transaction:  # SQLite itself rolled everything back (disk full, I/O error)
                raise
            self._connection.execute("rollback to unit")
            self._connection.execute("release unit")
            failure = translated(error, self.path) if isinstance(error, sqlite3.Error) else error
            return lambda: future.set_exception(failure)
        self._connection.execute("release unit")
        return lambda: future.set_result(result)

    def _begin(self, group: list[Unit]) -> None:
        """Take the write lock; SQLite's own busy handler could neither be bounded well nor say who is in the way."""
        deadline = time.monotonic() + self._timeout_seconds
        try:
            while True:
                try:
                    self._connection.execute("begin immediate")
                    return
                except sqlite3.OperationalError as error:
                    if not is_busy(error):
                        raise
                self.blocked.set()
                if time.monotonic() >= deadline or all(future.cancelled() for _, future in group):
                    raise StoreBusy(
                        f"expected the write lock of {self.path} within {self._timeout_seconds:g} s, but"
                        f" {describe_holder(self.path)}: commit it, or raise busy_timeout_seconds"
                    )
                time.sleep(_LOCK_RETRY_SECONDS)
        finally:
            self.blocked.clear()

    def _checkpoint_if_long(self) -> None:
        """Copy the WAL back into the file while nobody can commit: that is what makes it safe (ADR 003)."""
        try:
            size = os.stat(f"{self.path}-wal").st_size
            if size < self._checkpointed_bytes:  # the WAL began anew
                self._checkpointed_bytes = 0
            if size <= _WAL_LIMIT_BYTES:
                return
            # Where a reader keeps the WAL from beginning anew, every commit would copy a few pages and wait for a disk
            now = time.monotonic()
            grown = size - self._checkpointed_bytes
            if grown <= _WAL_LIMIT_BYTES and now - self._checkpointed_at < _CHECKPOINT_EVERY_SECONDS:
                return
            self._guard.execute("begin immediate")
        except (OSError, sqlite3.Error):
            return  # another process writes; the next commit tries again
        self._checkpointed_at, self._checkpointed_bytes = now, size
        with contextlib.suppress(sqlite3.Error):
            try:
                self._connection.execute("pragma wal_checkpoint(passive)").fetchall()
            finally:
                self._guard.execute("rollback")


def _drain(waiting: "queue.SimpleQueue[Unit | None]") -> list[Unit]:
    left: list[Unit] = []
    while not waiting.empty():
        if (unit := waiting.get_nowait()) is not None:
            left.append(unit)
    return left
