"""A process whose threads call the server as often as the limit lets them, and which counts its round trips."""

import http.client
import itertools
import json
import sys
import threading
from typing import Any

import psycopg

from penstock import Penstock, Rate
from penstock.store.sqlite.connection import SQLiteTransaction


def main(url: str, port: str, number: str, threads: str, rate: str) -> None:
    app = Penstock(url)
    app.limits(Rate(int(rate), per="second", by="crm"))
    trips = _counted()
    stopping = threading.Event()
    with app:
        list(app.store.look("now"))
        print("ready", flush=True)
        sys.stdin.readline()
        before = next(trips) + 1
        found = [threading.Thread(target=_call, args=(app, int(port), number, stopping)) for _ in range(int(threads))]
        for each in found:
            each.start()
        sys.stdin.readline()
        stopping.set()
        made = next(trips) - before
        for each in found:
            each.join()
    print(json.dumps({"round_trips": made}), flush=True)


def _call(app: Penstock, port: int, number: str, stopping: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    crm = app.limit("crm")
    while not stopping.is_set():
        with crm:
            connection.request("GET", f"/{number}")
            connection.getresponse().read()
    connection.close()


def _counted() -> "itertools.count[int]":
    """How many statements this process has sent so far: each round trip to PostgreSQL, each statement on SQLite."""
    found = itertools.count()
    execute, run = psycopg.Cursor.execute, SQLiteTransaction._run

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        next(found)
        return execute(self, *given, **named)

    def counted_here(self: Any, *given: Any) -> Any:
        next(found)
        return run(self, *given)

    psycopg.Cursor.execute = counted  # type: ignore[method-assign]
    SQLiteTransaction._run = counted_here  # type: ignore[assignment, method-assign]
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
