"""Which database a store is in, and which connections of an application have been found to lead there.

Neither address nor name says so: a pooler has others than the server, and two servers may have a database of the same
name. A running server is known by the microsecond at which it started, on it a database by its name.
"""

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from penstock.store.port import Question, Row


class Identity:
    """Judges what connections answer to the statement `whereabouts`.

    `own` is what a connection of the store has answered, `ask` asks one again.
    """

    def __init__(self, own: Row | None, ask: Callable[[], Row | None]) -> None:
        self._own = own
        self._ask = ask
        self._lock = threading.Lock()
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
        if self._own is None or (place, started) != self._own[:2]:
            self._own = self._ask()  # the server may have been started anew
        own_place, own_started = self._own[:2] if self._own else (None, None)
        if (place, started) == (own_place, own_started):
            with self._lock:
                self._proven.add(connection)
            return None
        if place != own_place:
            return f"a connection to database {place!r}, not {own_place!r}"
        if standby:
            # Something that balances load may have a replica answer what only reads. If this really is a connection
            # to a replica, the server refuses the insert by itself.
            return None
        return f"a connection to a database {place!r} on another server"
