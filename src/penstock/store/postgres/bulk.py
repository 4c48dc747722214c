"""Thousands of jobs in one go: by COPY, which writes whole pages where an INSERT writes rows.

It does what the statement `enqueue` does, with the same parameters, in one transaction: the numbers of the jobs are
drawn first, so that both tables can be filled from here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.store.port import Params, Row
from penstock.store.postgres.connection import Connection
from penstock.store.postgres.direct import array
from penstock.store.statements import statement

LEAST = 1000
_CHUNK = 2000
_MINUTE_MS = 60_000
_LIVE = ("copy penstock.live_jobs (id, arguments, task, queue, priority, state, max_attempts, run_at, enqueued_at,"
         " tags, deadline_at) from stdin")
_READY = "copy penstock.ready_jobs (queue, rank, id) from stdin"


class _Written(NamedTuple):
    """A shape as it is written: what follows the arguments in a live row, and what precedes the id in a ready one."""

    live: str
    ready: str
    queue: str
    task: str
    state: str


def enqueue(connection: Connection, params: Params, now: str | None) -> list[Row]:
    """Enqueue the jobs of the statement `enqueue` on a connection in a transaction; return their ids as rows."""

    def run(name: str, given: Params) -> Any:
        return connection.execute(statement(name, "postgres", now=now).sql.encode(), given)

    arguments: list[str] = params["arguments"]
    places: list[int] = params["shape"]
    least, scattered, at = run("job_numbers", {"count": len(arguments)}).fetchone()
    ids: Sequence[int] = scattered or range(least, least + len(arguments))
    shapes = [_written(shape, at) for shape in msgspec.json.decode(params["shapes"])]
    chosen = [shapes[place - 1] for place in places]
    # What is sent in pieces is written by the server while the next piece is made.
    pieces = [slice(start, start + _CHUNK) for start in range(0, len(ids), _CHUNK)]
    _copy(connection, _LIVE, ("".join([
        f"{id}\t{text}\t{shape.live}\n"
        for id, text, shape in zip(ids[piece], _escaped_all(arguments[piece]), chosen[piece], strict=True)
    ]) for piece in pieces))
    _copy(connection, _READY, ("".join([
        f"{shape.ready}\t{id}\n"
        for id, shape in zip(ids[piece], chosen[piece], strict=True) if shape.state == "available"
    ]) for piece in pieces))
    for place, jobs in Counter(places).items():
        shape = shapes[place - 1]
        run("count_jobs", {"queue": shape.queue, "task": shape.task, "state": shape.state, "jobs": jobs})
    return [(id,) for id in ids]


def _written(shape: dict[str, Any], now: int) -> _Written:
    run_at = now + shape["delay_ms"] if shape["run_at"] is None else shape["run_at"]
    deadline_at = shape["deadline_at"]
    if deadline_at is None and shape["deadline_ms"] is not None:
        deadline_at = now + shape["deadline_ms"]
    state = "scheduled" if run_at > now else "available"
    tags = None if shape["tags"] is None else array(shape["tags"])
    columns = (shape["task"], shape["queue"], shape["priority"], state, shape["max_attempts"], run_at, now, tags,
               deadline_at)
    return _Written("\t".join("\\N" if value is None else _escaped(str(value)) for value in columns),
                    f"{_escaped(shape['queue'])}\t{run_at - shape['priority'] * _MINUTE_MS}",
                    shape["queue"], shape["task"], state)


def _escaped_all(texts: list[str]) -> list[str]:
    """Values as COPY's text format wants them; looked through together, since few have anything to escape."""
    together = "".join(texts)
    if any(special in together for special in "\\\n\t\r"):
        return [_escaped(text) for text in texts]
    return texts


def _escaped(text: str) -> str:
    """A value as COPY's text format wants it (https://www.postgresql.org/docs/current/sql-copy.html)."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _copy(connection: Connection, sql: str, pieces: Iterable[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        for piece in pieces:
            copy.write(piece.encode())
