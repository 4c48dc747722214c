"""`bench enqueue`: jobs one by one, each a commit of its own, and 100,000 in one call.

One by one, ours and a bare INSERT of the same row take turns in one process, a hundred at a time, each on a connection
that commits by itself. Both connect anew for every round, since a server process that happens to share a core with the
client answers up to twice as fast as one that does not.

In bulk, ours is `enqueue_many` of a generator of calls; beside it are one bare COPY of the same columns into a plain
table with a primary key, and PgQueuer's bulk enqueue in chunks of its best size. Rows are made within the time in every
arm. On SQLite one transaction of a prepared INSERT stands for the COPY.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator

import psycopg

from bench.app import declared
from bench.arms import OURS, RAW, arm, median
from bench.peers.build import peer, version
from bench.raw import POSTGRES_KEY, SQLITE_KEY, insert_sql, opened, plain_table, row
from bench.report import report
from bench.server import Postgres, postgres, settle

_BLOCK = 100
_ROUNDS = 5
_CONNECTIONS = 10


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it (it has none for SQLite)."""
    singles, bulk = (1_000, 20_000) if quick else (4_000, 100_000)
    peers = ("pgqueuer",) if store == "postgres" else ()
    with contextlib.ExitStack() as stack:
        if store == "sqlite":
            server, setting = None, {"store": store}
        else:
            peer("pgqueuer")
            server = stack.enter_context(postgres())
            setting = {"store": store, **server.settings, "pgqueuer": version("pgqueuer")}
        figures = _ratios("single", _one_by_one(server, singles), ("raw",))
        figures |= _ratios("bulk", _in_bulk(server, bulk, peers), ("copy", *peers))
    bars = {"single_vs_raw": (">=", 0.9), "bulk_vs_copy": (">=", 0.5), "bulk_vs_pgqueuer": (">=", 2)}
    report("enqueue", {"singles": singles, "bulk": bulk, "rounds": _ROUNDS}, figures, bars if server else {}, **setting)


def _ratios(kind: str, rates: dict[str, list[float]], others: Iterable[str]) -> dict[str, float]:
    middle = {name: median(each) for name, each in rates.items()}
    figures: dict[str, float] = {f"{kind}_{name}_per_s": round(each) for name, each in middle.items()}
    return figures | {f"{kind}_vs_{name}": round(middle["ours"] / middle[name], 3) for name in others}


def _one_by_one(server: Postgres | None, count: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(_CONNECTIONS):
        with _url(server) as url, _inserting(url) as insert, (bench := declared(url)).app:
            nothing = bench.nothing
            bench.app.migrate()
            for number in range(_BLOCK):  # connects and prepares, in both
                nothing.enqueue(number)
                insert(number)
            for first in range(0, count // _CONNECTIONS, _BLOCK):
                for name, enqueue in (("ours", nothing.enqueue), ("raw", insert)):
                    began = time.perf_counter()
                    for number in range(first, first + _BLOCK):
                        enqueue(number)
                    rates[name].append(_BLOCK / (time.perf_counter() - began))
    return rates


@contextlib.contextmanager
def _inserting(url: str) -> Iterator[Callable[[int], object]]:
    if url.startswith("sqlite:"):
        connection = opened(url.removeprefix("sqlite:///") + "-plain")
        connection.execute(plain_table(SQLITE_KEY))
        sql = insert_sql("?")
        yield lambda number: connection.execute(sql, row(number)).fetchone()
        connection.close()
    else:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(plain_table(POSTGRES_KEY))
            sql = insert_sql("%s")
            yield lambda number: other.execute(sql, row(number)).fetchone()


def _in_bulk(server: Postgres | None, count: int, peers: Iterable[str]) -> dict[str, list[float]]:
    arms = {"copy": (*RAW, "copy"), "ours": (*OURS, "fill")} | {name: (*peer(name), "fill") for name in peers}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(_ROUNDS):
        for name, command in arms.items():
            with _url(server) as url:
                rates[name].append(count / arm(command, url, count)["seconds"])
    return rates


@contextlib.contextmanager
def _url(server: Postgres | None) -> Iterator[str]:
    """The URL of a database of one's own, with nothing of the one before still being written."""
    if server is None:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            yield f"sqlite:///{folder}/jobs.db"
    else:
        with server.database() as url:
            settle(url)
            yield url
