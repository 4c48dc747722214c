"""Connections to PostgreSQL: made, recognised behind a pooler, and their errors told in Penstock's words."""

import re
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from penstock.domain.errors import (
    ConfigurationError,
    SchemaMissing,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)

RETRYABLE = (errors.SerializationFailure, errors.DeadlockDetected)
# Classes of SQLSTATE: connection, authorisation, no such database, resources, operator. None: it never got that far.
_UNREACHABLE = ("08", "28", "3D", "53", "57")
LOST = (psycopg.OperationalError, psycopg.InterfaceError)
Connection = psycopg.Connection[tuple[Any, ...]]


class OwnConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection of Penstock's own, told apart from those of the application around it."""

    penstock_own = True


# Without keepalives a half-open socket is noticed only after hours.
_DEFAULTS = {"keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3",
             "tcp_user_timeout": "30000", "application_name": "penstock"}


def conninfo(url: str, connect_seconds: float = 10.0) -> str:
    """The connection string behind a URL, with Penstock's defaults where it gives none, and UTF-8 whatever it gives."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"expected postgresql://user@host:port/database, got {safe(url)!r}: {error}") from None
    timeout = {"connect_timeout": f"{connect_seconds:.0f}"}
    return make_conninfo("", **{**_DEFAULTS, **timeout, **given, "client_encoding": "utf8"})


def safe(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"([?&](?:ssl)?password=)[^&#]*", r"\1***", re.sub(r"//([^:/@]*):[^/]*@", r"//\1:***@", url))


def behind_pooler(connection: Connection) -> bool:
    """Whether something sits between us and the server.

    A pooler must hand out a cancellation key of its own, so the process id that it told at connection time
    is not that of the server process which answers.
    """
    row = connection.execute("select pg_backend_pid()", prepare=False).fetchone()
    return row is not None and row[0] != connection.info.backend_pid


def translated(error: psycopg.Error, url: str) -> StoreError:
    """What an error of psycopg means for the store, with what to do next."""
    text = str(error).strip()
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName | errors.UndefinedColumn):
        return SchemaMissing(f"{safe(url)}: {text.splitlines()[0]}; run `penstock migrate`")
    if isinstance(error, (errors.LockNotAvailable, errors.QueryCanceled, *RETRYABLE)):
        return StoreBusy(f"{safe(url)}: {text}")
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return StoreUnavailable(f"{safe(url)}: expected the right to write to schema penstock, got: {text}")
    if isinstance(error, LOST) and (error.sqlstate or "08")[:2] in _UNREACHABLE:
        return StoreUnavailable(f"{safe(url)}: expected a PostgreSQL server that answers, got: {text}")
    return StoreError(f"{safe(url)}: {text}")
