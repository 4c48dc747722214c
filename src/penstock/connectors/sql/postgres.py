"""Reading from PostgreSQL, also behind a pooler that gives every transaction another server connection.

So nothing is kept in the session: no prepared statements, no settings. Each transaction says for itself that it
only reads. What a message shows of the URL are host, port and database, never user or password.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from types import TracebackType
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.datetime import TimestamptzLoader

from penstock.connectors.sql.paging import Bindings, Row
from penstock.connectors.sql.query import Query
from penstock.connectors.sql.statements import Statements, compose
from penstock.domain.errors import ConfigurationError, SourceError

# Where the URL says nothing else: a source that is gone is noticed within a minute, not within hours.
DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "client_encoding": "utf8",
    "fallback_application_name": "penstock",
}
ADVICE = "Correct the query, or try again where the connection was lost."


class PostgresReader:
    """One connection to the database at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._given = _settings(url)

    def __enter__(self) -> "PostgresReader":
        defaults = {name: value for name, value in DEFAULTS.items() if name not in self._given}
        with self._reading("Check that the server runs, and the URL."):
            self._connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **defaults)
        self._connection.read_only = True
        self._connection.adapters.register_loader("timestamptz", _UtcLoader)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def columns(self, query: Query, bindings: Bindings) -> list[str]:
        with self._reading(), self._connection.transaction():
            cursor = self._connection.execute(compose(query, "postgres").columns, bindings)
            return [column.name for column in cursor.description or ()]

    def statements(self, query: Query, bindings: Bindings) -> Statements:
        return compose(query, "postgres")

    def rows(self, sql: str, bindings: Bindings) -> list[Row]:
        with self._reading(), self._connection.transaction():
            return self._connection.execute(sql, bindings).fetchall()

    def start_of_last_key(self, rows: Sequence[Row]) -> int:
        return next(index for index, row in enumerate(rows) if row[-2])

    def stream(self, sql: str, bindings: Bindings, size: int) -> Iterator[list[Row]]:
        with self._reading(), self._connection.transaction(), self._connection.cursor("penstock_rows") as cursor:
            cursor.execute(sql, bindings)
            while len(rows := cursor.fetchmany(size)) == size:
                yield rows
        if rows:
            yield rows

    @contextmanager
    def _reading(self, advice: str = ADVICE) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, UnicodeError) as error:  # a subject may be no text
            reason = self._reason(error)
            raise SourceError(f"The source at {self._shown()} could not be read: {reason}. {advice}") from error

    def _reason(self, error: Exception) -> str:
        primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        reason = (primary or str(error)).strip().rstrip(".")
        password = self._given.get("password")
        return reason.replace(password, "***") if password else reason

    def _shown(self) -> str:
        host, port, database = (str(self._given.get(name) or "") for name in ("host", "port", "dbname"))
        if host.startswith("/"):
            return f"postgresql:///{database}?host={host}"
        places = [":".join(filter(None, place)) for place in zip_longest(host.split(","), port.split(","))]
        return f"postgresql://{','.join(places)}/{database}"


def _settings(url: str) -> dict[str, Any]:
    """What the URL says, by libpq's names. A malformed one is not repeated: its password may stand anywhere."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        given = {"host": "@"}
    # A password with a bare '@' or '/' in it would end up in the host, the port or the database.
    if any("@" in str(given.get(part, "")) for part in ("host", "port", "dbname")):
        raise ConfigurationError(
            "SQLSource expects postgresql://user:password@host:port/database, but got a URL that cannot be taken apart."
            " Write special characters of the user and the password as %40 for '@', %2F for '/', %25 for '%'."
        )
    return given


class _UtcLoader(TimestamptzLoader):
    """A moment in UTC, whatever the session's time zone: the same row must be the same record for every worker."""

    def load(self, data: bytes | bytearray | memoryview) -> datetime:
        return super().load(data).astimezone(UTC)
