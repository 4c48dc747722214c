"""Thousands of jobs in one go: by COPY, which writes whole pages where an INSERT writes rows.

It does what the statement `enqueue` does, with the same parameters, in one transaction: the numbers of the jobs are
drawn first, so that both tables can be filled from here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from penstock.store.port import Params, Row
from penstock.store.postgres.connection import Connection
from penstock.store.statements import statement

LEAST = 1000
_CHUNK = 5000
_MINUTE_MS = 60_000
_LIVE = ("copy penstock.live_jobs (id, arguments, task, queue, priority, state, max_attempts, run_at, enqueued_at,"
         " tags, deadline_at) from stdin")
_READY = "copy penstock.ready_jobs (queue, rank, id) from stdin"


class _Ready(NamedTuple):
    """A shape as it is written: the columns after the arguments, and what a ready row needs."""

    columns: str
    queue: str
    task: str
    state: str
    rank: int


def enqueue(connection: Connection, params: Params, now: str | None) -> list[Row]:
    """Enqueue the jobs of the statement `enqueue` on a connection in a transaction; return their ids as rows."""
    arguments: list[str] = params["arguments"]
    drawn = connection.execute(statement("job_numbers", "postgres", now=now).sql.encode(), {"count": len(arguments)})
    row = drawn.fetchone()
    assert row is not None
    ids, at = row
    shapes = [_written(shape, at) for shape in msgspec.json.decode(params["shapes"])]
    chosen = [shapes[place - 1] for place in params["shape"]]
    _copy(connection, _LIVE, (f"{id}\t{_escaped(text)}\t{shape.columns}\n"
                              for id, text, shape in zip(ids, arguments, chosen, strict=True)))
    _copy(connection, _READY, (f"{shape.queue}\t{shape.rank}\t{id}\n"
                               for id, shape in zip(ids, chosen, strict=True) if shape.state == "available"))
    counted = Counter((shape.queue, shape.task, shape.state) for shape in chosen)
    for (queue, task, state), jobs in counted.items():
        connection.execute(statement("count_jobs", "postgres", now=now).sql.encode(),
                           {"queue": queue, "task": task, "state": state, "jobs": jobs})
    return [(id,) for id in ids]


def _written(shape: dict[str, Any], now: int) -> _Ready:
    run_at = now + shape["delay_ms"] if shape["run_at"] is None else shape["run_at"]
    deadline_at = shape["deadline_at"]
    if deadline_at is None and shape["deadline_ms"] is not None:
        deadline_at = now + shape["deadline_ms"]
    state = "scheduled" if run_at > now else "available"
    tags = None if shape["tags"] is None else _array(shape["tags"])
    columns = (shape["task"], shape["queue"], shape["priority"], state, shape["max_attempts"], run_at, now, tags,
               deadline_at)
    return _Ready("\t".join("\\N" if value is None else _escaped(str(value)) for value in columns),
                  _escaped(shape["queue"]), shape["task"], state, run_at - shape["priority"] * _MINUTE_MS)


def _array(texts: Iterable[str]) -> str:
    """A text array as PostgreSQL reads it."""
    return "{" + ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts) + "}"


def _escaped(text: str) -> str:
    """A value as COPY's text format wants it (https://www.postgresql.org/docs/current/sql-copy.html)."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text


def _copy(connection: Connection, sql: str, lines: Iterator[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        while chunk := "".join(islice(lines, _CHUNK)):
            copy.write(chunk.encode())
