"""The adapter of the store port for PostgreSQL."""

import contextlib
import os
import random
import select
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from penstock.domain.errors import StoreError, StoreForked, StoreUnavailable
from penstock.store.port import Ask, Params, Question, Row, Transaction, Work
from penstock.store.postgres import bulk, direct
from penstock.store.postgres.arrays import written
from penstock.store.postgres.connection import (
    LOST,
    RETRYABLE,
    Connection,
    OwnConnection,
    behind_pooler,
    conninfo,
    safe,
    translated,
)
from penstock.store.postgres.identity import Identity
from penstock.store.postgres.listen import Listener
from penstock.store.postgres.notify import Notifier
from penstock.store.postgres.pool import KeepingPool
from penstock.store.statements import Compiled, Dialect, numbered, statement

T = TypeVar("T")
_TRIES = 5
_CONTROL_CONNECTIONS = 10  # one for each of a worker's nine loops, and one for whoever stops it
_RETRY_SECONDS = 0.02
_ABANDONED_MS = 15_000  # a machine that is cut off within a transaction leaves its locks behind for so long
_NONE: Params = {}
_AS_NUMBERS = frozenset({"claim", "settle_completed"})
"""Statements whose rows, of many jobs, have numbers as they are: neither side has to write and read them as text."""


@lru_cache(maxsize=4096)
def _asked(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with numbered parameters, and their names: the driver looks through a long one anew each time."""
    text, names = numbered(sql)
    return text.encode(), names


class PostgresTransaction:
    """Statements on one connection, which the owner has put into a transaction."""

    __slots__ = ("connection", "now")

    def __init__(self, connection: Connection, now: str | None) -> None:
        self.connection = connection
        self.now = now

    def _run(self, name: str, params: Mapping[str, Any], layer: str | None) -> "psycopg.Cursor[Row]":
        text, names = _asked(statement(name, "postgres", now=self.now, layer=layer).sql)
        cursor = psycopg.RawCursor(self.connection)
        values = [written(params[each]) for each in names] if names else None
        return cursor.execute(text, values, binary=name in _AS_NUMBERS)

    def rows(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> list[Row]:
        return self._run(name, params, layer).fetchall()

    def row(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> Row | None:
        return self._run(name, params, layer).fetchone()

    def execute(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> int:
        return self._run(name, params, layer).rowcount

    def execute_many(self, name: str, columns: Mapping[str, Sequence[Any]], *, layer: str | None = None) -> None:
        self._run(name, {column: list(values) for column, values in columns.items()}, layer)

    def batch(self, name: str, columns: Params, *, layer: str | None = None) -> list[Row]:
        return self._run(name, columns, layer).fetchall()

    def script(self, sql: str) -> None:
        self.connection.execute(sql.encode(), prepare=False)


def _roll_back(connection: Connection) -> None:
    """End a transaction without a change; on a connection that is gone the server has done so already."""
    with contextlib.suppress(psycopg.Error):
        connection.rollback()


def _close(pool: KeepingPool, notifier: Notifier, pid: int) -> None:
    """Close a pool in the process that opened it; a fork's exit must not end its parent's connections."""
    if os.getpid() == pid:
        notifier.close()
        pool.close()


class PostgresStore:
    """A store in the schema `penstock` of a PostgreSQL database. `now` is the SQL expression for the time.

    A `steady` one keeps to indexes, however small a table is when a statement is prepared.
    """

    dialect: Dialect = "postgres"
    migrates_itself = False
    looks_first = False
    dead_rows_linger = True
    slots: Sequence[str] = tuple(f"finished_jobs_{slot:02}" for slot in range(20))

    def __init__(self, url: str, *, now: str | None = None, pool_size: int = 10, timeout_seconds: float = 10.0,
                 beside: "PostgresStore | None" = None, steady: bool = False) -> None:
        """`beside` is a store in the same database, with which this one shares all but its connections."""
        self.url = url
        self.now = now
        self.pooled: bool = beside is not None and beside.pooled
        self._steady = steady
        self._pid = os.getpid()
        self._conninfo = conninfo(url, timeout_seconds)
        self._closed = False
        self._thread = threading.local()
        self._listeners: set[Listener] = set() if beside is None else beside._listeners
        self._lock = threading.Lock()
        self._control: PostgresStore | None = None
        self._identity: Identity
        ready = []
        if beside is None:
            ready.append(self._first())
            self._notifier = Notifier(self._conninfo, self.compile("wake").sql)
        else:
            self._identity, self._notifier = beside._identity, beside._notifier
        self._pool = KeepingPool(
            self._conninfo, min_size=0, max_size=pool_size, timeout=timeout_seconds, open=False, num_workers=1,
            kwargs={"autocommit": True}, configure=self._configure, name="penstock", ready=ready,
        )
        self._pool.open()
        # A program that never closes its app must not wait for the pool's threads at its exit.
        self._at_exit = weakref.finalize(self, _close, self._pool, self._notifier, self._pid)

    def _first(self) -> Connection:
        """A connection, and what it tells of the server. The pool would try for its whole timeout to make its first,
        and then say only that it waited."""
        try:
            connection = OwnConnection.connect(self._conninfo, autocommit=True)
            try:
                self.pooled = behind_pooler(connection)
                self._identity = Identity(connection.execute(self.compile("whereabouts").sql.encode()).fetchone(),
                                          lambda: self.read(lambda tx: tx.row("whereabouts")))
            except BaseException:
                connection.close()
                raise
            return connection
        except psycopg.Error as error:
            raise translated(error, self.url) from None

    def _configure(self, connection: Connection) -> None:
        if self.pooled or behind_pooler(connection):
            self.pooled = True
            connection.prepare_threshold = None  # a prepared statement stays on a server process that others get
            return
        # Without scans, a plan that needs one counts as so dear that the server would compile it, each time anew.
        settings = "set jit = off;"
        if self._steady:
            # What is prepared while a table has one page keeps its plan when it has a thousand, and reads them all.
            # And a statement with arrays would be planned anew each time, which takes longer than to carry it out.
            settings += "set enable_seqscan = off; set plan_cache_mode = force_generic_plan"
            # Each is asked again and again, so it is planned when it is first asked, and none forgotten for another.
            connection.prepare_threshold, connection.prepared_max = 0, None
        connection.execute(settings.encode(), prepare=False)  # several cannot be prepared

    @property
    def control(self) -> "PostgresStore":
        """A pool of its own: tasks that hold every connection of this one cannot keep a heartbeat from its turn."""
        self._usable()
        with self._lock:
            if self._control is None:
                self._control = PostgresStore(self.url, now=self.now, pool_size=_CONTROL_CONNECTIONS,
                                              beside=self, steady=True)
            return self._control

    @property
    def pool_size(self) -> int:
        """How many connections what is not the control plane has."""
        return int(self._pool.max_size)

    @property
    def most_connections(self) -> int:
        """How many connections a worker's process may come to: both pools, who listens and who notifies."""
        return self.pool_size + _CONTROL_CONNECTIONS + 2

    def compile(self, name: str) -> Compiled:
        return statement(name, "postgres", now=self.now)

    def write(self, work: Work[T]) -> T:
        return self._tried(lambda: self._transact(work))

    def run(self, name: str, params: Params = _NONE) -> list[Row]:
        if name in bulk.STATEMENTS and len(params["arguments"]) >= bulk.LEAST and bulk.takes(params):
            return self.write(lambda tx: self._in_bulk(tx, params))
        return self._tried(lambda: self._single(name, params))

    def numbered(self, count: int, ask: Ask) -> list[Row]:
        """Numbers of a sequence belong to no transaction: none has to be open for two statements."""
        return self.run(*ask([id for (id,) in self.look("job_numbers", {"count": count})]))

    def look(self, name: str, params: Params = _NONE, *, layer: str | None = None) -> list[Row]:
        return self._tried(lambda: self._single(name, params, layer))

    def _in_bulk(self, tx: Transaction, params: Params) -> list[Row]:
        assert isinstance(tx, PostgresTransaction)
        return bulk.enqueue(tx.connection, params, self.now)

    def _tried(self, transaction: Callable[[], T]) -> T:
        """Carry out a transaction, again where the server chose it as a victim."""
        self._usable()
        if getattr(self._thread, "writes", False):
            raise StoreError("expected no write inside of a write, which would not share its fate: use its transaction")
        self._thread.writes = True
        try:
            for attempt in range(1, _TRIES + 1):
                try:
                    return transaction()
                except RETRYABLE as error:
                    if attempt == _TRIES:
                        raise translated(error, self.url) from error
                    time.sleep(random.uniform(0, _RETRY_SECONDS) * attempt)  # or the two may meet again
                except psycopg.Error as error:
                    raise translated(error, self.url) from error
            raise AssertionError("unreachable")
        finally:
            self._thread.writes = False

    def _single(self, name: str, params: Params, layer: str | None = None) -> list[Row]:
        """A statement by itself is a transaction: to begin and to commit would be two round trips more."""
        connection = self._begun(None)
        try:
            if name in direct.STATEMENTS and not self.pooled:
                return direct.rows(connection, name, self.compile(name), params)
            return PostgresTransaction(connection, self.now).rows(name, params, layer=layer)
        except LOST as error:
            if not connection.closed:
                raise
            raise self._unanswered(name.upper(), error) from error
        finally:
            self._pool.putconn(connection)

    def _unanswered(self, what: str, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"{safe(self.url)}: the connection was lost while {what} was answered ({error}); the transaction may have"
            " been carried out: read before you try again"
        )

    def _transact(self, work: Work[T]) -> T:
        connection = self._begun(b"begin isolation level read committed;"
                                 b" set local idle_in_transaction_session_timeout = %d" % _ABANDONED_MS)
        try:
            try:
                result = work(PostgresTransaction(connection, self.now))
            except BaseException:
                _roll_back(connection)
                raise
            try:
                connection.execute("commit", prepare=False)
            except LOST as error:
                if not connection.closed:  # the server is there, and said that it rolled back
                    raise
                raise self._unanswered("COMMIT", error) from error
            return result
        finally:
            self._pool.putconn(connection)

    def _begun(self, begin: bytes | None) -> Connection:
        """A connection of the pool, with a transaction begun if `begin` says how.

        Connections that died in the pool (the server was restarted) are passed over: nothing was sent through them.
        """
        for left in range(self._pool.max_size, -1, -1):
            try:
                connection = self._pool.getconn()
            except PoolTimeout as error:
                raise StoreUnavailable(
                    f"{safe(self.url)}: expected a connection within {self._pool.timeout:g} s, got none ({error}): the"
                    " server does not answer, or pool_size is too small"
                ) from None
            try:
                if begin is not None:
                    connection.execute(begin, prepare=False)  # two statements cannot be prepared
                elif select.select([connection.fileno()], [], [], 0)[0]:
                    connection.execute("select 1")  # an idle connection has something to say: often that it is gone
                return connection
            except BaseException as error:
                died = isinstance(error, LOST) and connection.closed
                self._pool.putconn(connection)
                if not died or not left:
                    raise
        raise AssertionError("unreachable")

    def submit(self, work: Work[T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(self.write(work))
        except BaseException as error:
            future.set_exception(error)
        return future

    def read(self, work: Work[T]) -> T:
        self._usable()
        try:
            connection = self._begun(b"begin isolation level repeatable read read only")
            done = False
            try:
                result = work(PostgresTransaction(connection, self.now))
                done = True
                return result
            finally:
                if done and self._steady:
                    with contextlib.suppress(psycopg.Error):  # it was read, whatever becomes of the connection
                        connection.execute("commit", prepare=False)  # a rollback has psycopg forget what it prepared
                else:
                    _roll_back(connection)
                self._pool.putconn(connection)
        except psycopg.Error as error:
            raise translated(error, self.url) from error

    def refuse_self_lock(self, future: Future[Any]) -> None:
        """Nothing to refuse: an insert waits for no lock of the caller's."""

    def tells(self) -> bool:
        return not self.pooled and self._notifier.take()

    def wake(self, *, told: bool = False) -> None:
        for listener in tuple(self._listeners):  # this process at once, and without a round trip
            listener.wake()
        if not told and not self.pooled:
            self._notifier.ask()

    def watch(self, notice: Callable[[], None]) -> Listener:
        self._usable()
        listener = Listener(self._conninfo, notice, listen=not self.pooled)
        self._listeners -= {each for each in tuple(self._listeners) if not each.running}  # others may begin one now
        self._listeners.add(listener)
        return listener

    def owns(self, connection: Any) -> Question | None:
        return self._identity.question(connection)

    def close(self) -> None:
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        for listener in tuple(self._listeners):
            listener.close()
        if self._control is not None:
            self._control.close()
        self._at_exit()

    def _usable(self) -> None:
        if os.getpid() != self._pid:
            raise StoreForked(
                f"the store {safe(self.url)} was opened in process {self._pid} and used in its fork {os.getpid()}:"
                " open the app after the fork, since connections cannot be shared"
            )
        if self._closed:
            raise StoreError(f"the store {safe(self.url)} is closed")
