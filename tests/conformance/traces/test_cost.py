"""Traces are stored small: at 1,000 jobs a second they are less than a tenth of what the store writes."""

from typing import Any

import psycopg

from penstock import Penstock, Window
from penstock.observe.recorder import FLUSH_SECONDS
from penstock.observe.trace import QUERIED, active
from tests.clock import Clock

JOBS_PER_SECOND = 1000
NAMES = 10


def written(app: Penstock, url: str) -> int:
    """What a store has written so far: bytes of PostgreSQL's log, rows of SQLite's one writer."""
    if url.startswith("sqlite"):
        store: Any = app.store
        return int(store._writer._connection.total_changes)
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return int(row[0])


def works(number: int) -> None:
    """Of every other job the trace tells of a statement; the others are only counted."""
    trace = active.get()
    assert trace is not None
    if number % 2:
        trace.enter(QUERIED)
        trace.leave(QUERIED)
        trace.statement("select amount from record where client_id = %s and id > %s", "psycopg", "sqlite:///shop.db",
                        1000, 3, (number, 2 * number))


def test_they_cost_less_than_a_tenth_of_the_writes(app: Penstock, clock: Clock, store_url: str):
    """One flush is due for the jobs of ten seconds. It is the dearest there is: all of its rows are new."""
    assert app.recorder is not None
    tasks = [app.task(name=f"t{number}")(works) for number in range(NAMES)]
    jobs = int(JOBS_PER_SECOND * FLUSH_SECONDS)
    app.migrate()
    began = written(app, store_url)
    app.enqueue_many(tasks[number % NAMES].call(number // NAMES) for number in range(jobs))
    app.drain(Window(total=600, headroom=5))
    ran = written(app, store_url)
    app.recorder.flush()
    traced = written(app, store_url)
    assert clock.fetch("select sum(traces) from penstock.trace_totals") == [(jobs,)]
    assert 0 < traced - ran < (ran - began) / 10, (began, ran, traced)
