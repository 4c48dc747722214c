"""Tells other processes that there is work: by NOTIFY, outside of every transaction, and not for every job.

A notification takes a global lock at the commit of the transaction that holds it, so it travels in one of its own,
which need not wait for a disk, or with a single insert of our own. The first goes at once; while more come, one every
few milliseconds speaks for all.
"""

import contextlib
import threading
import time

import psycopg

from penstock.store.postgres.connection import OwnConnection

_REST_SECONDS = 0.005
_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 1.0


class Notifier:
    """A thread with a connection of its own, begun when first needed."""

    def __init__(self, conninfo: str, sql: str) -> None:
        self._conninfo = conninfo
        self._sql = sql.encode()
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._told_at = 0.0

    def take(self) -> bool:
        """Whether a statement that is about to run by itself may as well carry the notification: not too often."""
        now = time.monotonic()
        if now - self._told_at < _REST_SECONDS or self._asked.is_set():
            return False
        self._told_at = now
        return True

    def ask(self) -> None:
        """Have others told soon. Nobody is told of a failure: workers poll too."""
        if not self._asked.is_set():
            self._asked.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closing.is_set():
                    self._thread = threading.Thread(target=self._run, name="penstock-notify", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set() or self._asked.is_set():
            with (contextlib.suppress(psycopg.Error),
                  OwnConnection.connect(self._conninfo, autocommit=True) as connection):
                connection.execute("set synchronous_commit = off")
                self._tell(connection)
            if self._closing.wait(_RETRY_SECONDS):
                return

    def _tell(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            self._told_at = time.monotonic()
            connection.execute(self._sql)
            if self._closing.wait(_REST_SECONDS) and not self._asked.is_set():
                return

    def close(self) -> None:
        """Tell what is still to be told, and end."""
        self._closing.set()
        self._asked.set()  # wakes the thread; one notification too many does no harm
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)
