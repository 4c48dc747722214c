"""What can be done without a queue: `python -m bench.raw VERB URL COUNT` prints one line of JSON.

The bare loop claims 100 rows and deletes them, on one connection, until there are none. It runs nothing, decodes
nothing, and keeps no history. Bare enqueuing writes what a durable job has to say of itself into a plain table with
a primary key, as fast as the driver can.
"""

import sqlite3
import sys
import time
from urllib.parse import urlsplit

import psycopg

from bench.tally import say

COLUMNS = ("task", "queue", "priority", "state", "arguments", "attempt", "max_attempts", "run_at", "enqueued_at")

BATCH = 100
_QUEUE = "default"

_POSTGRES_TABLE = """
create table jobs (
    id bigint generated always as identity primary key, queue text not null, priority integer not null default 0,
    state text not null default 'available', arguments text not null
);
create index jobs_available on jobs (queue, priority desc, id) where state = 'available';
"""
_POSTGRES_FILL = "insert into jobs (queue, arguments) select %s, '[' || n || ']' from generate_series(1, %s) as n"
_POSTGRES_CLAIM = f"""
update jobs set state = 'executing' where id in (
    select id from jobs where queue = %s and state = 'available' order by priority desc, id limit {BATCH}
    for update skip locked
) returning id, arguments
"""
_SQLITE_TABLE = """
create table jobs (
    id integer primary key, queue text not null, priority integer not null default 0,
    state text not null default 'available', arguments text not null
);
create index jobs_available on jobs (queue, priority desc, id) where state = 'available';
"""
_SQLITE_CLAIM = f"""
update jobs set state = 'executing' where id in (
    select id from jobs where queue = ? and state = 'available' order by priority desc, id limit {BATCH}
) returning id, arguments
"""


def fill_postgres(url: str, count: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_POSTGRES_TABLE)
        connection.execute(_POSTGRES_FILL, (_QUEUE, count))


def drain_postgres(url: str) -> tuple[int, float]:
    """The number of jobs that were claimed and deleted, and the seconds that it took."""
    with psycopg.connect(url, autocommit=True) as connection:
        done, began = 0, time.perf_counter()
        while rows := connection.execute(_POSTGRES_CLAIM, (_QUEUE,)).fetchall():
            done += connection.execute("delete from jobs where id = any(%s)", ([row[0] for row in rows],)).rowcount
        return done, time.perf_counter() - began


def row(number: int) -> tuple[str | int, ...]:
    """The row of one job, by `COLUMNS`."""
    now = int(time.time() * 1000)
    return "bench.nothing", _QUEUE, 0, "available", f"[{number}]", 0, 20, now, now


def plain_table(kind: str) -> str:
    """A table of such rows whose primary key is of a kind."""
    return f"""create table plain (
        id {kind} primary key, task text not null, queue text not null, priority integer not null,
        state text not null, arguments text not null, attempt integer not null, max_attempts integer not null,
        run_at bigint not null, enqueued_at bigint not null
    )"""


POSTGRES_KEY, SQLITE_KEY = "bigint generated always as identity", "integer"


def copy_postgres(url: str, count: int) -> float:
    """The seconds of one COPY of so many rows."""
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(plain_table(POSTGRES_KEY))
        began = time.perf_counter()
        with cursor.copy(f"copy plain ({', '.join(COLUMNS)}) from stdin") as copy:
            for number in range(count):
                copy.write_row(row(number))
        return time.perf_counter() - began


def insert_sql(mark: str) -> str:
    """The parametrised INSERT of one such row; `mark` is the driver's parameter."""
    marks = ", ".join([mark] * len(COLUMNS))
    return f"insert into plain ({', '.join(COLUMNS)}) values ({marks}) returning id"


def copy_sqlite(path: str, count: int) -> float:
    """The seconds of the nearest thing that SQLite has: all rows in one transaction, by one prepared statement."""
    connection = opened(path)
    connection.execute(plain_table(SQLITE_KEY))
    began = time.perf_counter()
    connection.execute("begin")
    connection.executemany(insert_sql("?").removesuffix(" returning id"), (row(number) for number in range(count)))
    connection.execute("commit")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def opened(path: str) -> sqlite3.Connection:
    """A SQLite database as durable as ours."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    return connection


def fill_sqlite(path: str, count: int) -> None:
    connection = opened(path)
    connection.executescript(_SQLITE_TABLE)
    connection.execute("begin")
    connection.executemany("insert into jobs (queue, arguments) values (?, ?)",
                           ((_QUEUE, f"[{number}]") for number in range(count)))
    connection.execute("commit")
    connection.close()


def drain_sqlite(path: str) -> tuple[int, float]:
    """The same; a claim and a delete are each a transaction of their own, as on PostgreSQL."""
    connection = opened(path)
    marks = ", ".join("?" * BATCH)
    done, began = 0, time.perf_counter()
    while rows := connection.execute(_SQLITE_CLAIM, (_QUEUE,)).fetchall():
        ids = [row[0] for row in rows]
        few = marks if len(ids) == BATCH else ", ".join("?" * len(ids))
        done += connection.execute(f"delete from jobs where id in ({few})", ids).rowcount
    seconds = time.perf_counter() - began
    connection.close()
    return done, seconds


def main() -> None:
    verb, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sqlite = urlsplit(url).scheme == "sqlite"
    path = url.removeprefix("sqlite:///")
    if verb == "fill":
        fill_sqlite(path, count) if sqlite else fill_postgres(url, count)
        say(jobs=count)
    elif verb == "drain":
        done, seconds = drain_sqlite(path) if sqlite else drain_postgres(url)
        if done != count:
            raise SystemExit(f"the bare loop deleted {done} jobs: expected {count}")
        say(jobs=done, settled_seconds=seconds)
    elif verb == "copy":
        say(jobs=count, seconds=copy_sqlite(path, count) if sqlite else copy_postgres(url, count))
    else:
        raise SystemExit(f"{verb}: expected fill, drain or copy")


if __name__ == "__main__":
    main()
