"""Hears other processes' wake-ups: by LISTEN where the connection is ours alone, by jittered polling elsewhere."""

import contextlib
import random
import threading
from collections.abc import Callable

import psycopg

_POLL_SECONDS = 0.2
_WAIT_SECONDS = 0.5
_PROOF_SECONDS = 15.0
_RECONNECT_SECONDS = 1.0


class Listener:
    """A thread that calls `notice` when another process has enqueued; safe to miss a call, since workers poll too."""

    def __init__(self, conninfo: str, notice: Callable[[], None], *, listen: bool) -> None:
        self._conninfo = conninfo
        self._notice = notice
        self._stop = threading.Event()
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
            with contextlib.suppress(psycopg.Error), psycopg.connect(self._conninfo, autocommit=True) as connection:
                connection.execute("listen penstock")
                self._notice()  # whatever was enqueued while nobody listened
                self._hear(connection)
            self._stop.wait(random.uniform(0.5, 1.5) * _RECONNECT_SECONDS)

    def _hear(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        """Listen until asked to stop; a question now and then proves that the socket is not half open."""
        silent_seconds = 0.0
        while self.running:
            heard = False
            for _ in connection.notifies(timeout=_WAIT_SECONDS, stop_after=1):
                heard = True
            if heard:
                self._notice()
                silent_seconds = 0.0
            else:
                silent_seconds += _WAIT_SECONDS
                if silent_seconds >= _PROOF_SECONDS:
                    connection.execute("select 1")
                    silent_seconds = 0.0

    def wake(self) -> None:
        """Notice something that this very process did."""
        if self.running:
            self._notice()

    def close(self) -> None:
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
