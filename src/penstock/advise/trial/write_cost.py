"""What an index costs whoever inserts: the same rows put into a copy of the table with and without it, rolled back.

The copy is a table of its own with a thousand rows of the original, so no trigger fires, no key is met twice, and
nobody waits. An index that is small fits into memory and is shallow: a large one costs somewhat more.
"""

from typing import Any

import psycopg

from penstock.advise.asking.database import Limits
from penstock.advise.asking.postgres.connection import Connection, experimenting
from penstock.advise.trial.definition import create_index, quoted
from penstock.advise.trial.left_over import new_name
from penstock.domain.advice import Candidate, WriteCost

_ROWS = 1000
_ROUNDS = 3


def write_cost(connection: Connection, limits: Limits, candidate: Candidate) -> WriteCost | None:
    """Time and write-ahead log for each inserted row; None where the role may not make a schema, or there are no rows.
    """
    place = new_name()
    table = ".".join(quoted(part) for part in (candidate.schema, candidate.table) if part)
    try:
        with experimenting(connection, limits):
            for text in (f"create schema {place}", f"create table {place}.given as select * from {table}"
                         f" limit {_ROWS}", f"create table {place}.plain (like {place}.given)",
                         f"create table {place}.indexed (like {place}.given)",
                         create_index(candidate, None, schema=place, table="indexed")):
                connection.execute(text.encode())
            rounds = [(_inserted(connection, place, "plain"), _inserted(connection, place, "indexed"))
                      for _ in range(_ROUNDS)]
    except psycopg.Error:
        return None
    rows = rounds[0][0][0]
    if not rows:
        return None
    times, logs = ([min(side[place] for side in sides) for sides in zip(*rounds, strict=True)] for place in (1, 2))
    return WriteCost(insert_us=max(times[1] - times[0], 0) * 1000 / rows, wal_bytes=max(logs[1] - logs[0], 0) / rows)


def _inserted(connection: Connection, place: str, table: str) -> tuple[int, float, float]:
    """Rows, milliseconds and bytes of write-ahead log."""
    row = connection.execute(f"explain (analyze, wal, timing off, format json) insert into {place}.{table}"
                             f" select * from {place}.given".encode()).fetchone()
    assert row is not None
    answer: dict[str, Any] = row[0][0]
    top = answer["Plan"]
    return int(top["Plans"][0]["Actual Rows"]), float(answer["Execution Time"]), float(top.get("WAL Bytes", 0))
