"""Lock waits: how long a statement of a trace waited for somebody else's lock in PostgreSQL.

Nothing tells this but the server, while it lasts. Where a database was named, one thread with one connection of its own
asks it about those of our statements that are under way for longer than 20 ms, and about nothing as long as there is
none: a shorter wait is not seen, and of a longer one up to 20 ms at its end are not. What it finds is added to the
statement when that ends, by whoever executed it.
"""

import contextlib
import logging
import os
import re
import threading
from collections.abc import Collection, Iterable
from typing import Any

from penstock.domain.traces import database_of
from penstock.observe.trace import clock

logger = logging.getLogger("penstock")

_LEAST_NS = 20_000_000
_EVERY_SECONDS = 0.02
_IDLE_ROUNDS = 50
_IDLE_SECONDS = 10.0
_AGAIN_SECONDS = 5.0
_WAITING = "select pid from pg_stat_activity where pid = any(%s) and wait_event_type = 'Lock'"


class UnderWay:
    """A statement that is under way: on which connection, since when, and how long it waited for a lock so far."""

    __slots__ = ("began", "connection", "database", "locked_ns", "looked")

    def __init__(self, database: str, connection: Any) -> None:
        self.database = database
        self.connection = connection
        self.began = self.looked = clock()
        self.locked_ns = 0

    @property
    def pid(self) -> int:
        """That of the server's process; 0 where the connection is gone."""
        try:
            pgconn = getattr(self.connection, "pgconn", None)
            return int(pgconn.backend_pid if pgconn is not None else self.connection.get_server_pid())
        except Exception:
            return 0


class Waits:
    """The statements under way in databases that are watched. Instruments say when one begins and when it ends."""

    def __init__(self) -> None:
        self.watched: dict[str, LockWatch] = {}
        self._under_way: dict[int, UnderWay] = {}

    def begin(self, database: str | None, connection: Any) -> UnderWay | None:
        """A statement begins on a connection; None where its database is not watched. Never raises."""
        if database is None or database not in self.watched:
            return None
        made = UnderWay(database, connection)
        self._under_way[id(made)] = made
        try:
            self.watched[database].notice()
        except Exception:  # it was just stopped; or no thread can be begun, as at the end of a program
            logger.debug("lock waits in %s are not watched", database, exc_info=True)
        return made

    def over(self, wait: UnderWay) -> int:
        """It is over. Returns the nanoseconds that it waited for locks."""
        self._under_way.pop(id(wait), None)
        return wait.locked_ns

    def of(self, database: str) -> list[UnderWay]:
        """Those of one database."""
        return [each for each in list(self._under_way.values()) if each.database == database]


waits = Waits()


class LockWatch:
    """Watches one database for lock waits of this process's statements, from `start` until `stop`; both may be called
    twice. There is a thread only while statements are executed there, and a connection only while one takes long."""

    def __init__(self, url: str) -> None:
        """`url` is that of a PostgreSQL database; what connects may be any role, since it asks of its own processes."""
        self.url = url
        self.database = database_of(url)
        self._forked()

    def _forked(self) -> None:
        """Of what its parent process had, a fork has nothing."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._noticed = threading.Event()

    def start(self) -> None:
        """Begin to watch. A database that cannot be reached is tried again, and is nobody's error."""
        with self._lock:
            self._stop.clear()
            waits.watched.setdefault(self.database, self)

    def stop(self) -> None:
        """End it; neither thread nor connection is left."""
        with self._lock:
            if waits.watched.get(self.database) is self:
                del waits.watched[self.database]
            self._stop.set()
            self._noticed.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def notice(self) -> None:
        """A statement has begun."""
        if not self._noticed.is_set():
            self._noticed.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._stop.is_set():
                    self._thread = threading.Thread(target=self._watch, name="penstock-locks", daemon=True)
                    self._thread.start()

    def _watch(self) -> None:
        while not self._stop.is_set():
            if not self._noticed.wait(_IDLE_SECONDS) and self._ended():
                return
            try:
                self._ask()
            except Exception as error:  # of the driver, which need not be there
                logger.debug("lock waits in %s could not be asked for: %s", self.database, error)
                self._stop.wait(_AGAIN_SECONDS)
        self._ended()

    def _ended(self) -> bool:
        """Let the thread end, unless something has begun meanwhile."""
        with self._lock:
            if self._noticed.is_set() and not self._stop.is_set():
                return False
            self._thread = None
            return True

    def _ask(self) -> None:
        """Ask as long as there is something to ask about."""
        with contextlib.ExitStack() as stack:
            connection: Any = None
            idle = 0
            while not self._stop.wait(_EVERY_SECONDS) and idle < _IDLE_ROUNDS:
                now = clock()
                long = [each for each in waits.of(self.database) if now - each.began >= _LEAST_NS]
                if not long:
                    idle += 1
                    continue
                idle = 0
                if connection is None:
                    connection = stack.enter_context(_connected(self.url))
                pids = {each.pid: each for each in long}
                waiting = [pids[pid] for (pid,) in connection.execute(_WAITING, [list(pids)])]
                credit(long, waiting, clock())
            self._noticed.clear()
        if waits.of(self.database):
            self._noticed.set()


def _forked() -> None:
    waits._under_way.clear()
    for watch in waits.watched.values():
        watch._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def credit(looked_at: Iterable[UnderWay], waiting: Collection[UnderWay], now: int) -> None:
    """Add the time since the last look to those that wait for a lock."""
    for each in looked_at:
        if each in waiting:
            each.locked_ns += now - each.looked
        each.looked = now


def _connected(url: str) -> Any:
    from penstock.store.postgres.connection import OwnConnection, conninfo

    plain = re.sub(r"^(postgres(?:ql)?)\+\w+:", r"\1:", url)
    return OwnConnection.connect(conninfo(plain), autocommit=True, prepare_threshold=None,
                                 application_name="penstock locks")
