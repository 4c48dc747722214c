"""Tables of SQLite and PostgreSQL: any query as a source, read in keyset pages, and a table as a destination.

Two invariants. A read that ends with `Complete` has given every row of the query exactly once, as far as nobody
changed it meanwhile; whatever prevents that is a `SourceError`. And nothing of a batch is written before its COMMIT:
whatever goes wrong earlier is said to be unsent, and a COMMIT without an answer to be in doubt.

    address      the URL: where the database is
    server       PostgreSQL by its URL (needs psycopg; imported at the first use, as are all of PostgreSQL)

    source       SQLSource, what people declare
    query        the person's query, checked: one statement, known parameters
    statements   the query wrapped into the statements that read it page by page
    paging       the walk over the pages, the same for both databases
    ahead        a page before it is asked for
    sqlite       reading from SQLite
    postgres     reading from PostgreSQL

    destination  SQLDestination, what people declare
    layout       which columns mean what, checked by itself and then on the table
    table        the table as its database describes it, and values in the form that its columns take
    rows         from a change to its row, and from a row to its remote id
    commands     the statements that write, find and read rows
    writer       the verbs within one transaction: an outcome for each change
    reading      rows by a value, and all of them page by page
    session      the seam between these and a database, and a batch as one transaction on it
    redact       messages without values
    into_sqlite, into_postgres   sessions on each database
"""

from penstock.connectors.sql.destination import SQLDestination
from penstock.connectors.sql.source import SQLSource

__all__ = ["SQLDestination", "SQLSource"]
