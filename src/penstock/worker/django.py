"""Django's connections between jobs: what Django does around a request, a worker does around a job.

Without it a slot keeps a connection that the server has long closed, or one past its CONN_MAX_AGE. Django keeps
connections by thread, so this runs on the thread that runs the job. Where Django is not in use it does nothing.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

_logger = logging.getLogger("penstock")
_modules = sys.modules

left_open: ContextVar[bool] = ContextVar("penstock_left_open", default=False)
"""Set where jobs run in the middle of a caller's work, as in tests: its connections are not theirs to close."""


def close_stale() -> None:
    """Close this thread's Django connections that are broken or too old, unless a transaction is open on them."""
    if "django.db" in _modules and (database := _database()) is not None:  # the first half is all that most jobs pay
        _close(database)


async def aclose_stale() -> None:
    """The same for the thread in which Django runs what an event loop's code asks of it."""
    if (database := _database()) is not None and (asgiref := sys.modules.get("asgiref.sync")) is not None:
        await asgiref.sync_to_async(_close, thread_sensitive=True)(database)


def _database() -> Any:
    """`django.db`, if the application uses it: without settings there is no connection yet."""
    if left_open.get():
        return None
    database, configuration = sys.modules.get("django.db"), sys.modules.get("django.conf")
    if database is None or configuration is None or not configuration.settings.configured:
        return None
    return database


def _close(database: Any) -> None:
    try:
        database.close_old_connections()
    except Exception:  # it stands between two jobs: neither may fail for it
        _logger.exception("Django could not close its old connections")
