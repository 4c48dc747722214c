"""`bench memory`: what a worker takes, and each further slot of it, while every slot is inside a job that waits.

The worker is the command, `penstock worker`, on PostgreSQL. Its memory is the proportional set size of its processes,
read when every slot is known to be inside. A slot's share is the slope between 100 and 1,000 of them; that of one slot
is the worker itself. Each is measured in a process of its own; of three rounds the median counts.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.arms import ROOT, median
from bench.report import report
from bench.resident import tree, tree_mb
from bench.server import Postgres, postgres
from bench.waiting import INSIDE
from penstock import Penstock

SLOTS = (1, 100, 1000)
_TASKS = {"thread": "wait_here", "async": "wait_on_loop"}
_ROUNDS = 3
_MOST_SECONDS = 120.0
_SETTLED_SECONDS = 1.0  # what start-up left to do is done by then


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it. Only the rounds are fewer when quick."""
    rounds = 1 if quick else _ROUNDS
    with postgres() as server:
        taken = {(kind, slots): median([_taken(server, kind, slots) for _ in range(rounds)])
                 for kind in _TASKS for slots in SLOTS}
        settings = server.settings
    figures = {f"{kind}_{slots}_mb": round(each, 1) for (kind, slots), each in taken.items()}
    report("memory", {"rounds": rounds}, {
        "worker_mb": round(max(taken[kind, 1] for kind in _TASKS), 1),
        "thread_slot_kb": _slot_kb(taken, "thread"),
        "async_slot_kb": _slot_kb(taken, "async"),
    } | figures, {"worker_mb": ("<=", 48), "thread_slot_kb": ("<=", 60), "async_slot_kb": ("<=", 10)}, **settings)


def _slot_kb(taken: dict[tuple[str, int], float], kind: str) -> float:
    _, few, many = SLOTS
    return round((taken[kind, many] - taken[kind, few]) * 1024 / (many - few), 1)


def _taken(server: Postgres, kind: str, slots: int) -> float:
    """MB of a worker with so many slots, each of them inside a job."""
    with server.database() as url, tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        inside = Path(folder) / "inside"
        inside.touch()
        with Penstock(url) as app:
            task = app.task(name=f"bench.{_TASKS[kind]}")(_nothing)
            app.migrate()
            app.enqueue_many(task.call() for _ in range(slots))
        command = [sys.executable, "-m", "penstock.cli", "--app", "bench.waiting:app", "worker", "--quiet", "--queue",
                   f"default={slots}"]
        environment = {**os.environ, "PENSTOCK_URL": url, INSIDE: str(inside)}
        with subprocess.Popen(command, cwd=ROOT, env=environment) as worker:
            try:
                _wait_for(worker, inside, slots)
                time.sleep(_SETTLED_SECONDS)
                if (processes := len(tree(worker.pid))) != 1:
                    raise SystemExit(f"expected a worker of one process, got {processes}")
                return tree_mb(worker.pid)
            finally:
                worker.kill()


def _nothing() -> None:
    """Enqueued here, run elsewhere."""


def _wait_for(worker: "subprocess.Popen[bytes]", inside: Path, slots: int) -> None:
    deadline = time.monotonic() + _MOST_SECONDS
    while (found := inside.stat().st_size) < slots:
        if worker.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"expected {slots} jobs inside a worker, got {found}")
        time.sleep(0.02)
    if found > slots:
        raise SystemExit(f"expected {slots} jobs inside a worker, got {found}")
