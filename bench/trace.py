"""`bench trace`: what tracing costs, on against off.

Jobs that do nothing are drained by a worker process with tracing on and by one with it off, in turn. Pieces of work of
1,000 statements of 0.2 ms run in one process (`bench.traced`), with instrument and trace and without either, in turn
for each fifty statements, so that what else the machine does meets both alike; sampler and flushes included. Of each
part the quicker quarter counts. What one statement costs (`event_us`) is measured there as well: to enter and leave its
phase, and to add up its rows, time, parameters, position and call site, two frames of a library away.

Beside each stands time on the CPU, which others that share the machine disturb less: of the worker's process
(`noop_cpu_overhead`), and what a statement takes more, with the real instrument's work (`statement_cpu_us`).
"""

import os
import sys

from bench.arms import OURS, arm, median
from bench.drain import SLOTS
from bench.report import report
from bench.server import Postgres, postgres, settle

_ROUNDS, _QUICK_ROUNDS = 7, 3
_PIECES, _QUICK_PIECES = 60, 15
STATEMENTS = 1000
_TRACED = (sys.executable, "-m", "bench.traced")
BARS = {"noop_overhead": ("<=", 0.05), "statements_overhead": ("<=", 0.03), "event_us": ("<=", 1.5)}


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    count, rounds, pieces = (20_000, _QUICK_ROUNDS, _QUICK_PIECES) if quick else (200_000, _ROUNDS, _PIECES)
    with postgres() as server:
        rates = _drained(server, count, rounds)
        with server.database() as url:
            arm(OURS, "migrate", url, 0)
            said = arm(_TRACED, url, STATEMENTS, pieces)
        settings = server.settings
    on, off = median(rates["true"]), median(rates["false"])
    figures = {
        "noop_overhead": round(1 - on / off, 4),
        "statements_overhead": round(said["traced_seconds"] / said["bare_seconds"] - 1, 4),
        "event_us": round(said["event_us"], 3),
        "noop_cpu_overhead": round(median(rates["true_cpu"]) / median(rates["false_cpu"]) - 1, 4),
        "statement_cpu_us": round(said["cpu_us"], 3),
        "on_per_s": round(on), "off_per_s": round(off),
        "statement_ms": round(said["bare_seconds"] / STATEMENTS * 1000, 3),
    }
    scale = {"jobs": count, "slots": SLOTS, "rounds": rounds, "statements": STATEMENTS, "pieces": pieces}
    report("trace", scale, figures, BARS, **settings)


def _drained(server: Postgres, count: int, rounds: int) -> dict[str, list[float]]:
    """Jobs per second by whether they are traced, and the seconds of CPU that the worker took."""
    rates: dict[str, list[float]] = {"true": [], "false": [], "true_cpu": [], "false_cpu": []}
    for number in range(rounds):
        for traces in ("true", "false") if number % 2 else ("false", "true"):
            os.environ["PENSTOCK_TRACES"] = traces  # the arms are processes of their own
            try:
                with server.database() as url:
                    arm(OURS, "fill", url, count)
                    settle(url)
                    said = arm(OURS, "drain", url, count, SLOTS)
                    rates[traces].append(count / said["settled_seconds"])
                    rates[f"{traces}_cpu"].append(said["cpu_seconds"])
            finally:
                del os.environ["PENSTOCK_TRACES"]
    return rates
