"""A worker that times every statement it sends to PostgreSQL, and an enqueuer at a steady pace, for `bench horizon`.

`python -m bench.timed work URL SLOTS` serves until standard input ends; `python -m bench.timed send URL COUNT RATE`
enqueues one by one. Nine jobs of ten are for now, one of them in two hundred with a priority; one of ten is delayed.
"""

import itertools
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from bench.app import QUEUE
from bench.pace import paced, serve
from bench.tally import say
from penstock import Penstock
from penstock.store.postgres.store import PostgresTransaction

DELAY_SECONDS = 1.0
_SENDERS = 4
_EVERY_DELAYED = 10
_EVERY_URGENT = 200

Timed = tuple[float, float]  # when it ended by the monotonic clock, and how many ms it took or came late


def _kind(number: int) -> str:
    if number % _EVERY_DELAYED == 0:
        return "delayed"
    return "urgent" if number % _EVERY_URGENT == 1 else "now"


def _declared(url: str, late: dict[str, list[Timed]]) -> tuple[Penstock, Any]:
    app = Penstock(url)

    @app.task(name="bench.due", queue=QUEUE)
    def due(kind: str, due_ns: int) -> None:
        now = time.monotonic_ns()
        late.setdefault(kind, []).append((now / 1e9, (now - due_ns) / 1e6))

    return app, due


def _time_statements(found: dict[str, list[Timed]]) -> None:
    """Time each statement by its name, with its round trip; a claim that found nothing is told apart."""
    send = PostgresTransaction._run

    def timed(self: PostgresTransaction, name: str, params: Mapping[str, Any], layer: str | None) -> Any:
        began = time.monotonic()
        cursor = send(self, name, params, layer)
        ended = time.monotonic()
        if name == "claim" and not cursor.rowcount:
            name = "claim_empty"
        found.setdefault(name, []).append((ended, (ended - began) * 1000))
        return cursor

    PostgresTransaction._run = timed  # type: ignore[method-assign]


def work(url: str, slots: int) -> None:
    """Serve until standard input ends, then say what took how long, and how late each job began."""
    late: dict[str, list[Timed]] = {}
    statements: dict[str, list[Timed]] = {}
    _time_statements(statements)
    app, _ = _declared(url, late)
    with app:
        worker = app.worker({QUEUE: slots})
        worker.start()
        serve()
        worker.stop()
    say(statements=statements, late=late)


def send(url: str, count: int, rate: float) -> None:
    """Enqueue one by one, each a commit of its own, from a few threads, or a slow disk would set the pace."""
    app, due = _declared(url, {})
    with app:
        calls = {"now": due, "urgent": due.using(priority=5),
                 "delayed": due.using(run_after=timedelta(seconds=DELAY_SECONDS))}
        numbers = itertools.count()

        def enqueue(called_ns: int) -> None:
            kind = _kind(next(numbers))
            calls[kind].enqueue(kind, called_ns + (int(DELAY_SECONDS * 1e9) if kind == "delayed" else 0))

        began = time.monotonic()
        with ThreadPoolExecutor(_SENDERS) as pool:
            for sent in [pool.submit(paced, count // _SENDERS, rate / _SENDERS, enqueue) for _ in range(_SENDERS)]:
                sent.result()
    say(jobs=count // _SENDERS * _SENDERS, seconds=time.monotonic() - began)


def main() -> None:
    verb, url, *rest = sys.argv[1:]
    match verb:
        case "work":
            work(url, int(rest[0]))
        case "send":
            send(url, int(rest[0]), float(rest[1]))
        case _:
            raise SystemExit(f"{verb}: expected work or send")


if __name__ == "__main__":
    main()
