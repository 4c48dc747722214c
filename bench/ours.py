"""Drives Penstock through its public API: `python -m bench.ours VERB URL COUNT …` prints one line of JSON.

The verbs are those of the peers' drivers, so that every arm is a process of its own that is started in the same way.
"""

import sys
import time

from bench.app import QUEUE, Declared, declared
from bench.pace import paced, serve
from bench.tally import say
from penstock.events import Event, WorkerStopped


def fill(bench: Declared, count: int, values: int | None = None) -> None:
    """Migrate the store, then enqueue jobs that do nothing: in bulk, and timed without the migration.

    Each has another number, or (`values`) one of so many.
    """
    bench.app.migrate()
    connect(bench)
    began = time.perf_counter()
    bench.app.enqueue_many(bench.nothing.call(number if values is None else number % values) for number in range(count))
    say(jobs=count, seconds=time.perf_counter() - began)


def connect(bench: Declared) -> None:
    """Have connections opened and statements known before a clock starts: by a job that no worker looks for."""
    bench.nothing.using(queue="unserved").enqueue(-1)


def fill_waits(bench: Declared, count: int, kind: str, milliseconds: int) -> None:
    task = bench.wait_async if kind == "async" else bench.wait
    bench.app.migrate()
    bench.app.enqueue_many(task.call(milliseconds) for _ in range(count))
    say(jobs=count)


def drain(bench: Declared, count: int, slots: int) -> None:
    """Run what is queued. `settled_seconds` is up to when the worker has stopped, having saved everything."""
    left: list[int] = []

    def heard(event: Event) -> None:
        if isinstance(event, WorkerStopped):
            left.append(event.given_back)

    bench.app.listen(heard)
    worker = bench.app.worker({QUEUE: slots})
    busy = time.process_time()
    worker.start()
    bench.tally.done.wait()
    worker.stop()
    busy = time.process_time() - busy
    settled = time.perf_counter() - bench.tally.began
    if left != [0]:
        raise SystemExit(f"the worker gave back {left} jobs: expected that all {count} were settled")
    say(jobs=count, seconds=bench.tally.seconds, settled_seconds=settled, cpu_seconds=busy)


def work(bench: Declared, slots: int) -> None:
    """Serve until standard input ends, then say how late each job began."""
    worker = bench.app.worker({QUEUE: slots})
    worker.start()
    serve()
    worker.stop()
    say(late_ms=bench.late_ms)


def send(bench: Declared, count: int, rate: float) -> None:
    connect(bench)
    paced(count, rate, bench.stamp.enqueue)
    say(jobs=count)


def main() -> None:
    verb, url, count, *rest = sys.argv[1:]
    bench = declared(url, int(count))
    with bench.app:
        match verb:
            case "fill":
                fill(bench, int(count))
            case "fill-waits":
                fill_waits(bench, int(count), rest[0], int(rest[1]))
            case "drain":
                drain(bench, int(count), int(rest[0]))
            case "work":
                work(bench, int(rest[0]))
            case "send":
                send(bench, int(count), float(rest[0]))
            case "migrate":
                say(made=len(bench.app.migrate()))
            case _:
                raise SystemExit(f"{verb}: expected fill, fill-waits, drain, work, send or migrate")


if __name__ == "__main__":
    main()
