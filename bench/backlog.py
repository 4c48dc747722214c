"""`bench backlog`: what a million jobs that wait for their time cost everybody else.

Three databases, with none, a tenth and all of the scheduled jobs, take turns. In each a worker process drains jobs that
do nothing, and serves a slow stream of jobs whose lateness is measured; then jobs are cancelled one by one (those that
wait in the backlog, where there is one), and the tag that every waiting job has is invalidated, in turns with a bare
INSERT of one row that is committed. The rows that one invalidation writes are counted by the database: by PostgreSQL's
statistics of every table, and by triggers on every table of SQLite.
"""

import contextlib
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg

from bench.app import declared
from bench.arms import OURS, arm, median, serving
from bench.raw import opened
from bench.report import report
from bench.server import postgres, settle

SLOTS = 20
TAG = "everybody"
_ROUNDS = 9  # a drain takes a second or two, and others share the machine
_EVERY_LATE = 2  # rounds
_RATE = 50
_BLOCK = 20
_TIMES = 1000  # at which the jobs of the backlog are due
_WARM_SECONDS = 1.0
_LEVELS = ("0", "100k", "1m")

Figures = dict[str, float]


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    waiting = (0, 10_000, 100_000) if quick else (0, 100_000, 1_000_000)
    jobs, late, calls = (10_000, 100, 100) if quick else (50_000, 250, 400)
    with contextlib.ExitStack() as stack:
        setting: dict[str, str] = {}
        if store == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-"))
            urls = [f"sqlite:///{folder}/{level}.db" for level in _LEVELS]
        else:
            server = stack.enter_context(postgres())
            urls = [stack.enter_context(server.database()) for _ in _LEVELS]
            setting = server.settings
        for url, count in zip(urls, waiting, strict=True):
            _wait(url, count)
        rates, delays = _served(urls, jobs, late)
        figures = _of_draining(rates, delays) | _of_cancelling(urls, waiting, calls) | _of_invalidating(urls[-1], calls)
    scale = {"waiting_100k": waiting[1], "waiting_1m": waiting[2], "jobs": jobs, "rounds": _ROUNDS}
    report("backlog", scale, figures, {
        "drain_1m_vs_0": (">=", 0.9), "cancel_1m_vs_0": ("<=", 2), "invalidate_rows_written": ("<=", 1),
        "invalidate_vs_commit": ("<=", 2),
    }, store=store, **setting)


def _wait(url: str, count: int) -> None:
    """So many jobs that are due at some time from tomorrow on, each with the tag."""
    with (bench := declared(url)).app:
        bench.app.migrate()
        later = [bench.nothing.using(run_after=timedelta(days=1, seconds=each), tags=(TAG,)) for each in range(_TIMES)]
        bench.app.enqueue_many(later[number % _TIMES].call(number) for number in range(count))


def _served(urls: list[str], jobs: int, late: int) -> tuple[list[list[float]], list[list[float]]]:
    """For each database: the rates of draining by rounds, and how late each job of the slow stream began, in ms."""
    rates: list[list[float]] = [[] for _ in urls]
    delays: list[list[float]] = [[] for _ in urls]
    for number in range(_ROUNDS):
        turns = list(zip(urls, rates, delays, strict=True))
        for url, rate, delay in turns[::-1] if number % 2 else turns:
            arm(OURS, "fill", url, jobs)
            if not url.startswith("sqlite:"):
                settle(url)
            rate.append(jobs / arm(OURS, "drain", url, jobs, SLOTS)["settled_seconds"])
            if number % _EVERY_LATE == 0:
                delay.extend(_late(url, late))
    return rates, delays


def _late(url: str, count: int) -> list[float]:
    with serving(OURS, "work", url, count, SLOTS) as said:
        time.sleep(_WARM_SECONDS)
        arm(OURS, "send", url, count, _RATE)
    return list(said["late_ms"])


def _of_draining(rates: list[list[float]], delays: list[list[float]]) -> Figures:
    figures: Figures = {}
    for level, rate, delay in zip(_LEVELS, rates, delays, strict=True):
        cuts = statistics.quantiles(delay, n=100, method="inclusive")
        figures |= {f"drain_{level}_per_s": round(median(rate)), f"late_{level}_p50_ms": round(cuts[49], 3),
                    f"late_{level}_p99_ms": round(cuts[98], 3)}
    for level in _LEVELS[1:]:
        figures[f"drain_{level}_vs_0"] = round(figures[f"drain_{level}_per_s"] / figures["drain_0_per_s"], 3)
    return figures


