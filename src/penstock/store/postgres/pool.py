"""The pool of connections, with those at hand that were used a moment ago: a job's insert need not pay for the pool's
bookkeeping twice."""

import contextlib
from collections import deque

from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from penstock.store.postgres.connection import Connection


class KeepingPool(ConnectionPool[Connection]):
    """A pool that keeps returned connections at hand for the next who asks, unless somebody waits for one.

    Whoever waits says so before it looks at what is at hand, and whoever returns one looks for the waiting after it was
    put there: so one of the two sees the other.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._at_hand: deque[Connection] = deque()
        self._wanting: deque[None] = deque()
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

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
