"""Which database a store is in, and which connections of an application have been found to lead there.

Neither address nor name says so: a pooler has others than the server, and two servers may have a database of the same
name. A running server is known by the microsecond at which it started, on it a database by its name.
"""

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from penstock.store.port import Question, Row

Whereabouts = Callable[[], Row | None]


class Identity:
    """Judges what connections answer to the statement `whereabouts`; `ask` asks the store's own."""

    def __init__(self, ask: Whereabouts) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._own: Row | None = None
        self._proven: WeakSet[Any] = WeakSet()

    def question(self, connection: Any) -> Question | None:
        """What to ask a driver's connection; None if it has answered well before."""
        # A connection on loan from asyncpg's pool stands in for the real one, which outlasts it.
        lasting = getattr(connection, "_con", None) or connection
        with self._lock:
            if lasting in self._proven:
                return None
        return Question("whereabouts", lambda rows: self._fault(lasting, rows))

    def _fault(self, connection: Any, rows: list[Row]) -> str | None:
        place, started, standby = rows[0]
        for known in (True, False):
            own = self._known() if known else self._asked()  # again, since the server may have been started anew
            if (place, started) == own[:2]:
                with self._lock:
                    self._proven.add(connection)
                return None
        if place != own[0]:
            return f"a connection to database {place!r}, not {own[0]!r}"
        if standby:
            # Something that balances load may have a replica answer what only reads. If this really is a connection
            # to a replica, the server refuses the insert by itself.
            return None
        return f"a connection to a database {place!r} on another server"

    def _known(self) -> Row:
        with self._lock:
            own = self._own
        return own or self._asked()

    def _asked(self) -> Row:
        own = self._ask()
        if own is None:
            raise AssertionError("the statement gives one row")
        with self._lock:
            self._own = own
        return own
