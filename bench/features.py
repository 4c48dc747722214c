"""`bench features`: the jobs of `bench drain`, by an app that declares every feature, and by tasks that use them.

What is declared and not used is to cost nothing. Of what is used, keys and limits cost an admission for each job: with
serial keys every job of a key waits for the one before, so with a thousand keys a thousand jobs at most are under way,
and each round of them goes through the dispatcher. A unique job has a key of its own, a checkpoint is one of each job,
a result the number that the job was given, and a batch has a thousand jobs. The arms take turns, and a ratio is that of
the medians of one run.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.arms import arm, median
from bench.report import report
from bench.server import postgres, settle

KINDS = ("plain", "unused", "serial", "concurrency", "limits", "unique", "checkpoints", "results", "middleware",
         "batch")
SLOTS = 20
_DRIVER = (sys.executable, "-m", "bench.featured")
_ROUNDS = 3
BARS = {"unused_vs_plain": (">=", 0.97), "serial_vs_plain": (">=", 0.3), "concurrency_vs_plain": (">=", 0.3),
        "unique_vs_plain": (">=", 0.6), "results_vs_plain": (">=", 0.5), "batch_vs_plain": (">=", 0.6)}


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    count = 20_000 if quick else 200_000
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres()) if store == "postgres" else None
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(_ROUNDS):
            for kind in KINDS:
                with server.database() if server else _file() as url:
                    arm(_DRIVER, "fill", url, count, kind)
                    if server:
                        settle(url)
                    rates[kind].append(count / arm(_DRIVER, "drain", url, count, kind, SLOTS)["settled_seconds"])
        settings = server.settings if server else {}
    figures = {f"{kind}_per_s": round(median(each)) for kind, each in rates.items()}
    ratios = {f"{kind}_vs_plain": round(figures[f"{kind}_per_s"] / figures["plain_per_s"], 3) for kind in KINDS[1:]}
    report("features", {"jobs": count, "slots": SLOTS, "rounds": _ROUNDS}, {**figures, **ratios}, BARS, store=store,
           **settings)


@contextlib.contextmanager
def _file() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'jobs.db'}"
