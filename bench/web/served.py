"""`penstock web` on the measured app, in a process that counts the statements which it asks of its store.

    python -m bench.web.served --port 8123

For each line that it reads, it writes one of JSON: how many statements there have been by now, and which most often.
"""

import json
import sqlite3
import sys
import threading
from collections import Counter
from typing import Any

import psycopg

_TOLD, _LONGEST = 8, 90


class Counting:
    """Counts what psycopg's cursors and SQLite's connections are asked, from `begin` on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()

    def note(self, asked: object) -> None:
        text = asked.decode() if isinstance(asked, bytes) else str(asked)
        with self._lock:
            self._asked[" ".join(text[:1000].split())[:_LONGEST]] += 1

    def begin(self) -> None:
        """From now on, on every connection that is made."""
        execute, connect = psycopg.Cursor.execute, sqlite3.connect

        def counted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            self.note(query)
            return execute(cursor, query, *arguments, **options)

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(self.note)
            return connection

        psycopg.Cursor.execute = counted  # type: ignore[method-assign, assignment]
        sqlite3.connect = traced  # type: ignore[assignment]

    def told(self) -> dict[str, Any]:
        with self._lock:
            return {"statements": self._asked.total(), "most": dict(self._asked.most_common(_TOLD))}


def main() -> None:
    """Serve until stdin ends or a signal comes; `sys.argv` goes on to `penstock web`."""
    counting = Counting()
    counting.begin()

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps(counting.told()), flush=True)

    threading.Thread(target=answer, daemon=True, name="counting").start()
    from penstock.cli import main as penstock

    sys.argv[1:] = ["--app", "bench.web.shop:app", "web", *sys.argv[1:]]
    penstock()


if __name__ == "__main__":
    main()
