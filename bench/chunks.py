"""`bench chunks`: the jobs of `bench drain`, run one by one, and by a task that receives a hundred of them in a call.

Both arms claim, run and settle as many jobs; each job keeps its own lease, attempt and row of what it came to. The arms
take turns, and the ratio is that of the medians of one run.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.arms import arm, median
from bench.chunked import SIZE
from bench.report import report
from bench.server import postgres, settle

SLOTS = 20
_DRIVER = (sys.executable, "-m", "bench.chunked")
_KINDS = ("plain", "chunks")
_ROUNDS = 5
BARS = {"chunks_vs_drain": (">=", 1.5)}


def run(quick: bool, store: str) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    count = 20_000 if quick else 100_000
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres()) if store == "postgres" else None
        rates: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        busy: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        for _ in range(_ROUNDS):
            for kind in _KINDS:
                with server.database() if server else _file() as url:
                    arm(_DRIVER, "fill", url, count, kind)
                    if server:
                        settle(url)
                    said = arm(_DRIVER, "drain", url, count, kind, SLOTS)
                    rates[kind].append(count / said["settled_seconds"])
                    busy[kind].append(said["cpu_seconds"] * 1e6 / count)
        settings = server.settings if server else {}
    figures: dict[str, int | float] = {f"{kind}_per_s": round(median(each)) for kind, each in rates.items()}
    figures |= {f"{kind}_worker_cpu_us": round(median(each), 2) for kind, each in busy.items()}
    figures["chunks_vs_drain"] = round(figures["chunks_per_s"] / figures["plain_per_s"], 3)
    report("chunks", {"jobs": count, "size": SIZE, "slots": SLOTS, "rounds": _ROUNDS}, figures, BARS, store=store,
           **settings)


@contextlib.contextmanager
def _file() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'jobs.db'}"
