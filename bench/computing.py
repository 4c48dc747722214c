"""Drives Penstock with jobs that compute: `python -m bench.computing URL COUNT KIND SLOTS LOOPS` prints a line of JSON.

KIND is `threads` or `processes`; LOOPS says how much each job computes. What is timed is from the enqueue on until the
store has every job as completed, by a worker that has run a job in each slot before.
"""

import sys
import time

from bench.app import QUEUE
from bench.tally import say
from penstock import Penstock

_LOOK_SECONDS = 0.02


def compute(loops: int) -> None:
    """Pure Python, for about a microsecond a loop."""
    total = 0
    for number in range(loops):
        total += number * number % 7


def loops_of(milliseconds: float) -> int:
    """How many loops take so long here, alone: the quickest of some tries."""
    tried = 200_000
    seconds = min(_timed(tried) for _ in range(7))
    return max(round(tried * milliseconds / 1000 / seconds), 1)


def _timed(loops: int) -> float:
    began = time.perf_counter()
    compute(loops)
    return time.perf_counter() - began


def _wait(app: Penstock, count: int) -> None:
    while sum(each.jobs for each in app.counts() if each.state == "completed") < count:
        time.sleep(_LOOK_SECONDS)


def main() -> None:
    url, count, kind, slots, loops = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    app = Penstock(url)
    task = app.task(name="bench.compute", queue=QUEUE, pool="process" if kind == "processes" else None)(compute)
    with app:
        app.migrate()
        worker = app.worker({QUEUE: slots})
        worker.start()
        app.enqueue_many(task.call(loops) for _ in range(slots))
        _wait(app, slots)
        began = time.perf_counter()
        app.enqueue_many(task.call(loops) for _ in range(count))
        _wait(app, slots + count)
        seconds = time.perf_counter() - began
        worker.stop()
        say(jobs=count, seconds=seconds)


if __name__ == "__main__":
    main()
