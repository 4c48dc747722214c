"""Drives Penstock with features: `python -m bench.featured fill|drain URL COUNT KIND [SLOTS]` prints one line of JSON.

KIND is `plain` (an app that declares no feature), `unused` (one that declares all of them, and runs jobs of the plain
task), or the feature that the jobs use: see `featured`.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.app import QUEUE, Declared, declared
from bench.ours import connect, drain, fill
from bench.tally import say
from penstock import Chunk, Concurrency, Jobs, Rate, Result, Unique, current_job

KEYS = 1_000
BATCH = 1_000
AT_ONCE = 4
_PLENTY = 10_000_000


class Enqueueing:
    """Middleware of which a run meets nothing."""

    def around_enqueue(self, calls: list[Any]) -> Iterator[None]:
        yield


class Surrounding:
    """Middleware that every run goes through, and that does nothing."""

    def around_run(self, attempt: Any) -> Iterator[None]:
        yield


def featured(bench: Declared) -> dict[str, Any]:
    """The same task, that does nothing, once for each feature; `unused` is the plain one among them."""
    app, tally = bench.app, bench.tally
    app.use(Enqueueing())

    @app.task(name="bench.serial", queue=QUEUE, serial="key")
    def serial(key: int) -> None:
        tally.ends()

    @app.task(name="bench.concurrency", queue=QUEUE, concurrency=Concurrency(AT_ONCE, by="key"))
    def concurrency(key: int) -> None:
        tally.ends()

    @app.task(name="bench.limits", queue=QUEUE, limits=[Rate(_PLENTY, per="second")])
    def limits(key: int) -> None:
        tally.ends()

    @app.task(name="bench.unique", queue=QUEUE, unique=Unique())
    def unique(number: int) -> None:
        tally.ends()

    @app.task(name="bench.checkpoints", queue=QUEUE)
    def checkpoints(number: int) -> None:
        current_job().checkpoint(cursor=number)
        tally.ends()

    @app.task(name="bench.results", queue=QUEUE, result=Result())
    def results(number: int) -> int:
        tally.ends()
        return number

    @app.task(name="bench.chunks", queue=QUEUE, chunk=Chunk(size=100))
    def chunks(jobs: Jobs[int]) -> None:
        tally.ends()

    @app.task(name="bench.versions", queue=QUEUE, version=2, upgrade={1: dict})
    def versions(number: int) -> None:
        tally.ends()

    return {"unused": bench.nothing, "serial": serial, "concurrency": concurrency, "limits": limits, "unique": unique,
            "checkpoints": checkpoints, "results": results, "middleware": bench.nothing, "batch": bench.nothing}


def fill_batches(bench: Declared, count: int) -> None:
    """Enqueue jobs that do nothing, so many in each batch."""
    bench.app.migrate()
    connect(bench)
    began = time.perf_counter()
    for first in range(0, count, BATCH):
        bench.app.batch(bench.nothing.call(number) for number in range(first, min(first + BATCH, count)))
    say(jobs=count, seconds=time.perf_counter() - began)


def main() -> None:
    verb, url, count, kind, *rest = sys.argv[1:]
    bench = declared(url, int(count))
    if kind != "plain":
        bench.nothing = featured(bench)[kind]
    if kind == "middleware":
        bench.app.use(Surrounding())
    with bench.app:
        if verb == "fill" and kind == "batch":
            fill_batches(bench, int(count))
        elif verb == "fill":
            fill(bench, int(count), KEYS if kind in ("serial", "concurrency") else None)
        elif verb == "drain":
            drain(bench, int(count), int(rest[0]))
        else:
            raise SystemExit(f"{verb}: expected fill or drain")


if __name__ == "__main__":
    main()
