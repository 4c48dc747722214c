"""SQLSource: the rows of a query, as people declare them."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing
from importlib.util import find_spec
from typing import Any

from penstock.connectors.sql.address import Address, parse_url
from penstock.connectors.sql.ahead import ahead
from penstock.connectors.sql.buckets import read_bounds, read_buckets, read_rows, read_total
from penstock.connectors.sql.paging import Reader, walk
from penstock.connectors.sql.query import Query, parse_query
from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.errors import ConfigurationError, SourceError
from penstock.domain.records import Bucket, Complete
from penstock.sync.declaring.ports import Run

NEEDS_PSYCOPG = "A SQLSource on PostgreSQL needs psycopg. Install it: pip install 'penstock[postgres]'"


class SQLSource:
    """Any query of a SQLite or PostgreSQL database, read in keyset pages; its columns are the record's fields.

        SQLSource("sqlite:///hr.db", "select id, name from person where team = :subject", key="id")

    `url` is `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…`. In `query`, `:subject` and
    `:account` are the keys of the run's subject and account, as text. `key` is the column that the pages go by:
    unique within one subject, and indexed where there is much to read. Rows that share a key, or have none, are
    given as they are: to report them is the engine's part. `page_size` is the most records in a page, where it
    should not be the engine's own choice.

    With `buckets`, on PostgreSQL, the database is first asked for a digest of every so many rows, and only those are
    read in which something changed since their records were all in step. That saves reading what did not change; it
    sees only what the query gives, so use it where `render` makes its payload from the record alone. On SQLite it has
    no effect: to read costs as little there.

    Each page is a transaction of its own, so no snapshot is held while an API answers, and a row that changes its
    key during a read may be missed. PostgreSQL is asked for the next page while one is worked on. Raises
    ConfigurationError when it is declared wrongly, listing every fault; reading raises SourceError.
    """

    def __init__(self, url: str, query: str, *, key: str, page_size: int | None = None,
                 buckets: int | None = None) -> None:
        faults: list[str] = []
        try:
            self._address: Address = parse_url(url)
            if self._address.dialect == "postgres" and find_spec("psycopg") is None:
                faults.append(NEEDS_PSYCOPG)
        except ConfigurationError as error:
            faults += error.faults
        try:
            self._query: Query = parse_query(query, key)
        except ConfigurationError as error:
            faults += error.faults
        if page_size is not None and (not isinstance(page_size, int) or page_size < 1):
            faults.append(f"SQLSource expects page_size to be a number of records from 1, but got {page_size!r}.")
        if buckets is not None and (not isinstance(buckets, int) or buckets < 2):
            faults.append(f"SQLSource expects buckets to be a number of rows from 2, but got {buckets!r}.")
        if faults:
            raise ConfigurationError(faults)
        self.key = key
        self.page_size = page_size
        self.buckets = buckets if self._address.dialect == "postgres" else None

    def __repr__(self) -> str:
        return f"SQLSource({str(self._address)!r}, key={self.key!r})"

    def pages(self, run: Run, size: int) -> Generator[list[dict[str, Any]], None, Complete]:
        """The records of the run's subject, at most `size` (or `page_size`) at a time, ordered by key.

        The connection is opened for this read, and closed with it.
        """
        bindings = _bindings(run)
        count = 0
        with self._open() as reader:
            columns = self._checked(reader.columns(self._query, bindings))
            statements = reader.statements(self._query, bindings)
            walked = walk(reader, statements, bindings, self.page_size or size)
            with closing(ahead(walked) if reader.works_apart else walked) as found:
                for rows in found:
                    count += len(rows)
                    # A row may end with columns of the paging's own.
                    yield [dict(zip(columns, row, strict=False)) for row in rows]
        return Complete(count)

    @property
    def version(self) -> str:
        """What buckets depend on besides the rows."""
        return f"{self.key} {self._query.text}"

    def bounds(self, run: Run) -> list[str]:
        """Where to divide the rows of the run's subject into buckets."""
        assert self.buckets is not None
        with self._open() as reader:
            self._checked(reader.columns(self._query, _bindings(run)))
            return read_bounds(reader, self._query, _bindings(run), self.buckets)

    def total_digest(self, run: Run) -> Bucket:
        """All rows of the run's subject as one bucket, in half the time that all the buckets take, or less."""
        with self._open() as reader:
            return read_total(reader, self._query, _bindings(run))

    def bucket_digests(self, run: Run, bounds: list[str]) -> list[Bucket]:
        """Every bucket as it is now; one more than there are bounds, and last that of the rows without a key."""
        with self._open() as reader:
            return read_buckets(reader, self._query, _bindings(run), bounds)

    def bucket_pages(self, run: Run, size: int, bounds: list[str],
                     spans: Sequence[tuple[int, int]]) -> Generator[tuple[int, list[dict[str, Any]]], None, None]:
        """The records of buckets in pages; each span is from one bucket to another, whose first goes with its pages."""
        with self._open() as reader:
            columns = self._checked(reader.columns(self._query, _bindings(run)))
            read = ((first, rows) for first, last in spans for rows in read_rows(
                reader, self._query, _bindings(run), bounds, first, last, self.page_size or size))
            with closing(ahead(read)) as found:
                for first, rows in found:
                    yield first, [dict(zip(columns, row, strict=False)) for row in rows]

    def _open(self) -> AbstractContextManager[Reader]:
        if self._address.dialect == "sqlite":
            from penstock.connectors.sql.sqlite import SqliteReader

            return SqliteReader(self._address.target)
        try:
            from penstock.connectors.sql.postgres import PostgresReader
        except ImportError as error:
            raise ConfigurationError(f"{NEEDS_PSYCOPG} ({error})") from error
        return PostgresReader(self._address.target)

    def _checked(self, columns: list[str]) -> list[str]:
        repeated = [name for name, times in Counter(columns).items() if times > 1]
        if repeated:
            raise SourceError(
                f"The query expects to have every column name once, but has several called {', '.join(repeated)}."
                " Name them apart: … as other_name."
            )
        if self.key not in columns:
            raise SourceError(
                f'SQLSource is keyed by "{self.key}", but its query has the columns {", ".join(columns)}.'
                + (did_you_mean(self.key, columns) or " Select the key, or name another column as key.")
            )
        return columns


def _bindings(run: Run) -> dict[str, str]:
    return {"subject": run.subject.key, "account": run.account}
