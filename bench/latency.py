"""`bench latency`: a job is enqueued every 20 ms on a system that is idle otherwise; how late does its body begin?

One process enqueues, another works, and both read the monotonic clock, which all processes of a machine share: a job
carries the time at which its enqueuing was called. The arms take turns, each on a database of its own; all its
latencies together give its percentiles. Each peer runs as its documentation advises, with notifications.
"""

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from bench.arms import OURS, arm, serving
from bench.peers.build import peer, version
from bench.report import report
from bench.server import Postgres, postgres

SLOTS = 20  # threads of ours
RATE = 50
_PEERS = ("procrastinate", "pgqueuer", "oban")
_WARM_SECONDS = 1.0  # for a worker that says it is ready while it is still connecting


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    seconds = 5 if quick else 20
    rounds = 2 if quick else 4
    count = RATE * seconds // rounds
    for name in _PEERS:
        peer(name)
    late: dict[str, list[float]] = {name: [] for name in ("ours", *_PEERS)}
    with postgres() as server:
        for _ in range(rounds):
            for name, found in late.items():
                found.extend(_late(server, store, name, count))
        setting = {"store": store} | server.settings
    figures: dict[str, float] = {}
    for name, found in late.items():
        cuts = statistics.quantiles(found, n=100, method="inclusive")
        figures |= {f"{name}_p50_ms": round(cuts[49], 3), f"{name}_p99_ms": round(cuts[98], 3)}
    for cut in ("p50", "p99"):
        best = min(figures[f"{name}_{cut}_ms"] for name in _PEERS)
        figures[f"{cut}_vs_best"] = round(figures[f"ours_{cut}_ms"] / best, 3)
    report("latency", {"jobs": count * rounds, "jobs_per_s": RATE, "rounds": rounds}, figures,
           {"p50_vs_best": ("<=", 1.0), "p99_vs_best": ("<=", 1.0)},
           **setting, **{name: version(name) for name in _PEERS})


def _late(server: Postgres, store: str, name: str, count: int) -> list[float]:
    """One round of one arm: how late each job began, in ms."""
    command = OURS if name == "ours" else peer(name)
    with _database(server, store if name == "ours" else "postgres") as url:
        arm(command, "migrate", url, 0)
        with serving(command, "work", url, count, SLOTS) as said:
            time.sleep(_WARM_SECONDS)
            arm(command, "send", url, count, RATE)
        late = said["late_ms"]
    if len(late) != count:
        raise SystemExit(f"{name}: expected {count} jobs, {len(late)} ran")
    return list(late)


@contextlib.contextmanager
def _database(server: Postgres, store: str) -> Iterator[str]:
    if store == "postgres":
        with server.database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            yield f"sqlite:///{os.path.join(folder, 'jobs.db')}"
