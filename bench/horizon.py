"""`bench horizon`: 500 jobs a second while another session holds a snapshot, so that no dead row can be removed.

A worker process and an enqueuer (one by one, each a commit of its own; one job of ten is delayed by a second) run from
a while before the snapshot is taken until after the last window. The worker times every statement that it sends, with
its round trip. The ratios are of the last two windows to the first two: what the worker does may not become slower by
what it has done. Autovacuum is on as it comes; it can do nothing. The curve is printed window by window; in it
`bare_commit` is an INSERT of one row from a process that does nothing else, ten times a second, which tells how busy
the machine was.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from bench.arms import OURS, arm, serving
from bench.report import report
from bench.server import postgres
from bench.timed import DELAY_SECONDS, Timed

SLOTS = 20
_TIMED = (sys.executable, "-m", "bench.timed")
_WARM_SECONDS = 5.0
_BARE_SECONDS = 0.1
_ENDS = 2  # windows at the start, and at the end, that are compared
_TABLES = ("ready_jobs", "live_jobs", "leases", "count_deltas")
_STATEMENTS = ("claim", "settle_completed", "stragglers", "stragglers_new", "stage", "next_due", "rescue_leases",
               "leases_held", "counts_waiting", "counts_fold", "workers_expire",
               "worker_renew_telling")
_DEAD = "select relname, n_dead_tup from pg_stat_user_tables where schemaname = 'penstock' and relname = any (%s)"

Window = dict[str, float]
Curve = list[Window]


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    seconds, windows, rate = (40, 8, 1_000) if quick else (300, 10, 500)
    with postgres() as server:
        with server.database() as url:
            curve, first, last, sent_per_s = _curve(url, seconds, windows, rate)
        setting = server.settings
    _print(curve)
    figures: dict[str, float] = {"sent_per_s": round(sent_per_s, 1)}
    for name in ("claim_p50", "claim_p99", "settle_completed_p99", "late_now_p99", "bare_commit_p99"):
        figures |= {f"{name}_start_ms": round(first[name], 3), f"{name}_end_ms": round(last[name], 3)}
        figures[f"{name}_end_vs_start"] = round(last[name] / first[name], 3)
    figures |= {f"{name}_dead": round(curve[-1][f"{name}_dead"]) for name in _TABLES}
    report("horizon", {"jobs_per_s": rate, "seconds": seconds, "windows": windows}, figures,
           {"claim_p99_end_vs_start": ("<=", 2)}, store="postgres", **setting)


def _curve(url: str, seconds: int, windows: int, rate: int) -> tuple[Curve, Window, Window, float]:
    """What each window saw: how long statements took, how late jobs began, how many rows were dead at its end.

    With it, the same of the first and of the last windows together, and the rate at which jobs were really enqueued.
    """
    arm(OURS, "migrate", url, 0)
    dead: list[dict[str, int]] = []
    bare: list[Timed] = []
    count = round((seconds + 2 * _WARM_SECONDS) * rate)
    with (serving(_TIMED, "work", url, SLOTS) as said, ThreadPoolExecutor(1) as sender,
          psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as looker):
        sent = sender.submit(arm, _TIMED, "send", url, count, rate)
        time.sleep(_WARM_SECONDS)
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("select count(*) from penstock.ready_jobs")
        looker.execute("create table bare (n bigint)")
        began = time.monotonic()
        edges = [began + seconds * number / windows for number in range(windows + 1)]
        for edge in edges[1:]:
            _commit_until(edge, looker, bare)
            dead.append({name: int(rows) for name, rows in looker.execute(_DEAD, (list(_TABLES),)).fetchall()})
        enqueued = sent.result()
        time.sleep(DELAY_SECONDS + 1)
    ran = sum(len(each) for each in said["late"].values())
    if ran != enqueued["jobs"]:
        raise SystemExit(f"horizon: expected that all {enqueued['jobs']} jobs ran, {ran} did")
    said["statements"]["bare_commit"] = bare
    curve = [_window(said, low, high) | {f"{name}_dead": rows for name, rows in counted.items()}
            for low, high, counted in zip(edges, edges[1:], dead, strict=False)]
    first, last = _window(said, edges[0], edges[_ENDS]), _window(said, edges[-1 - _ENDS], edges[-1])
    return curve, first, last, enqueued["jobs"] / enqueued["seconds"]


def _commit_until(edge: float, connection: "psycopg.Connection[tuple[Any, ...]]", bare: list[Timed]) -> None:
    while (now := time.monotonic()) < edge:
        connection.execute("insert into bare values (1)")
        ended = time.monotonic()
        bare.append((ended, (ended - now) * 1000))
        time.sleep(max(min(_BARE_SECONDS, edge - ended), 0))


def _window(said: dict[str, Any], low: float, high: float) -> Window:
    found: Window = {}
    groups = said["statements"] | {f"late_{kind}": each for kind, each in said["late"].items()}
    for name, values in groups.items():
        inside = list(_inside(values, low, high))
        if len(inside) > 1:
            cuts = statistics.quantiles(inside, n=100, method="inclusive")
            found |= {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98], f"{name}_n": len(inside)}
    return found


def _inside(values: list[Timed], low: float, high: float) -> Iterator[float]:
    return (ms for at, ms in values if low <= at < high)


def _print(curve: Curve) -> None:
    table = Table(title="window by window: dead rows at its end; ms as p50 / p99 (times within the window)")
    table.add_column("")
    for number in range(1, len(curve) + 1):
        table.add_column(str(number), justify="right")
    for name in _TABLES:
        table.add_row(f"{name} dead", *(f"{window.get(f'{name}_dead', 0):,.0f}" for window in curve))
    for name in (*_STATEMENTS, "bare_commit", "late_now", "late_urgent", "late_delayed"):
        table.add_row(name, *(_cell(window, name) for window in curve))
    Console(width=40 + 18 * len(curve)).print(table)


def _cell(window: Window, name: str) -> str:
    if f"{name}_p50" not in window:
        return "–"
    return f"{window[f'{name}_p50']:.2f} / {window[f'{name}_p99']:.2f} ({window[f'{name}_n']:.0f})"
