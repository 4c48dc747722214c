"""psycopg 3: what comes after a statement began. Rows of streams and of server-side cursors, data of COPY, answers in a
pipeline: their rows and their time are added to the statement that they are of. And the ends of transactions.

Where psycopg has one generator for both of its kinds of connections, that is what is wrapped.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.psycopg import database, driver, said, text
from penstock.observe.instruments.telling import Fetching, Telling, fault, silent
from penstock.observe.trace import QUERIED, Trace, active

Original = Callable[..., Any]
_END = object()
_declared: WeakKeyDictionary[Any, "_Told"] = WeakKeyDictionary()
_ENDINGS = {b"COMMIT": "COMMIT", b"ROLLBACK": "ROLLBACK"}


def install(patches: Patches) -> None:
    import psycopg

    patches.wrap(psycopg.Cursor, "stream", _streaming)
    patches.wrap(psycopg.AsyncCursor, "stream", _streaming_async)
    patches.wrap(psycopg.Cursor, "copy", _copying)
    patches.wrap(psycopg.AsyncCursor, "copy", _copying_async)
    for name in ("read", "read_row", "write", "write_row", "finish"):
        patches.wrap(psycopg.Copy, name, _moving)
        patches.wrap(psycopg.AsyncCopy, name, _moving_async)
    for cursor in (psycopg.ServerCursor, psycopg.AsyncServerCursor):
        patches.wrap(cursor, "execute", _declaring)
    patches.wrap(psycopg.ServerCursor.__mro__[1], "_fetch_gen", _fetching)
    of_connections = psycopg.Connection.__mro__[1]
    patches.wrap(of_connections, "_exec_command", _commanding)
    pipeline = psycopg.Pipeline.__mro__[1]
    patches.wrap(pipeline, "_fetch_gen", _awaiting)
    patches.wrap(pipeline, "_process_results", _processing)


def _streaming(original: Original) -> Original:
    def stream(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params, **options)
        return rows(self, query, params, original(self, query, params, **options), trace, where)

    def rows(self: Any, query: Any, params: Any, found: Any, trace: Trace, where: str) -> Iterator[Any]:
        try:
            with Telling("psycopg", trace, where, self._conn, said(self, query, lambda: params)):
                row = next(found, _END)
            told = _Told(query)
            told.coming = int(row is not _END)
            with Fetching("psycopg", trace, where, lambda: told.more(self)):
                pass  # the first came with the statement
            while row is not _END:
                yield row
                with Fetching("psycopg", trace, where, lambda: told.more(self)):
                    row = next(found, _END)
                    told.coming = int(row is not _END)
        finally:
            found.close()

    return stream


def _streaming_async(original: Original) -> Original:
    def stream(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, query, params, **options)
        return rows(self, query, params, original(self, query, params, **options), trace, where)

    async def rows(self: Any, query: Any, params: Any, found: Any, trace: Trace, where: str) -> AsyncIterator[Any]:
        try:
            with Telling("psycopg", trace, where, self._conn, said(self, query, lambda: params)):
                row = await anext(found, _END)
            told = _Told(query)
            told.coming = int(row is not _END)
            with Fetching("psycopg", trace, where, lambda: told.more(self)):
                pass  # the first came with the statement
            while row is not _END:
                yield row
                with Fetching("psycopg", trace, where, lambda: told.more(self)):
                    row = await anext(found, _END)
                    told.coming = int(row is not _END)
        finally:
            await found.aclose()

    return stream


class _Told:
    """What was told of the rows of one execution."""

    def __init__(self, query: Any) -> None:
        self._query = query
        self._text: str | None = None
        self._rows: int | None = None
        self.coming = 0

    def more(self, cursor: Any) -> tuple[str, str, int, int | None]:
        """What `Fetching` says once: the rows that came."""
        if self._text is None:
            self._text = text(cursor, self._query)
        rows, self.coming = self.coming, 0
        before = self._rows
        self._rows = (before or 0) + rows
        return self._text, driver(cursor), rows, before


class _Moved:
    """What the data of a COPY took so far."""

    took_ns = 0


def _copying(original: Original) -> Original:
    def copy(self: Any, statement: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, statement, params, **options)
        return block(self, statement, params, original(self, statement, params, **options), trace, where)

    @contextmanager
    def block(self: Any, statement: Any, params: Any, inner: Any, trace: Trace, where: str) -> Iterator[Any]:
        with Telling("psycopg", trace, where, self._conn, said_of_copy(self, statement, params)):
            copy = inner.__enter__()
        copy._penstock_moved = moved = _Moved()
        try:
            try:
                yield copy
            except BaseException as error:
                if not inner.__exit__(type(error), error, error.__traceback__):
                    raise
            else:
                inner.__exit__(None, None, None)
        finally:
            _told_moved(trace, self, statement, where, moved)

    return copy


def _copying_async(original: Original) -> Original:
    def copy(self: Any, statement: Any, params: Any = None, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, statement, params, **options)
        return block(self, statement, params, original(self, statement, params, **options), trace, where)

    @asynccontextmanager
    async def block(self: Any, statement: Any, params: Any, inner: Any, trace: Trace, where: str,
                    ) -> AsyncIterator[Any]:
        with Telling("psycopg", trace, where, self._conn, said_of_copy(self, statement, params)):
            copy = await inner.__aenter__()
        copy._penstock_moved = moved = _Moved()
        try:
            try:
                yield copy
            except BaseException as error:
                if not await inner.__aexit__(type(error), error, error.__traceback__):
                    raise
            else:
                await inner.__aexit__(None, None, None)
        finally:
            _told_moved(trace, self, statement, where, moved)

    return copy


def said_of_copy(cursor: Any, statement: Any, params: Any) -> Callable[[], tuple[str, str, int | None, Any]]:
    """Its rows are known when it is over."""
    return lambda: (text(cursor, statement), driver(cursor), None, params)


def _told_moved(trace: Trace, cursor: Any, statement: Any, where: str, moved: _Moved) -> None:
    try:
        trace.fetched(text(cursor, statement), driver(cursor), where, moved.took_ns, max(cursor.rowcount, 0))
    except Exception:
        fault("psycopg")


def _moving(original: Original) -> Original:
    def move(self: Any, *args: Any) -> Any:
        trace = active.get()
        if trace is None or (moved := getattr(self, "_penstock_moved", None)) is None:
            return original(self, *args)
        began = trace.enter(QUERIED)
        try:
            return original(self, *args)
        finally:
            moved.took_ns += trace.leave(QUERIED) - began

    return move


def _moving_async(original: Original) -> Original:
    async def move(self: Any, *args: Any) -> Any:
        trace = active.get()
        if trace is None or (moved := getattr(self, "_penstock_moved", None)) is None:
            return await original(self, *args)
        began = trace.enter(QUERIED)
        try:
            return await original(self, *args)
        finally:
            moved.took_ns += trace.leave(QUERIED) - began

    return move


def _declaring(original: Original) -> Original:
    """Remember what a server-side cursor was given, since it sends something else."""
    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if active.get() is not None:
            _declared[self] = _Told(query)
        return original(self, query, *args, **options)

    return execute


def _fetching(original: Original) -> Original:
    """A page of a server-side cursor."""
    def fetch(self: Any, *args: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self._conn)) is None or silent():
            return original(self, *args)
        told = _declared.get(self) or _declared.setdefault(self, _Told(f"FETCH FROM {self.name}"))
        return page(self, told, trace, where, original(self, *args))

    def page(self: Any, told: _Told, trace: Trace, where: str, found: Any) -> Generator[Any, Any, Any]:
        with Fetching("psycopg", trace, where, lambda: told.more(self)):
            rows = yield from found
            told.coming = len(rows)
        return rows

    return fetch


def _commanding(original: Original) -> Original:
    """What psycopg sends by itself: of it, the ends of transactions are told as statements."""
    def command(self: Any, command: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or (where := database(self)) is None or silent():
            return original(self, command, *args, **options)
        return sent(self, command, trace, where, original(self, command, *args, **options))

    def sent(self: Any, command: Any, trace: Trace, where: str, found: Any) -> Generator[Any, Any, Any]:
        words = _ENDINGS.get(command) if type(command) is bytes else None
        if words is not None:
            with Telling("psycopg", trace, where, self, lambda: (words, "psycopg", 0, None)):
                return (yield from found)
        trace.enter(QUERIED)
        try:
            return (yield from found)
        finally:
            trace.leave(QUERIED)

    return command


def _awaiting(original: Original) -> Original:
    """The answers to what was sent in a pipeline. They come together, so what was waited for them is shared evenly."""
    def fetch(self: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None:
            return original(self, **options)
        return answers(self, trace, original(self, **options))

    def answers(self: Any, trace: Trace, found: Any) -> Generator[Any, Any, Any]:
        answered: list[tuple[str, str, str, int]] = []
        self._penstock_answered = answered
        began = trace.enter(QUERIED)
        try:
            return (yield from found)
        finally:
            took = trace.leave(QUERIED) - began
            self._penstock_answered = None
            try:
                for words, kind, where, rows in answered:
                    trace.fetched(words, kind, where, took // len(answered), rows)
            except Exception:
                fault("psycopg")

    return fetch


def _processing(original: Original) -> Original:
    """One of those answers. Those that came before anybody waited for them took no time."""
    def process(self: Any, queued: Any, results: Any) -> Any:
        trace = active.get()
        if trace is None or queued is None:
            return original(self, queued, results)
        try:
            return original(self, queued, results)
        finally:
            try:
                cursor = queued[0]
                if cursor._execmany_returning is None and (where := database(cursor._conn)) is not None:
                    answer = text(cursor, cursor._last_query), driver(cursor), where, max(cursor.rowcount, 0)
                    answered = getattr(self, "_penstock_answered", None)
                    if answered is not None:
                        answered.append(answer)
                    else:
                        trace.fetched(*answer[:3], 0, answer[3])
            except Exception:
                fault("psycopg")

    return process
