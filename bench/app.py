"""The app that benchmarks run: its tasks do nothing, wait, or say how late they are. Only the public API is used.

The database is the one that is given, else the one that PENSTOCK_URL names, so that enqueuers and workers in other
processes declare the same app.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from bench.tally import Tally
from penstock import Penstock

QUEUE = "default"


@dataclass
class Declared:
    """An app with the tasks of benchmarks. `tally` counts what runs in this process; `late_ms` is filled by `stamp`."""

    app: Penstock
    tally: Tally
    nothing: Any = None
    wait: Any = None
    wait_async: Any = None
    stamp: Any = None
    late_ms: list[float] = field(default_factory=list)


def declared(url: str | None = None, total: int = 0, **settings: Any) -> Declared:
    """The app and its tasks; `tally` is done when `total` jobs have ended in this process."""
    bench = Declared(Penstock(url, **settings) if url else Penstock(**settings), Tally(total))
    app, tally = bench.app, bench.tally

    @app.task(name="bench.nothing", queue=QUEUE)
    def nothing(number: int) -> None:
        tally.ends()

    @app.task(name="bench.wait", queue=QUEUE)
    def wait(milliseconds: int) -> None:
        tally.begins()
        time.sleep(milliseconds / 1000)
        tally.ends()

    @app.task(name="bench.wait_async", queue=QUEUE)
    async def wait_async(milliseconds: int) -> None:
        tally.begins()
        await asyncio.sleep(milliseconds / 1000)
        tally.ends()

    @app.task(name="bench.stamp", queue=QUEUE)
    def stamp(called_ns: int) -> None:
        bench.late_ms.append((time.monotonic_ns() - called_ns) / 1e6)
        tally.ends()

    bench.nothing, bench.wait, bench.wait_async, bench.stamp = nothing, wait, wait_async, stamp
    return bench
