"""A clock in the store, which stands still until it is moved: the one SQL expression for the time reads it."""

import sqlite3
from functools import lru_cache
from typing import Any

import psycopg

from penstock.store.statements import Dialect, compile_sql

START_MS = 1_800_000_000_000


@lru_cache
def _compiled(sql: str, dialect: Dialect) -> str:
    return compile_sql(sql, dialect).sql


class Clock:
    """Time as a row. Every connection that compiles its SQL with `expression` sees the same, in every process."""

    def __init__(self, url: str, *, joined: bool = False, through: Any = None) -> None:
        """`joined`: it is there already, made by another process, and goes on from where it is. `through` is somebody
        else's connection to this database, who closes it."""
        self._postgres = not url.startswith("sqlite:")
        self._connection: Any = through
        self._lent = through is not None
        if self._postgres:
            # Prepared at once: tests ask the same again and again, and to plan the view of all jobs takes the longest.
            self._connection = through or psycopg.connect(url, autocommit=True, prepare_threshold=0)
            self.expression = "(select now_ms from public.test_clock)"
        else:
            self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=60)
            self._connection.execute("pragma wal_autocheckpoint = 0")  # ADR 003
            self.expression = "(select now_ms from test_clock)"
        self.passed = 0.0  # seconds since, as a monotonic clock beside it would tell them on any thread
        if joined:
            return
        self._connection.execute("create table if not exists test_clock (now_ms bigint)")
        self._connection.execute("delete from test_clock")
        self._connection.execute(f"insert into test_clock values ({START_MS})")

    def advance(self, seconds: float) -> None:
        """Move time on (or, with a negative number, back)."""
        self._connection.execute(f"update test_clock set now_ms = now_ms + {round(seconds * 1000)}")
        self.passed += round(seconds * 1000) / 1000

    def sleep(self, seconds: float) -> None:
        """Let the time pass that somebody waits for: a millisecond at least, since that is how it is told."""
        self.advance(max(seconds, 0.001))

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the store by any query, in which tables are called `penstock.…` on both databases."""
        text = _compiled(sql, "postgres" if self._postgres else "sqlite")
        return list(self._connection.execute(text, {} if self._postgres else ()).fetchall())

    @property
    def now_ms(self) -> int:
        row = self._connection.execute("select now_ms from test_clock").fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        if not self._lent:
            self._connection.close()
