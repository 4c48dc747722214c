"""`bench fair`: tenant A has a million keyed jobs waiting; how long does the one of tenant B wait?

A worker process serves both from one queue. Each job sleeps for a millisecond and has the concurrency key of its
tenant, of which as many may run as the worker has slots, so that tenant A alone could keep it busy. While it does,
tenant B enqueues one job after another, at random times; each notes when it began, and its wait is from its enqueue
until then, by one clock.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import report
from bench.server import postgres, settle
from penstock import Concurrency, Penstock

SLOTS = 10
_BLOCK = 10_000
_SECONDS = 60.0


def declared(url: str, began: Path | None = None) -> tuple[Penstock, Any]:
    """The app of both sides; the worker writes when a job of B began."""
    app = Penstock(url)

    @app.task(name="serve", concurrency=Concurrency(SLOTS, by="tenant"))
    def serve(tenant: str, number: int) -> None:
        if tenant == "b" and began is not None:
            (began / str(number)).write_text(str(time.monotonic()))
        time.sleep(0.001)

    return app, serve


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    crowd, times = (50_000, 40) if quick else (1_000_000, 400)
    with postgres() as server, server.database() as url, tempfile.TemporaryDirectory(prefix="penstock-fair-") as folder:
        app, serve = declared(url)
        with app:
            app.migrate()
            for start in range(0, crowd, _BLOCK):
                app.enqueue_many([serve.call("a", number) for number in range(start, start + _BLOCK)])
            settle(url)
            with _worker(url, folder):
                time.sleep(2.0)
                waits = [_wait(serve, Path(folder), number) for number in range(times)]
            left = sum(each.jobs for each in app.counts() if each.state in ("pending", "available"))
        assert left > 0, "the jobs of tenant A were all done before those of tenant B: nothing was measured"
        waits.sort()
        figures = {"b_wait_p99_ms": round(waits[int(len(waits) * 0.99)], 1),
                   "b_wait_p50_ms": round(waits[len(waits) // 2], 1), "left_of_a": left}
        report("fair", {"crowd": crowd, "times": times, "slots": SLOTS}, figures,
               {"b_wait_p99_ms": ("<=", 100)}, **server.settings)


@contextlib.contextmanager
def _worker(url: str, folder: str) -> Any:
    process = subprocess.Popen([sys.executable, "-m", "bench.fair", url, folder], cwd=Path(__file__).parents[1],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(serve: Any, folder: Path, number: int) -> float:
    """The milliseconds for which a job of B waits."""
    time.sleep(random.uniform(0.01, 0.05))
    asked = time.monotonic()
    serve.enqueue("b", number)
    mark = folder / str(number)
    while not mark.exists() or not (text := mark.read_text()):
        assert time.monotonic() - asked < _SECONDS, "a job of tenant B was not begun at all"
        time.sleep(0.002)
    return (float(text) - asked) * 1000


def main() -> None:
    """The worker's side."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    app, _ = declared(sys.argv[1], Path(sys.argv[2]))
    worker = app.worker({"default": SLOTS})
    worker.start()
    print("ready", flush=True)
    while not stop:
        time.sleep(0.05)
    worker.stop()
    app.close()
    os._exit(0)


if __name__ == "__main__":
    main()
