"""The pool of connections, with those at hand that were used a moment ago: a job's insert need not pay for the pool's
bookkeeping twice."""

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from penstock.store.postgres.connection import Connection, OwnConnection


class KeepingPool(ConnectionPool[Connection]):
    """A pool that keeps returned connections at hand for the next who asks, unless somebody waits for one.

    Whoever waits says so before it looks at what is at hand, and whoever returns one looks for the waiting after it was
    put there: so one of the two sees the other.
    """

    def __init__(self, *args: object, ready: Iterable[Connection] = (), **kwargs: object) -> None:
        """`ready` are connections that there are already: the first of the pool."""
        self._at_hand: deque[Connection] = deque()
        self._wanting: deque[None] = deque()
        self._ready = deque(ready)
        super().__init__(*args, connection_class=_opening(self._ready), **kwargs)  # type: ignore[arg-type]

    def getconn(self, timeout: float | None = None) -> Connection:
        with contextlib.suppress(IndexError):
            return self._at_hand.pop()
        self._wanting.append(None)
        try:
            with contextlib.suppress(IndexError):
                return self._at_hand.pop()
            return super().getconn(timeout)
        finally:
            self._wanting.pop()

    def putconn(self, conn: Connection) -> None:
        if conn.pgconn.transaction_status != TransactionStatus.IDLE or self.closed:
            super().putconn(conn)
            return
        self._at_hand.append(conn)
        if self._wanting or self.closed:
            self._return()

    def _return(self) -> None:
        with contextlib.suppress(IndexError):
            super().putconn(self._at_hand.pop())

    def close(self, timeout: float = 5.0) -> None:
        while self._at_hand:
            self._return()
        super().close(timeout)
        while self._ready:
            self._ready.pop().close()


def _opening(ready: deque[Connection]) -> type[Connection]:
    """A way to connect that first gives what is ready."""
    class Opening(psycopg.Connection[tuple[Any, ...]]):
        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> Connection:  # type: ignore[override]
            with contextlib.suppress(IndexError):
                return ready.popleft()
            return OwnConnection.connect(conninfo, **kwargs)

    return Opening
