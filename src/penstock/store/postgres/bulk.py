"""Thousands of jobs in one go: by COPY, which writes whole pages where an INSERT writes rows.

It does what the statements `enqueue` and, without unique keys, `enqueue_keyed` do, with the same parameters, in one
transaction: the numbers of the jobs are drawn first, so that all tables can be filled from here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby
from operator import sub
from typing import Any, NamedTuple

import msgspec

from penstock.domain.lines import Terms
from penstock.store.port import Params, Row
from penstock.store.postgres.arrays import array
from penstock.store.postgres.connection import Connection
from penstock.store.statements import statement

LEAST = 1000
STATEMENTS = frozenset({"enqueue", "enqueue_keyed"})
_CHUNK = 2000
_MINUTE_MS = 60_000
_LIVE = ("copy penstock.live_jobs (id, arguments, task, queue, priority, state, max_attempts, run_at, enqueued_at,"
         " tags, deadline_at) from stdin")
_LIVE_KEYED = _LIVE.replace(")", ", line, also, in_order, terms)")
_READY = "copy penstock.ready_jobs (queue, rank, id, jobs) from stdin"
_PENDING = "copy penstock.pending_jobs (line, rank, id, queue) from stdin"
_NEWS = "copy penstock.line_news (line, freed, rank, most, pace_us, gates) from stdin"
_RUN = 100
"""For how many jobs a ready row stands at most; the statement `cancel` relies on it."""


class _Written(NamedTuple):
    """A shape as it is written: what follows the arguments in a live row, and what precedes the id in a ready one."""

    live: str
    ready: str
    rank: int
    queue: str
    task: str
    state: str


def takes(params: Params) -> bool:
    """Whether these jobs can be copied: none of them may be skipped for its unique key."""
    return not any(params.get("keys", ()))


def enqueue(connection: Connection, params: Params, now: str | None) -> list[Row]:
    """Enqueue the jobs of the statement `enqueue` on a connection in a transaction; return their ids as rows."""

    def run(name: str, given: Params) -> Any:
        return connection.execute(statement(name, "postgres", now=now).sql.encode(), given)

    arguments: list[str] = params["arguments"]
    places: list[int] = params["shape"]
    keys: Sequence[Any] = places
    least, most, at = run("job_range", {"count": len(arguments)}).fetchone()
    ids: Sequence[int] = range(least, most + 1)
    if len(ids) != len(arguments):  # others drew some in between
        ids = [id for (id,) in run("job_numbers", {"count": len(arguments)})]
        keys = list(zip(places, map(sub, ids, count()), strict=False))
    shapes = [_written(shape, at) for shape in msgspec.json.decode(params["shapes"])]
    # What is sent in pieces is written by the server while the next piece is made.
    pieces = [slice(start, start + _CHUNK) for start in range(0, len(ids), _CHUNK)]
    if "lines" in params:
        tails = _tails(params)
        _copy(connection, _LIVE_KEYED, ("".join([
            f"{id}\t{text}\t{shapes[place - 1].live}\t{tail}\n" for id, text, place, tail
            in zip(ids[piece], _escaped_all(arguments[piece]), places[piece], tails[piece], strict=True)
        ]) for piece in pieces))
        _line_up(connection, ids, [shapes[place - 1] for place in places], params)
    else:
        _copy(connection, _LIVE, ("".join([
            f"{id}\t{text}\t{shapes[place - 1].live}\n"
            for id, text, place in zip(ids[piece], _escaped_all(arguments[piece]), places[piece], strict=True)
        ]) for piece in pieces))
    runs = list(_runs(keys))
    _copy(connection, _READY, ["".join([
        f"{shape.ready}\t{ids[start]}\t{jobs}\n" for start, jobs in runs
        if (shape := shapes[places[start] - 1]).state == "available"
    ])])
    of_shape = Counter[int]()
    for start, jobs in runs:
        of_shape[places[start]] += jobs
    for place, jobs in of_shape.items():
        shape = shapes[place - 1]
        run("count_jobs", {"queue": shape.queue, "task": shape.task, "state": shape.state, "jobs": jobs})
    return list(zip(ids, strict=True))


def _tails(params: Params) -> list[str]:
    """What a live row says of the line that its job waits in."""
    return [
        "\\N\t\\N\t\\N\t\\N" if line is None else
        f"{_escaped(line)}\t{_null(also)}\t{'t' if line.startswith('serial:') else 'f'}\t{_escaped(terms)}"
        for line, also, terms in zip(params["lines"], params["alsos"], params["terms"], strict=True)
    ]


def _line_up(connection: Connection, ids: Sequence[int], shapes: Sequence[_Written], params: Params) -> None:
    """The rows of jobs that are due and keyed in their lines, and one news for each line."""
    places: list[str] = []
    firsts: dict[str, tuple[int, str]] = {}
    seconds: dict[str, tuple[int, str]] = {}
    for id, shape, line, also, terms in zip(ids, shapes, params["lines"], params["alsos"], params["terms"],
                                            strict=True):
        if shape.state == "pending":
            places.append(f"{_escaped(line)}\t{shape.rank}\t{id}\t{_escaped(shape.queue)}\n")
            place = shape.rank, terms
            if line not in firsts or place < firsts[line]:
                firsts[line] = place
            if also is not None and (also not in seconds or place < seconds[also]):
                seconds[also] = place
    _copy(connection, _PENDING, ["".join(places)])
    known = {terms: Terms.read(terms) for _, terms in firsts.values()}
    news = [f"{_escaped(line)}\t0\t{rank}\t{_null(known[terms].most)}\t{_null(known[terms].pace_us)}"
            f"\t{_null(known[terms].gates_text)}\n" for line, (rank, terms) in firsts.items()]
    news += [f"{_escaped(also)}\t0\t{rank}\t{_null(Terms.read(terms).also)}\t\\N\t\\N\n"
             for also, (rank, terms) in seconds.items()]
    _copy(connection, _NEWS, ["".join(news)])


def _runs(keys: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Where equal neighbours begin, and how many they are; at most `_RUN` at a time."""
    begin = 0
    for _, same in groupby(keys):
        end = begin + len(list(same))
        for start in range(begin, end, _RUN):
            yield start, min(_RUN, end - start)
        begin = end


def _written(shape: dict[str, Any], now: int) -> _Written:
    run_at = now + shape["delay_ms"] if shape["run_at"] is None else shape["run_at"]
    deadline_at = shape["deadline_at"]
    if deadline_at is None and shape["deadline_ms"] is not None:
        deadline_at = now + shape["deadline_ms"]
    state = "scheduled" if run_at > now else "pending" if shape["keyed"] else "available"
    rank = run_at - shape["priority"] * _MINUTE_MS
    tags = None if shape["tags"] is None else array(shape["tags"])
    columns = (shape["task"], shape["queue"], shape["priority"], state, shape["max_attempts"], run_at, now, tags,
               deadline_at)
    return _Written("\t".join(map(_null, columns)), f"{_escaped(shape['queue'])}\t{rank}", rank, shape["queue"],
                    shape["task"], state)


def _null(value: object) -> str:
    return "\\N" if value is None else _escaped(str(value))


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
