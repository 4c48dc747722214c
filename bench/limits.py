"""`bench limits`: 8 processes of 16 threads call a server under one rate, and two of them are killed on the way.

The server notes by its monotonic clock when each request arrives. From that come the figures: in how many stretches of
a second more arrived than the rate allows, how much of the rate was used, and how many round trips to the store the
processes that lived made for each of their permits. Every statement counts as a round trip, BEGIN and COMMIT too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise

from bench.arms import ROOT
from bench.report import report
from bench.server import Postgres, postgres
from penstock import Penstock

RATE = 200
PROCESSES, THREADS, KILLED = 8, 16, 2
_WARM_SECONDS = 1.0
_CALLER = (sys.executable, "-m", "bench.limited.caller")
_SERVER = (sys.executable, "-m", "bench.limited.arrivals")


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    seconds = 15 if quick else 40
    with postgres() as server, _database(server, store) as url:
        with Penstock(url) as app:
            app.migrate()
        arrivals, trips = _measured(url, seconds)
        settings = dict(server.settings) if store == "postgres" else {}
    times = sorted(at for _, at in arrivals)
    begun = times[0] + _WARM_SECONDS
    steady = [at for at in times if at >= begun]
    survivors = sum(process >= KILLED for process, _ in arrivals)
    figures = {
        "windows_over": windows_over(times, RATE, 1.0),
        "utilisation": round((len(steady) - 1) / (steady[-1] - steady[0]) / RATE, 4),
        "round_trips_per_permit": round(trips / survivors, 4),
        "most_in_a_second": most_in(times, 1.0),
        "longest_gap_ms": round(max(late - early for early, late in pairwise(steady)) * 1000, 1),
        "calls": len(times),
    }
    report("limits", {"processes": PROCESSES, "threads": THREADS, "killed": KILLED, "rate_per_s": RATE,
                      "seconds": seconds},
           figures, {"windows_over": ("<=", 0), "utilisation": (">=", 0.9), "round_trips_per_permit": ("<=", 0.1)},
           store=store, **settings)


def windows_over(times: list[float], most: int, seconds: float) -> int:
    """How many arrivals are the last of a stretch of so many seconds that holds more than `most`."""
    return sum(at - times[place - most] < seconds for place, at in enumerate(times) if place >= most)


def most_in(times: list[float], seconds: float) -> int:
    first = most = 0
    for place, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, place - first + 1)
    return most


def _measured(url: str, seconds: float) -> tuple[list[tuple[int, float]], int]:
    """The arrivals, by process, and the round trips of those that were not killed."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder, contextlib.ExitStack() as stack:
        log = os.path.join(folder, "arrivals")
        server = stack.enter_context(_started(_SERVER, log))
        address = _line(server)
        callers = [stack.enter_context(_started(_CALLER, url, address, number, THREADS, RATE))
                   for number in range(PROCESSES)]
        for caller in callers:
            assert _line(caller) == "ready"
        for caller in callers:
            _say(caller, "go")
        for caller in callers[:KILLED]:
            time.sleep(seconds / (KILLED + 1))
            caller.send_signal(signal.SIGKILL)
        time.sleep(seconds / (KILLED + 1))
        trips = 0
        for caller in callers[KILLED:]:
            _say(caller, "stop")
        for caller in callers[KILLED:]:
            trips += int(json.loads(_line(caller))["round_trips"])
        _say(server, "stop")
        server.wait(30)
        with open(log, encoding="ascii") as file:
            words = [line.split() for line in file]
    return [(int(process), int(at) / 1e9) for process, at in words], trips


@contextlib.contextmanager
def _started(command: tuple[str, ...], *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([*command, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise SystemExit(f"{process.args!r}: expected a word, got none")
    return line


def _say(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


@contextlib.contextmanager
def _database(server: Postgres, store: str) -> Iterator[str]:
    if store == "postgres":
        with server.database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            yield f"sqlite:///{os.path.join(folder, 'limits.db')}"
