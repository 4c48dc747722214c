"""SQLAlchemy: statements of all engines, with any database and with or without `await`. Where the driver is
instrumented itself (psycopg, asyncpg, sqlite3), that tells of them instead, and knows of more rows."""

import os
import sys
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from penstock.domain.traces import database_name
from penstock.observe.instruments.django import rows
from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import Outer, fault
from penstock.observe.sites import nearest
from penstock.observe.trace import QUERIED, Site, Trace, active, site
from penstock.store.within import OURS, within

LIBRARY = "sqlalchemy"
_UNDER_WAY = "_penstock_under_way"
_DRIVERS = {"psycopg": "psycopg", "psycopg_async": "psycopg", "psycopg2": "psycopg2",
            "asyncpg": "asyncpg", "pysqlite": "sqlite3", "aiosqlite": "sqlite3"}
_databases: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def install(patches: Patches) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    for name, listener in LISTENERS:
        event.listen(Engine, name, listener)
        patches.finally_(partial(event.remove, Engine, name, listener))


class _UnderWay:
    """A statement that is under way."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.outer = Outer()
        self.token = within.set(self.outer)
        self.began = trace.enter(QUERIED)


def _before(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    trace = active.get()
    if trace is None or context is None or within.get() is OURS:
        return
    setattr(context, _UNDER_WAY, _UnderWay(trace))


def _after(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    _end(context, cursor, failed=False)


def _failed(error: Any) -> None:
    _end(error.execution_context, None, failed=True)


def _end(context: Any, cursor: Any, *, failed: bool) -> None:
    under_way: _UnderWay | None = getattr(context, _UNDER_WAY, None)
    if under_way is None:
        return
    delattr(context, _UNDER_WAY)
    took = under_way.trace.leave(QUERIED) - under_way.began
    try:
        within.reset(under_way.token)
    except ValueError:  # it ends in another context than it began in
        within.set(None)
    try:
        if under_way.outer.told:
            return
        parameters = context.parameters[0] if context.executemany and context.parameters else context.parameters
        if not context.executemany and isinstance(parameters, list) and len(parameters) == 1:
            parameters = parameters[0]
        under_way.trace.statement(context.statement, driver(context.dialect), database(context.engine), took,
                                  None if cursor is None else rows(cursor), parameters, failed=failed, at=_site())
    except Exception:
        fault("sqlalchemy")


def _site() -> Site | None:
    """Where the user's code is: with `await`, SQLAlchemy has a stack of its own, upon that of the caller."""
    found = site(4)
    if found is not None:
        return found
    greenlet = sys.modules.get("greenlet")
    outer = greenlet.getcurrent().parent if greenlet is not None else None
    return nearest(outer.gr_frame) if outer is not None else None


def driver(dialect: Any) -> str:
    """What tells the placeholders: the driver's name where it is known, else the style that PEP 249 names."""
    return _DRIVERS.get(dialect.driver) or str(dialect.paramstyle)


def database(engine: Any) -> str:
    """Which database an engine is of, as it is told."""
    if engine not in _databases:
        url = engine.url
        name = url.database or ""
        if url.get_backend_name() == "sqlite" and name not in ("", ":memory:"):
            name = os.path.abspath(name)
        _databases[engine] = database_name(url.get_backend_name(), name, url.host or _one(url.query.get("host")),
                                           url.port or _one(url.query.get("port")))
    return _databases[engine]


def _one(asked: Any) -> str | None:
    """What a URL asks for; of several, the first."""
    first: str | None = asked[0] if isinstance(asked, tuple) else asked
    return first


LISTENERS = (("before_cursor_execute", _before), ("after_cursor_execute", _after), ("handle_error", _failed))
