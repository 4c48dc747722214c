"""Fills a store with what a busy shop leaves behind. `python -m bench.web.filling URL JOBS RUNS` does that alone."""

import os
import sys
import time
from collections.abc import Callable

from penstock.queue.control import fold_counts


def fill(jobs: int, runs: int, said: Callable[[str], object] = lambda line: None) -> None:
    """Nine tenths of the jobs have ended, one waits or runs. PENSTOCK_URL has to be set before."""
    from bench.web import advised, finished, living, traced
    from bench.web.shop import app

    app.migrate()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("finished jobs", lambda: finished.finished_jobs(app, jobs * 9 // 10)),
        ("living jobs", lambda: living.living_jobs(jobs // 10)),
        ("finished runs", lambda: finished.finished_runs(app, runs)),
        ("living runs", lambda: living.living_runs(runs)),
        ("records", lambda: living.records(runs * 2)),
        ("limits", living.limits),
        ("traces", traced.traces),
        ("advice", advised.advice),
        ("counters", lambda: fold_counts(app.store)),
    ]
    for name, step in steps:
        began = time.perf_counter()
        step()
        said(f"{name}: {time.perf_counter() - began:.1f} s")
    app.close()


if __name__ == "__main__":
    os.environ["PENSTOCK_URL"] = sys.argv[1]
    fill(int(sys.argv[2]), int(sys.argv[3]), lambda line: print(line, flush=True))
