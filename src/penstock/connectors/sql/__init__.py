"""A source that is a SQL query: any query of SQLite or PostgreSQL, read in keyset pages.

The invariant of this package: a read that ends with `Complete` has given every row of the query exactly once,
as far as nobody changed it meanwhile; whatever prevents that is a `SourceError`.

    source      SQLSource, what people declare
    address     the URL: where the database is
    query       the person's query, checked: one statement, known parameters
    statements  the query wrapped into the statements that read it page by page
    paging      the walk over the pages, the same for both databases
    sqlite      reading from SQLite
    postgres    reading from PostgreSQL (needs psycopg; imported at the first read)
"""

from penstock.connectors.sql.source import SQLSource

__all__ = ["SQLSource"]
