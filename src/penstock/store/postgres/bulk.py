"""Thousands of jobs in one go: by COPY, which writes whole pages where an INSERT writes rows.

It does what the statements `enqueue` and, without unique keys, `enqueue_keyed` do, with the same parameters, in one
transaction: the numbers of the jobs are drawn first, so that all tables can be filled from here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count, groupby
from operator import sub
from typing import Any, NamedTuple

import msgspec

from penstock.domain.lines import Terms
from penstock.domain.waits import BatchNews, Wait
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
_LIVE_KEYED = _LIVE.replace(")", ", batch, line, also, in_order, terms, awaited, waits)")
_READY = "copy penstock.ready_jobs (queue, rank, id, jobs) from stdin"
_PENDING = "copy penstock.pending_jobs (line, rank, id, queue) from stdin"
_NEWS = "copy penstock.line_news (line, freed, rank, most, pace_us, gates) from stdin"
_WAITS = "copy penstock.job_waits (on_id, job_id, anyway) from stdin"
_ASKED = "copy penstock.wait_news (id, batch, what) from stdin"
_NULL = "\\N"
_NOBODY = f"{_NULL}\t{_NULL}"
_NO_LINE = "\t".join([_NULL] * 6)
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
    batch: int | None
    held: bool


def takes(params: Params) -> bool:
    """Whether these jobs can be copied: none of them may be skipped for its unique key."""
    return not any(params.get("keys", ()))


def enqueue(connection: Connection, params: Params, now: str | None) -> list[Row]:
    """Enqueue the jobs of the statement `enqueue` on a connection in a transaction; return their ids as rows."""

    def run(name: str, given: Params) -> Any:
        return connection.execute(statement(name, "postgres", now=now).sql.encode(), given)

    arguments: list[str] = params["arguments"]
    places: list[int] = params["shape"]
    given = params.get("ids")
    least, most, at = run("job_range", {"count": 0 if given else len(arguments)}).fetchone()
    ids: Sequence[int] = given or range(least, most + 1)
    if len(ids) != len(arguments):  # others drew some in between
        ids = [id for (id,) in run("job_numbers", {"count": len(arguments)})]
    given_shapes = msgspec.json.decode(params["shapes"])
    shapes = [_written(shape, at, general="lines" in params) for shape in given_shapes]
    waits = [wait for wait in msgspec.json.decode(params.get("waits", "[]"), type=list[Wait])
             if wait.on_place != wait.place]
    news = msgspec.json.decode(params.get("batches", "[]"), type=list[BatchNews])
    if waits:
        # Those that wait have shapes of their own.
        shapes += [_written(shape, at, general=True, held=True) for shape in given_shapes]
        held = {wait.place for wait in waits}
        places = [place + len(given_shapes) if position in held else place
                  for position, place in enumerate(places, start=1)]
    keys: Sequence[Any] = places
    if not isinstance(ids, range):
        keys = list(zip(places, map(sub, ids, count()), strict=False))
    # What is sent in pieces is written by the server while the next piece is made.
    pieces = [slice(start, start + _CHUNK) for start in range(0, len(ids), _CHUNK)]
    if "lines" in params:
        tails = _tails(params)
        if waits:
            _wait(connection, ids, waits, tails, {each.id for each in news})
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
        if shape.batch is not None:
            run("batch_told", {"batch": shape.batch, "what": "added", "jobs": jobs})
    for each in news:
        run("batch_told", {"batch": each.id, "what": each.what, "jobs": 1})
    return list(zip(ids, strict=True))


def _tails(params: Params) -> list[str]:
    """What a live row says of the line that its job waits in, and that it waits for nobody, nor anybody for it."""
    return [
        _NO_LINE if line is None else
        f"{_escaped(line)}\t{_null(also)}\t{'t' if line.startswith('serial:') else 'f'}\t{_escaped(terms)}\t\\N\t\\N"
        for line, also, terms in zip(params["lines"], params["alsos"], params["terms"], strict=True)
    ]


def _wait(connection: Connection, ids: Sequence[int], waits: Sequence[Wait], tails: list[str],
          told: Collection[int]) -> None:
    """The rows of what waits for what, news for whatever is not among these jobs, nor `told` of; and it is said in the
    tails of those that wait, and are waited for."""
    pairs = {(wait.place, wait.on_id or ids[(wait.on_place or 0) - 1]): wait for wait in waits}
    _copy(connection, _WAITS, ["".join([
        f"{on_id}\t{ids[place - 1]}\t{'t' if wait.anyway else 'f'}\n" for (place, on_id), wait in pairs.items()
    ])])
    asked = {wait.on_id for wait in waits if wait.on_id is not None and wait.on_id not in told}
    _copy(connection, _ASKED, ["".join([f"{id}\tf\tasked\n" for id in asked])])
    counted = Counter(place for place, _ in pairs)
    awaited = {wait.on_place for wait in pairs.values()}
    for place in counted.keys() | awaited:
        if place is not None:
            said = f"{'t' if place in awaited else _NULL}\t{counted[place] or _NULL}"
            tails[place - 1] = f"{tails[place - 1].removesuffix(_NOBODY)}{said}"


def _line_up(connection: Connection, ids: Sequence[int], shapes: Sequence[_Written], params: Params) -> None:
    """The rows of jobs that are due and keyed in their lines, and one news for each line."""
    places: list[str] = []
    firsts: dict[str, tuple[int, str]] = {}
    seconds: dict[str, tuple[int, str]] = {}
    for id, shape, line, also, terms in zip(ids, shapes, params["lines"], params["alsos"], params["terms"],
                                            strict=True):
        if shape.state == "pending" and not shape.held:
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


def _written(shape: dict[str, Any], now: int, *, general: bool, held: bool = False) -> _Written:
    run_at = now + shape["delay_ms"] if shape["run_at"] is None else shape["run_at"]
    deadline_at = shape["deadline_at"]
    if deadline_at is None and shape["deadline_ms"] is not None:
        deadline_at = now + shape["deadline_ms"]
    state = "pending" if held else "scheduled" if run_at > now else "pending" if shape["keyed"] else "available"
    rank = run_at - shape["priority"] * _MINUTE_MS
    tags = None if shape["tags"] is None else array(shape["tags"])
    columns = (shape["task"], shape["queue"], shape["priority"], state, shape["max_attempts"], run_at, now, tags,
               deadline_at, *((shape["batch"],) if general else ()))
    return _Written("\t".join(map(_null, columns)), f"{_escaped(shape['queue'])}\t{rank}", rank, shape["queue"],
                    shape["task"], state, shape["batch"], held)


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
