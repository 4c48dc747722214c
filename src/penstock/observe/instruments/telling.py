"""What instruments have in common: who tells of a statement that passes through several layers, texts, own faults."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from penstock.observe.locks import waits
from penstock.observe.trace import QUERIED, Site, Trace, active
from penstock.store.within import OURS, within

CONNECT = "CONNECT"
"""The text that stands for making a connection, which is none of the statements but takes as long as several."""
Said = Callable[[], tuple[str, str, int | None, Any]]
"""A statement's text, what tells its placeholders, rows (None: not known yet, or never), parameters."""
SaidOfRows = Callable[[], tuple[str, str, int, int | None]]
"""A statement's text, what tells its placeholders, rows that came, and how many of this execution there were before."""

logger = logging.getLogger("penstock")
_told_faults: set[str] = set()


class Outer:
    """A layer above a driver (SQLAlchemy, Django). If the driver tells of the statement itself, the layer need not."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told = False


def silent() -> bool:
    """Whether what is executed now is not to be told of; else whoever is above is told that it need not do it."""
    outer = within.get()
    if isinstance(outer, Outer):
        outer.told = True
        return False
    return outer is OURS


def fault(of: str) -> None:
    """Log an error of an instrument, once for each kind: what it watches must never notice. Call it in `except`."""
    if of not in _told_faults:
        _told_faults.add(of)
        logger.warning("the instrument of %s failed, and traces may lack what it should have told; what it watches is"
                       " not affected", of, exc_info=True)


def texted(statement: Any) -> str:
    """A statement as text, whatever kind of it a driver takes."""
    if isinstance(statement, str):
        return statement
    if isinstance(statement, bytes | bytearray | memoryview):
        return bytes(statement).decode(errors="replace")
    return str(statement)


class Sets:
    """Parameter sets on their way to the driver: the first is kept as the example, and they are counted."""

    def __init__(self, sets: Iterable[Any]) -> None:
        self.first: Any = None
        self.count = 0
        self._sets = sets

    def __iter__(self) -> Iterator[Any]:
        for each in self._sets:
            if not self.count:
                self.first = each
            self.count += 1
            yield each


class Telling:
    """A statement that is under way: `with` it while it is. `say` is asked for its text, driver, rows and parameters
    once it is over, which is told to the trace then; `at` is where in the user's code it came from, if not from here.
    """

    __slots__ = ("_at", "_began", "_connection", "_of", "_say", "_trace", "_wait", "database")

    def __init__(self, of: str, trace: Trace, database: str | None, connection: Any, say: Said, at: Site | None = None,
                 ) -> None:
        self._of = of
        self._trace = trace
        self.database = database
        self._say = say
        self._at = at
        self._connection = connection

    def __enter__(self) -> None:
        self._wait = waits.begin(self.database, self._connection) if waits.watched else None
        self._began = self._trace.enter(QUERIED)

    def __exit__(self, kind: object, *_: object) -> None:
        took = self._trace.leave(QUERIED) - self._began
        locked_ns = 0 if self._wait is None else waits.over(self._wait)
        try:
            text, driver, rows, parameters = self._say()
            self._trace.statement(text, driver, self.database, took, rows, parameters, failed=kind is not None,
                                  at=self._at)
            if locked_ns:
                self._trace.lock_waited(text, driver, self.database, locked_ns)
        except Exception:
            fault(self._of)


class Fetching:
    """Rows of a statement that are on their way, after it was told; `say` is asked when some came."""

    __slots__ = ("_began", "_database", "_of", "_say", "_trace")

    def __init__(self, of: str, trace: Trace, database: str | None, say: SaidOfRows) -> None:
        self._of = of
        self._trace = trace
        self._database = database
        self._say = say

    def __enter__(self) -> None:
        self._began = self._trace.enter(QUERIED)

    def __exit__(self, *_: object) -> None:
        took = self._trace.leave(QUERIED) - self._began
        try:
            text, driver, rows, before = self._say()
            self._trace.fetched(text, driver, self._database, took, rows, before=before)
        except Exception:
            fault(self._of)


def timed(phase: int) -> Callable[[Any], Any]:
    """What a function takes counts for this phase, and nothing else is told of it."""
    def make(original: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            trace = active.get()
            if trace is None:
                return original(*args, **options)
            trace.enter(phase)
            try:
                return original(*args, **options)
            finally:
                trace.leave(phase)

        return call

    return make


def timed_async(phase: int) -> Callable[[Any], Any]:
    """The same for a coroutine function."""
    def make(original: Any) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            trace = active.get()
            if trace is None:
                return await original(*args, **options)
            trace.enter(phase)
            try:
                return await original(*args, **options)
            finally:
                trace.leave(phase)

        return call

    return make
