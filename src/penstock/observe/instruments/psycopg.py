"""psycopg 3: statements of all its cursors, with and without `await`. What streams, server-side cursors, COPY and
pipelines deliver after they began lies in `psycopg_rows`."""

import functools
from collections.abc import Callable
from typing import Any

from penstock.domain.traces import database_name
from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import CONNECT, Said, Sets, Telling, fault, silent, texted
from penstock.observe.locks import waits
from penstock.observe.trace import QUERIED, active, site
from penstock.store.within import within

LIBRARY = "psycopg"
_DRIVERS: dict[type, str] = {}
_EMPTY = "EMPTY QUERY"
"""What stands for a text without anything in it, by which pools ask whether a connection lives."""

Original = Callable[..., Any]


def install(patches: Patches) -> None:
    import psycopg

    from penstock.observe.instruments import psycopg_rows

    patches.wrap(psycopg.Cursor, "execute", _executing)
    patches.wrap(psycopg.ServerCursor, "execute", _declaring)
    patches.wrap(psycopg.AsyncCursor, "execute", _executing_async)
    patches.wrap(psycopg.AsyncServerCursor, "execute", _executing_async)
    patches.wrap(psycopg.Cursor, "executemany", _executing_many)
    patches.wrap(psycopg.AsyncCursor, "executemany", _executing_many_async)
    psycopg_rows.install(patches)
    for kind, make in ((psycopg.Connection, _connecting), (psycopg.AsyncConnection, _connecting_async)):
        original = vars(kind)["connect"].__func__
        patches.put(kind, "connect", classmethod(functools.update_wrapper(make(original), original)))
    patches.put(psycopg, "connect", psycopg.Connection.connect)


def database(connection: Any) -> str | None:
    """Which database a connection is to, as it is told; None for a connection of Penstock's own."""
    try:
        told: str | None = connection._penstock_database
    except AttributeError:
        told = _database(connection)
        connection._penstock_database = told
    return told


def _database(connection: Any) -> str | None:
    if getattr(connection, "penstock_own", False):
        return None
    try:
        info = connection.info
        return database_name("postgresql", info.dbname, info.host, info.port)
    except Exception:  # the connection is closed: what is executed on it will fail
        return ""


def driver(cursor: Any) -> str:
    """What tells the placeholders: `psycopg` has `%s` and `%(name)s`, `psycopg-raw` has `$1`."""
    kind = type(cursor)
    if kind not in _DRIVERS:
        import psycopg.raw_cursor

        _DRIVERS[kind] = "psycopg-raw" if issubclass(kind, psycopg.raw_cursor.RawCursorMixin) else "psycopg"
    return _DRIVERS[kind]


def text(cursor: Any, query: Any) -> str:
    """A statement as it was given: text, bytes, a composition, or a template, of which it is what the server got."""
    if isinstance(query, str | bytes):
        return texted(query) or _EMPTY
    if hasattr(query, "as_string"):
        return str(query.as_string(cursor))
    sent = getattr(cursor, "_query", None)
    return texted(sent.query if sent is not None else query)


def said(cursor: Any, query: Any, parameters: Callable[[], Any]) -> Said:
    """What is told of a statement of a cursor, once it is over."""
    return lambda: (text(cursor, query), driver(cursor), _rows(cursor), parameters())


def _rows(cursor: Any) -> int | None:
    rows: int = cursor.rowcount
    return rows if rows >= 0 else None


def _executing(original: Original) -> Original:
    def execute(self: Any, query: Any, params: Any = None, *, prepare: Any = None, binary: Any = None) -> Any:
        trace = active.get()
        if trace is None:
            return original(self, query, params, prepare=prepare, binary=binary)
        # What `Telling` and the functions above do, without their calls: here it counts.
        try:
            where = self._conn._penstock_database
        except AttributeError:
            where = database(self._conn)
        if where is None or (within.get() is not None and silent()):
            return original(self, query, params, prepare=prepare, binary=binary)
        wait = waits.begin(where, self._conn) if waits.watched else None
        began = trace.enter(QUERIED)
        failed = True
        try:
            result = original(self, query, params, prepare=prepare, binary=binary)
            failed = False
            return result
        finally:
            took = trace.leave(QUERIED) - began
            locked_ns = 0 if wait is None else waits.over(wait)
            try:
                words = query if type(query) is str and query else text(self, query)
                rows = self.rowcount
                trace.statement(words, _DRIVERS.get(type(self)) or driver(self), where, took,
                                rows if rows >= 0 else None, params, failed=failed)
                if locked_ns:
                    trace.lock_waited(words, driver(self), where, locked_ns)
            except Exception:
                fault("psycopg")

    return execute


def _declaring(original: Original) -> Original:
    def execute(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params, **options)
        with Telling("psycopg", trace, where, self._conn, said(self, query, lambda: params)):
            return original(self, query, params, **options)

    return execute


def _executing_async(original: Original) -> Original:
    def execute(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params, **options)
        telling = Telling("psycopg", trace, where, self._conn, said(self, query, lambda: params), site())
        return _within(telling, original, self, query, params, **options)

    return execute


async def _within(telling: Telling, original: Original, *args: Any, **options: Any) -> Any:
    with telling:
        return await original(*args, **options)


def _executing_many(original: Original) -> Original:
    def executemany(self: Any, query: Any, params_seq: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params_seq, **options)
        sets = Sets(params_seq)
        with Telling("psycopg", trace, where, self._conn, said(self, query, lambda: sets.first)):
            return original(self, query, sets, **options)

    return executemany


def _executing_many_async(original: Original) -> Original:
    def executemany(self: Any, query: Any, params_seq: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params_seq, **options)
        sets = Sets(params_seq)
        telling = Telling("psycopg", trace, where, self._conn, said(self, query, lambda: sets.first), site())
        return _within(telling, original, self, query, sets, **options)

    return executemany


def _connecting(original: Original) -> Original:
    def connect(cls: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or getattr(cls, "penstock_own", False) or silent():
            return original(cls, *args, **options)
        telling = Telling("psycopg", trace, None, None, _connected)
        with telling:
            connection = original(cls, *args, **options)
            telling.database = database(connection)
        return connection

    return connect


def _connecting_async(original: Original) -> Original:
    async def connect(cls: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return await original(cls, *args, **options)
        telling = Telling("psycopg", trace, None, None, _connected)
        with telling:
            connection = await original(cls, *args, **options)
            telling.database = database(connection)
        return connection

    return connect


def _connected() -> tuple[str, str, int | None, Any]:
    return CONNECT, "psycopg", None, None
