"""A PostgreSQL server by its URL: how it is connected to, and what a message may show of it.

Shown are host, port and database, never user or password. A connection keeps nothing in the session, since a pooler
may give every transaction another server connection: no prepared statements, no settings.
"""

from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.datetime import TimestamptzLoader

from penstock.domain.errors import ConfigurationError

# Where the URL says nothing else: a server that is gone is noticed within a minute, not within hours.
DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "client_encoding": "utf8",
    "fallback_application_name": "penstock",
}

Connection = psycopg.Connection[tuple[Any, ...]]


class Server:
    """The database at `url`; raises ConfigurationError, in the name of `who` was given it, where it is malformed."""

    def __init__(self, url: str, who: str = "SQLSource") -> None:
        self._url = url
        self._given = _settings(url, who)

    def connect(self) -> Connection:
        """A connection in autocommit mode, to be closed by the caller. Moments come from it in UTC."""
        defaults = {name: value for name, value in DEFAULTS.items() if name not in self._given}
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **defaults)
        connection.adapters.register_loader("timestamptz", _UtcLoader)
        return connection

    def reason(self, error: Exception) -> str:
        """What an error says, without the password."""
        primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        reason = (primary or str(error)).strip().rstrip(".")
        password = self._given.get("password")
        return reason.replace(password, "***") if password else reason

    def __str__(self) -> str:
        host, port, database = (str(self._given.get(name) or "") for name in ("host", "port", "dbname"))
        if host.startswith("/"):
            return f"postgresql:///{database}?host={host}"
        places = [":".join(filter(None, place)) for place in zip_longest(host.split(","), port.split(","))]
        return f"postgresql://{','.join(places)}/{database}"


def _settings(url: str, who: str) -> dict[str, Any]:
    """What the URL says, by libpq's names. A malformed one is not repeated: its password may stand anywhere."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        given = {"host": "@"}
    # A password with a bare '@' or '/' in it would end up in the host, the port or the database.
    if any("@" in str(given.get(part, "")) for part in ("host", "port", "dbname")):
        raise ConfigurationError(
            f"{who} expects postgresql://user:password@host:port/database, but got a URL that cannot be taken apart."
            " Write special characters of the user and the password as %40 for '@', %2F for '/', %25 for '%'."
        )
    return given


class _UtcLoader(TimestamptzLoader):
    """A moment in UTC, whatever the session's time zone: the same row must be the same record for every worker."""

    def load(self, data: bytes | bytearray | memoryview) -> datetime:
        return super().load(data).astimezone(UTC)
