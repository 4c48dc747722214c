"""A statement with a few plain parameters, without the driver's cursor.

To adapt values of every kind, to plan for preparation and to read any kind of row takes the cursor as long as the
insert of a job takes the server. What is sent here are numbers and texts, what comes back is numbers.

The statement is prepared by its name when a connection turns out not to know it: nobody has to remember which one does.
"""

from typing import Any

from psycopg import errors, generators, pq

from penstock.store.port import Params, Row
from penstock.store.postgres.arrays import array
from penstock.store.postgres.connection import Connection
from penstock.store.statements import Compiled, numbered

STATEMENTS = frozenset({"enqueue_one"})
"""Those whose parameters are numbers, texts and lists of texts, and whose rows have one number."""

_CANCEL_SECONDS = 5.0


def rows(connection: Connection, name: str, compiled: Compiled, params: Params) -> list[Row]:
    """The rows of a statement that is a transaction by itself. Raises what psycopg would."""
    text, names = numbered(compiled.sql)
    values = [_written(params[each]) for each in names]
    prepared = name.encode()
    try:
        result = _run(connection, prepared, values)
    except errors.InvalidSqlStatementName:
        connection.pgconn.send_prepare(prepared, text.encode())
        _answer(connection)
        result = _run(connection, prepared, values)
    found: list[Row] = []
    for row in range(result.ntuples):
        number = result.get_value(row, 0)
        assert number is not None
        found.append((int(number),))
    return found


def _run(connection: Connection, prepared: bytes, values: list[bytes | None]) -> pq.abc.PGresult:
    try:
        connection.pgconn.send_query_prepared(prepared, values)
        return _answer(connection)
    except BaseException:
        if connection.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:  # interrupted before it could wait
            connection.cancel_safe(timeout=_CANCEL_SECONDS)
        raise


def _answer(connection: Connection) -> pq.abc.PGresult:
    """What the server says; whoever waits for it can be interrupted, as with a cursor."""
    result: pq.abc.PGresult = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise errors.error_from_result(result)
    return result


def _written(value: Any) -> bytes | None:
    """A value in PostgreSQL's text format."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"%d" % value
    return array(value).encode()
