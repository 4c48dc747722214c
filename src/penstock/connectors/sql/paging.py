"""The walk over a query's pages, the same for every database.

A page ends between two keys, never between two rows of one key: what follows is asked for by `key > :after`, and
that would lose the second row. So one row more than a page is read, and the rows that share its key wait for the
next page. Rows that no key can part (one key on more rows than a page holds, or rows without a key) come from one
statement, still a page at a time.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from penstock.connectors.sql.query import Query
from penstock.connectors.sql.statements import Statements

Row = tuple[Any, ...]
Bindings = Mapping[str, Any]


class Reader(Protocol):
    """One open connection. What goes wrong in it is raised as a SourceError."""

    works_apart: bool
    """Whether somebody else does the work, which may go on while this process does something else."""

    def columns(self, query: Query, bindings: Bindings) -> list[str]:
        """The names of the columns, as the query spells them; a name that stands twice is given twice."""

    def statements(self, query: Query, bindings: Bindings) -> Statements:
        """The statements that read the query from this database."""

    def rows(self, sql: str, bindings: Bindings) -> list[Row]:
        """All rows of a statement that limits itself, in a transaction of its own."""

    def start_of_last_key(self, rows: Sequence[Row]) -> int:
        """The index of the first row of a page that may have the same key as its last row, or have none like it."""

    def stream(self, sql: str, bindings: Bindings, size: int) -> Iterator[list[Row]]:
        """The rows of a statement of any length, at most `size` at a time, in one transaction.

        The transaction stays open between pages, but not behind the last one.
        """


def walk(reader: Reader, statements: Statements, bindings: Bindings, size: int) -> Generator[list[Row], None, None]:
    """Every row of the query, at most `size` at a time, ordered by key; those without a key come last."""
    sql, after = statements.first, None
    while len(rows := reader.rows(sql, {**bindings, "after": after, "limit": size + 1})) > size:
        ready = rows[: reader.start_of_last_key(rows)]
        after = ready[-1][-1] if ready else rows[0][-1]
        if ready:
            yield ready
        elif after is not None:
            yield from reader.stream(statements.same, {**bindings, "after": after}, size)
        sql = statements.next
    if rows:
        yield rows
    if sql is statements.next:  # a first page that held everything held the rows without a key as well
        yield from reader.stream(statements.without_key, bindings, size)

