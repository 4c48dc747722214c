"""Reading from PostgreSQL, also behind a pooler that gives every transaction another server connection.

So nothing is kept in the session: no prepared statements, no settings. Each transaction says for itself that it
only reads.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import psycopg

from penstock.connectors.sql.paging import Bindings, Row
from penstock.connectors.sql.query import Query
from penstock.connectors.sql.server import Server
from penstock.connectors.sql.statements import Statements, compose
from penstock.domain.errors import SourceError

ADVICE = "Correct the query, or try again where the connection was lost."


class PostgresReader:
    """One connection to the database at `url`."""

    works_apart = True

    def __init__(self, url: str) -> None:
        self._server = Server(url)

    def __enter__(self) -> "PostgresReader":
        with self._reading("Check that the server runs, and the URL."):
            self._connection = self._server.connect()
        self._connection.read_only = True
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
            reason = self._server.reason(error)
            raise SourceError(f"The source at {self._server} could not be read: {reason}. {advice}") from error
