"""`bench wal`: how much PostgreSQL writes to its log for a job that does nothing, from enqueue to settled.

The log's position is read before the first job is enqueued and after the worker has stopped, so heartbeats, upkeep and
the server's own work in between count too. A checkpoint goes before, after which the first touch of each page is
logged as a whole page. Jobs are enqueued in one call, or one by one; the dearer of the two has to hold the bar.
"""

import psycopg

from bench.app import declared
from bench.arms import OURS, arm
from bench.drain import SLOTS
from bench.report import report
from bench.server import Postgres, postgres, settle

_ROUNDS = 2


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it. With fewer jobs whole pages weigh more."""
    count = 5_000 if quick else 20_000
    written: dict[str, list[tuple[float, float]]] = {"bulk": [], "single": []}
    with postgres() as server:
        for _ in range(_ROUNDS):
            for way, each in written.items():
                each.append(_written(server, way, count))
        settings = server.settings
    figures: dict[str, float] = {}
    for way, each in written.items():
        enqueued, ran = max(each, key=sum)
        figures |= {f"{way}_wal_bytes_per_job": round(enqueued + ran), f"{way}_enqueue_bytes": round(enqueued),
                    f"{way}_run_bytes": round(ran)}
    worst = max(figures[f"{way}_wal_bytes_per_job"] for way in written)
    report("wal", {"jobs": count, "slots": SLOTS, "rounds": _ROUNDS}, {"wal_bytes_per_job": worst, **figures},
           {"wal_bytes_per_job": ("<=", 2048)}, **settings)


def _written(server: Postgres, way: str, count: int) -> tuple[float, float]:
    """Bytes of the log for each job: for its enqueue, and for its claim, its run and its end."""
    with server.database() as url:
        with (bench := declared(url)).app:
            bench.app.migrate()
            settle(url)
            before = _position(url)
            if way == "bulk":
                bench.app.enqueue_many(bench.nothing.call(number) for number in range(count))
            else:
                for number in range(count):
                    bench.nothing.enqueue(number)
        enqueued = _position(url)
        arm(OURS, "drain", url, count, SLOTS)
        settled = _position(url)
        with psycopg.connect(url) as connection:
            row = connection.execute("select count(*) from penstock.jobs where state = 'completed'").fetchone()
        if row != (count,):
            raise SystemExit(f"expected {count} jobs completed, got {row}")
        return (enqueued - before) / count, (settled - enqueued) / count


def _position(url: str) -> int:
    """Where the log ends, in bytes."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").fetchone()
    assert row is not None
    return int(row[0])
