"""asyncpg: statements of connections, on loan from a pool or not, prepared ones, cursors, and COPY both ways."""

import importlib
from collections.abc import Callable
from typing import Any

from penstock.domain.traces import database_name
from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import CONNECT, Fetching, Sets, Telling, silent, timed_async
from penstock.observe.trace import QUERIED, Trace, active, site

LIBRARY = "asyncpg"
DRIVER = "asyncpg"
"""Its placeholders are `$1`."""
_DATABASES: dict[tuple[Any, str], str] = {}
_MANY = 2
"""So many rows at least came before: what comes now does not make one row more than one."""

Original = Callable[..., Any]


def install(patches: Patches) -> None:
    connection, cursor, prepared_stmt = (importlib.import_module(f"asyncpg.{name}")
                                         for name in ("connection", "cursor", "prepared_stmt"))
    for module in (connection, importlib.import_module(LIBRARY)):
        patches.wrap(module, "connect", _connecting)
    for name in ("execute", "fetch", "fetchval", "fetchrow"):
        patches.wrap(connection.Connection, name, _executing)
    for name in ("executemany", "fetchmany"):
        patches.wrap(connection.Connection, name, _executing_many)
    for name in ("fetch", "fetchval", "fetchrow"):
        patches.wrap(prepared_stmt.PreparedStatement, name, _executing_prepared)
    for name in ("executemany", "fetchmany"):
        patches.wrap(prepared_stmt.PreparedStatement, name, _executing_prepared_many)
    patches.wrap(connection.Connection, "prepare", timed_async(QUERIED))
    for name in ("_copy_in", "_copy_out"):
        patches.wrap(connection.Connection, name, _copying)
    patches.wrap(connection.Connection, "copy_records_to_table", _copying_records)
    for name in ("_bind_exec", "_bind"):
        patches.wrap(cursor.BaseCursor, name, _opening)
    patches.wrap(cursor.BaseCursor, "_exec", _going_on)


def database(connection: Any) -> str:
    """Which database a connection is to, as it is told."""
    try:
        key = connection._addr, connection._params.database
        if key not in _DATABASES:
            _DATABASES[key] = database_name("postgresql", key[1], *_place(key[0]))
        return _DATABASES[key]
    except Exception:  # the connection is closed: what is executed on it will fail
        return ""


def _place(address: Any) -> tuple[str, int | str]:
    """Host and port; of a socket the folder, and what its name ends with."""
    if isinstance(address, str):
        folder, _, name = address.rpartition("/")
        return folder, name.rpartition(".")[2]
    return address[0], address[1]


def _rows(result: Any) -> int | None:
    """How many rows a result has, or how many a status like `INSERT 0 3` tells of."""
    if isinstance(result, list):
        return len(result)
    if isinstance(result, str):
        last = result.rpartition(" ")[2]
        return int(last) if last.isdecimal() else 0
    return None


async def _told(trace: Trace, connection: Any, text: str, parameters: Callable[[], Any], running: Any, at: Any,
                rows: Callable[[Any], int | None] = _rows) -> Any:
    """Await what runs, and tell of it as a statement."""
    result = None
    with Telling("asyncpg", trace, database(connection), connection,
                 lambda: (text, DRIVER, rows(result), parameters()), at):
        result = await running
    return result


def _single(result: Any) -> int:
    """`fetchrow` and `fetchval` give one row, or none; of a value alone that cannot be told from NULL."""
    return int(result is not None)


def _counted(original: Original) -> Callable[[Any], int | None]:
    return _single if original.__name__ in ("fetchval", "fetchrow") else _rows


def _executing(original: Original) -> Original:
    rows = _counted(original)

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        running = original(self, query, *args, **options)
        if trace is None or silent():
            return running
        return _told(trace, self, query, lambda: args, running, site(), rows)

    return execute


def _executing_many(original: Original) -> Original:
    def execute(self: Any, query: Any, args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return original(self, query, args, **options)
        sets = Sets(args)
        return _told(trace, self, query, lambda: sets.first, original(self, query, sets, **options), site(),
                     lambda result: sets.count if result is None else _rows(result))

    return execute


def _executing_prepared(original: Original) -> Original:
    rows = _counted(original)

    def execute(self: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        running = original(self, *args, **options)
        if trace is None or silent():
            return running
        return _told(trace, self._connection, self._query, lambda: args, running, site(), rows)

    return execute


def _executing_prepared_many(original: Original) -> Original:
    def execute(self: Any, args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return original(self, args, **options)
        sets = Sets(args)
        return _told(trace, self._connection, self._query, lambda: sets.first, original(self, sets, **options),
                     site(), lambda result: sets.count if result is None else _rows(result))

    return execute


def _copying(original: Original) -> Original:
    def copy(self: Any, copy_stmt: str, *args: Any, **options: Any) -> Any:
        trace = active.get()
        running = original(self, copy_stmt, *args, **options)
        if trace is None or silent():
            return running
        return _told(trace, self, copy_stmt, lambda: None, running, None)

    return copy


def _copying_records(original: Original) -> Original:
    def copy(self: Any, table_name: str, **options: Any) -> Any:
        trace = active.get()
        running = original(self, table_name, **options)
        if trace is None or silent():
            return running
        return _told(trace, self, f"COPY {table_name} FROM STDIN (FORMAT binary)", lambda: None, running, site())

    return copy


def _opening(original: Original) -> Original:
    """A cursor is opened, and may have its first rows with that."""
    async def open_(self: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return await original(self, *args, **options)
        text = self._query
        rows = await _told(trace, self._connection, text, lambda: self._args, original(self, *args, **options), None,
                           lambda result: None)
        if isinstance(rows, list):
            with Fetching("asyncpg", trace, database(self._connection), lambda: (text, DRIVER, len(rows), None)):
                pass  # they came with it
        return rows

    return open_


def _going_on(original: Original) -> Original:
    """More rows of a cursor."""
    async def fetch(self: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return await original(self, *args, **options)
        rows: list[Any] = []
        with Fetching("asyncpg", trace, database(self._connection), lambda: (self._query, DRIVER, len(rows), _MANY)):
            rows = await original(self, *args, **options)
        return rows

    return fetch


def _connecting(original: Original) -> Original:
    async def connect(*args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or silent():
            return await original(*args, **options)
        telling = Telling("asyncpg", trace, None, None, lambda: (CONNECT, DRIVER, None, None))
        with telling:
            connection = await original(*args, **options)
            telling.database = database(connection)
        return connection

    return connect
