"""`python -m bench.traced URL STATEMENTS ROUNDS`: statements with and without a trace, in turn, in this process."""

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import psycopg

import penstock
from bench.tally import say
from penstock import Penstock
from penstock.observe import trace as tracing
from penstock.observe.nesting import Nested
from penstock.observe.trace import QUERIED, Trace, active

_STATEMENT_SECONDS = 0.0002
_SQL = "select count(*) from generate_series(1, %s)"
PARTS = 20
_EVENTS, _BATCHES = 20_000, 15
_INSTRUMENT = """
def outer(trace_of, text, parameters):
    return inner(trace_of, text, parameters)

def inner(trace_of, text, parameters):
    trace = trace_of.get()
    if trace is None:
        return
    began = trace.enter(QUERIED)
    took = trace.leave(QUERIED) - began
    trace.statement(text, "psycopg", "postgresql://localhost:5432/bench", took, 1, parameters)
"""


def statements(connection: "psycopg.Connection[Any]", count: int, length: int) -> float:
    """The seconds that so many statements take."""
    began = time.perf_counter()
    for number in range(count):
        connection.execute(_SQL, (length + number % 2,)).fetchone()
    return time.perf_counter() - began


def long_enough(connection: "psycopg.Connection[Any]", length: int) -> int:
    """How long a series takes 0.2 ms in all, as fast as the machine is now; found from what was long enough before."""
    for _ in range(3):
        took = min(statements(connection, 25, length) for _ in range(4)) / 25
        length = max(round(length * min(max(_STATEMENT_SECONDS / took, 0.5), 2.0)), 1)
    return length


def pieces(app: Penstock, url: str, count: int, rounds: int) -> tuple[list[list[float]], list[list[float]], float]:
    """For each round the seconds of the parts of one piece of work, first without traces and then with one; then what a
    statement takes more with one on the CPU, in microseconds.

    Part by part the two take turns, and the trace is of its own parts alone: what else the machine does meets both.
    """
    bare: list[list[float]] = []
    traced: list[list[float]] = []
    busy: list[tuple[float, float]] = []
    assert app.recorder is not None
    with psycopg.connect(url, autocommit=True) as connection:
        length = long_enough(connection, 1000)
        for _ in range(rounds):
            length = long_enough(connection, length)
            trace = Nested("trace", "bench.traced", app.recorder)
            times: dict[bool, list[float]] = {False: [], True: []}
            cpu = {False: 0.0, True: 0.0}
            for number in range(PARTS):
                for on in (True, False) if number % 2 else (False, True):
                    (penstock.instrument if on else penstock.uninstrument)("psycopg")
                    with trace.part() if on else nullcontext():
                        began = time.process_time()
                        times[on].append(statements(connection, count // PARTS, length))
                        cpu[on] += time.process_time() - began
            trace.end()
            bare.append(times[False])
            traced.append(times[True])
            busy.append((cpu[False], cpu[True]))
    penstock.uninstrument()
    return bare, traced, (quicker(on for _, on in busy) - quicker(off for off, _ in busy)) / count * 1e6


def quick_piece(rounds: list[list[float]]) -> float:
    """The seconds of a piece of work of which each part is as quick as a quarter of them are."""
    return sum(quicker(part) for part in zip(*rounds, strict=True))


def quicker(times: Iterable[float]) -> float:
    """What a quarter of them do not exceed: others share the machine, and what they cost is not ours."""
    return statistics.quantiles(times, n=4)[0]


def event_us() -> float:
    """What one statement costs that takes no time, of the quicker batches."""
    library: dict[str, Any] = {"QUERIED": QUERIED}
    exec(compile(_INSTRUMENT, tracing.__file__, "exec"), library)  # a file that is no user's
    tell: Callable[..., None] = library["outer"]

    def batch() -> float:
        began = time.perf_counter_ns()
        for number in range(_EVENTS):
            tell(active, _SQL, (number,))
        return (time.perf_counter_ns() - began) / _EVENTS / 1000

    costs = []
    for _ in range(_BATCHES):
        bare = batch()
        token = active.set(Trace("trace", "bench"))
        costs.append(batch() - bare)
        active.reset(token)
    return quicker(costs)


def main() -> None:
    url, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Penstock(url) as app:
        bare, traced, cpu_us = pieces(app, url, count, rounds)
    say(bare_seconds=quick_piece(bare), traced_seconds=quick_piece(traced), cpu_us=cpu_us, event_us=event_us())


if __name__ == "__main__":
    main()
