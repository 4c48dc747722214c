"""Hears other processes' wake-ups: by LISTEN where the connection is ours alone, by jittered polling elsewhere."""

import contextlib
import random
import selectors
import socket
import threading
from collections.abc import Callable

import psycopg

from penstock.store.postgres.connection import OwnConnection

_POLL_SECONDS = 0.2
_PROOF_SECONDS = 15.0
_RECONNECT_SECONDS = 1.0


class Listener:
    """A thread that calls `notice` when another process has enqueued; safe to miss a call, since workers poll too."""

    def __init__(self, conninfo: str, notice: Callable[[], None], *, listen: bool) -> None:
        self._conninfo = conninfo
        self._notice = notice
        self._stop = threading.Event()
        self._bell, self._rung = socket.socketpair()  # whoever waits for a socket does not see an event that is set
        self._thread = threading.Thread(target=self._listen if listen else self._poll, name="penstock-watch",
                                        daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return not self._stop.is_set()

    def _poll(self) -> None:
        while not self._stop.wait(random.uniform(0.5, 1.5) * _POLL_SECONDS):
            self._notice()

    def _listen(self) -> None:
        while self.running:
            with (contextlib.suppress(psycopg.Error),
                  OwnConnection.connect(self._conninfo, autocommit=True) as connection):
                connection.execute("listen penstock")
                self._notice()  # whatever was enqueued while nobody listened
                self._hear(connection)
            self._stop.wait(random.uniform(0.5, 1.5) * _RECONNECT_SECONDS)

    def _hear(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        """Listen until asked to stop; a question now and then proves that the socket is not half open."""
        with selectors.DefaultSelector() as sockets:
            for each in (connection, self._rung):
                sockets.register(each, selectors.EVENT_READ)
            while self.running:
                if not sockets.select(_PROOF_SECONDS):
                    connection.execute("select 1")
                if [*connection.notifies(timeout=0)]:
                    self._notice()

    def wake(self) -> None:
        """Notice something that this very process did."""
        if self.running:
            self._notice()

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):  # it was closed before
            self._bell.send(b".")  # to close it would not do: a fork of this process has it open too
        if threading.current_thread() is not self._thread:
            self._thread.join()
            self._bell.close()
            self._rung.close()