def _of_cancelling(urls: list[str], waiting: tuple[int, ...], calls: int) -> Figures:
    """The median of cancelling one job by its id, the databases taking turns."""
    took: list[list[float]] = [[] for _ in urls]
    with contextlib.ExitStack() as stack:
        cancels: list[tuple[Callable[[int], object], list[int]]] = []
        for url, count in zip(urls, waiting, strict=True):
            bench = declared(url)
            stack.enter_context(bench.app)
            # The backlog was enqueued first, so its ids are the lowest; where there is none, so much of one is made.
            ids = random.Random(7).sample(range(1, count + 1), calls) if count else [
                bench.nothing.using(run_after=timedelta(days=1), tags=(TAG,)).enqueue(0).id for _ in range(calls)]
            cancels.append((bench.app.cancel, ids))
        for first in range(0, calls, _BLOCK):
            for (cancel, ids), each in zip(cancels, took, strict=True):
                for id in ids[first:first + _BLOCK]:
                    each.append(_ms(partial(cancel, id)))
    figures: Figures = {f"cancel_{level}_ms": round(median(each), 3) for level, each in zip(_LEVELS, took, strict=True)}
    return figures | {"cancel_1m_vs_0": round(median(took[-1]) / median(took[0]), 3)}


def _of_invalidating(url: str, calls: int) -> Figures:
    """The median of invalidating a tag that every waiting job has, in turns with that of a bare commit."""
    ours: list[float] = []
    bare: list[float] = []
    with _insert(url) as insert, (bench := declared(url)).app:
        for number in range(calls + _BLOCK):
            took = _ms(lambda: bench.app.invalidate(TAG)), _ms(insert)
            if number >= _BLOCK:  # both have connected and prepared
                ours.append(took[0])
                bare.append(took[1])
    return {"invalidate_ms": round(median(ours), 3), "commit_ms": round(median(bare), 3),
            "invalidate_vs_commit": round(median(ours) / median(bare), 3),
            "invalidate_rows_written": (_rows_on_sqlite if url.startswith("sqlite:") else _rows_on_postgres)(url)}


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


@contextlib.contextmanager
def _insert(url: str) -> Iterator[Callable[[], object]]:
    """An INSERT of one row that is durable when it returns, as on every connection of ours."""
    if url.startswith("sqlite:"):
        with contextlib.closing(opened(f"{url.removeprefix('sqlite:///')}-plain")) as file:
            file.execute("create table bare (id integer primary key, number integer)")
            yield lambda: file.execute("insert into bare (number) values (?)", (1,))
        Path(f"{url.removeprefix('sqlite:///')}-plain").unlink()
    else:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("create table bare (id bigint generated always as identity primary key, number bigint)")
            yield lambda: server.execute("insert into bare (number) values (%s)", (1,))


def _invalidate(url: str) -> None:
    with (bench := declared(url)).app:
        bench.app.invalidate(TAG)


def _rows_on_postgres(url: str) -> int:
    """Statistics are told at the latest when a connection ends, and the app's end here."""
    def written() -> int:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_all_tables"
                                     " where schemaname = 'penstock'").fetchone()
        assert row is not None
        return int(row[0])

    def settled() -> int:
        before = written()
        while True:
            time.sleep(1.0)
            now = written()
            if now == before:
                return now
            before = now

    before = settled()
    _invalidate(url)
    return settled() - before


def _rows_on_sqlite(url: str) -> int:
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        tables = [row[0] for row in connection.execute(
            "select name from sqlite_master where type = 'table' and name like 'penstock\\_%' escape '\\'")]
        connection.execute("create table written (n integer)")
        for table in tables:
            for kind in ("insert", "update", "delete"):
                connection.execute(f"create trigger {table}_{kind} after {kind} on {table}"
                                   " begin insert into written values (1); end")
        _invalidate(url)
        return int(connection.execute("select count(*) from written").fetchone()[0])
