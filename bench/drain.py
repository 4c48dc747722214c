"""`bench drain`: jobs that do nothing are waiting, and one worker process runs them all.

Each arm has a database of its own and a process of its own. The clock runs from the first job's beginning, so that
starting up counts for nobody, to the moment when everything is settled: our worker has stopped softly, PgQueuer's
runner has returned, the bare loop has deleted its last row. (Huey deletes a job before it runs it.) The arms take
turns, and of each the median counts, since others share the machine. Ours keeps every job as a finished row.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.arms import OURS, RAW, arm, median
from bench.peers.build import peer
from bench.report import report
from bench.server import Postgres, postgres, settle

SLOTS = 20  # threads of ours
HUEY_THREADS = 1  # measured: every further one makes it slower
_ROUNDS = 3


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    count = 20_000 if quick else 200_000
    if store == "sqlite":
        rates = _on_sqlite(count)
        bars = {"vs_raw": (">=", 0.4), "vs_huey": (">=", 3)}
        server: dict[str, str] = {}
    else:
        with postgres() as running:
            rates = _on_postgres(running, count)
            server = running.settings
        bars = {"vs_raw": (">=", 0.8), "vs_pgqueuer": (">=", 3.5)}
    figures = {f"{name}_per_s": round(median(each)) for name, each in rates.items()}
    ratios = {f"vs_{name}": round(figures["ours_per_s"] / figures[f"{name}_per_s"], 3)
              for name in rates if name != "ours"}
    report("drain", {"jobs": count, "slots": SLOTS, "rounds": _ROUNDS}, {**figures, **ratios}, bars,
           store=store, **server)


def _on_postgres(server: Postgres, count: int) -> dict[str, list[float]]:
    arms = {"raw": (RAW, ()), "ours": (OURS, (SLOTS,)), "pgqueuer": (peer("pgqueuer"), ())}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(_ROUNDS):
        for name, (command, settings) in arms.items():
            with server.database() as url:
                arm(command, "fill", url, count)
                settle(url)
                rates[name].append(count / arm(command, "drain", url, count, *settings)["settled_seconds"])
    return rates


def _on_sqlite(count: int) -> dict[str, list[float]]:
    arms = {"raw": (RAW, ()), "ours": (OURS, (SLOTS,)), "huey": (peer("huey"), (HUEY_THREADS,))}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(_ROUNDS):
        for name, (command, settings) in arms.items():
            with _file() as path:
                url = str(path) if name == "huey" else f"sqlite:///{path}"
                arm(command, "fill", url, count)
                rates[name].append(count / arm(command, "drain", url, count, *settings)["settled_seconds"])
    return rates


@contextlib.contextmanager
def _file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        yield Path(folder) / "jobs.db"
