"""Django: statements of all its connections, also of those that are opened later, and with the database's driver
unknown to instruments. Where the driver is instrumented itself (psycopg, sqlite3), that tells of them instead."""

import importlib
from collections.abc import Callable
from typing import Any

from penstock.domain.traces import database_name
from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import Outer, fault, texted
from penstock.observe.trace import QUERIED, active
from penstock.store.within import OURS, within

LIBRARY = "django"
_DRIVERS = {"postgresql": "psycopg"}
"""What tells the placeholders, which are `%s` with every database; `django` stands for all others."""
_DIALECTS = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "oracle": "oracle"}


def install(patches: Patches) -> None:
    # That of all connections, where `execute_wrappers` are those of one in one thread.
    cursors = importlib.import_module("django.db.backends.utils")
    patches.wrap(cursors.CursorWrapper, "_execute_with_wrappers", _executing)


def _executing(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, sql: Any, params: Any, many: bool, executor: Any) -> Any:
        trace = active.get()
        if trace is None or within.get() is OURS:
            return original(self, sql, params, many, executor)
        outer = Outer()
        token = within.set(outer)
        began = trace.enter(QUERIED)
        failed = True
        try:
            result = original(self, sql, params, many, executor)
            failed = False
            return result
        finally:
            took = trace.leave(QUERIED) - began
            within.reset(token)
            try:
                if not outer.told:
                    if many:  # the first stands for all, if looking at it does not use it up
                        params = next(iter(params), None) if isinstance(params, list | tuple) else None
                    trace.statement(texted(sql), _DRIVERS.get(self.db.vendor, LIBRARY), database(self.db), took,
                                    None if failed else rows(self.cursor), params, failed=failed)
            except Exception:
                fault("django")

    return execute


def rows(cursor: Any) -> int | None:
    """How many rows a statement gave or touched, as far as its driver knows by now."""
    count = cursor.rowcount
    if isinstance(count, int) and count >= 0:
        return count
    return 0 if cursor.description is None else None


def database(connection: Any) -> str:
    """Which database a connection of Django is to, as it is told."""
    asked = connection.settings_dict
    return database_name(_DIALECTS.get(connection.vendor, connection.vendor), str(asked.get("NAME") or ""),
                         asked.get("HOST") or None, asked.get("PORT") or None)
