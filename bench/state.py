"""`bench state`: what a million records cost in the state of their layer, the table and all its indexes.

Keys and remote ids have ten characters, payloads six fields. The state is what the engine wrote in a first run.
"""

import sqlite3
import tempfile

import psycopg

from bench.products import arm
from bench.report import report
from bench.server import postgres, settle

_POSTGRES = """select sum(pg_total_relation_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'penstock' and c.relname like 'state\\_%' and c.relkind = 'r'"""
_PAGES = "select page_count - freelist_count from pragma_page_count(), pragma_freelist_count()"


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    count = 50_000 if quick else 1_000_000
    with postgres() as server, server.database() as url, tempfile.TemporaryDirectory() as folder:
        arm("served", url, count)
        settle(url)
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(_POSTGRES).fetchone()
            assert row is not None
            size = int(row[0])
        with_none = _sqlite(f"{folder}/empty.db", 0)
        lite = _sqlite(f"{folder}/full.db", count) - with_none
    report("state", {"records": count, "fields": 6}, {
        "bytes_per_record": round(size / count, 1), "sqlite_bytes_per_record": round(lite / count, 1),
    }, {"bytes_per_record": ("<=", 200)}, **server.settings)


def _sqlite(path: str, count: int) -> int:
    """The bytes of a store's file after a first run of so many records."""
    arm("served", f"sqlite:///{path}", count)
    with sqlite3.connect(path) as connection:
        (pages,) = connection.execute(_PAGES).fetchone()
        (page,) = connection.execute("pragma page_size").fetchone()
    connection.close()
    return int(pages) * int(page)
