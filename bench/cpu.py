"""`bench cpu`: jobs of 20 ms pure Python, on threads and in processes, with as many slots as there are cores.

The bar is that of two cores. The threads are our own, with the same number of slots: what a task gains by asking for
processes. The arms take turns, and the ratio is that of the medians of one run.
"""

import contextlib
import sys
import tempfile

from bench.arms import arm, median
from bench.computing import loops_of
from bench.report import report
from bench.server import postgres
from penstock.worker.processes import cores

KINDS = ("threads", "processes")
MILLISECONDS = 20
_DRIVER = (sys.executable, "-m", "bench.computing")
_ROUNDS = 3
BARS = {"vs_threads": (">=", 1.7)}


def run(quick: bool, store: str) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    count, slots, loops = 200 if quick else 2_000, cores(), loops_of(MILLISECONDS)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres()) if store == "postgres" else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-"))
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for turn in range(_ROUNDS):
            for kind in KINDS:
                file = contextlib.nullcontext(f"sqlite:///{folder}/{kind}-{turn}.db")
                with server.database() if server else file as url:
                    rates[kind].append(count / arm(_DRIVER, url, count, kind, slots, loops)["seconds"])
        settings = server.settings if server else {}
    figures = {f"{kind}_per_s": round(median(each), 1) for kind, each in rates.items()}
    ratio = round(median(rates["processes"]) / median(rates["threads"]), 3)
    report("cpu", {"jobs": count, "milliseconds": MILLISECONDS, "slots": slots, "rounds": _ROUNDS},
           {**figures, "vs_threads": ratio}, BARS, store=store, **settings)
