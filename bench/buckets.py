"""`bench buckets`: a run over a million rows of a PostgreSQL source in which nothing changed.

Beside the engine with buckets are the engine without, which reads, renders and compares every row, and one bare query
that takes an MD5 of every row's columns. Each is timed from its beginning to its end, the engine from request to
settled; of three rounds the quickest counts. The store is SQLite, so that the server has only the source to look after.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from bench.products import run_once
from bench.report import report
from bench.server import postgres
from penstock import Penstock
from penstock.connectors import SQLSource
from penstock.sync import Change, Done, Layer, Run, Subject, Sync

_ROUNDS = 3
_SIZE = 5000
_QUERY = "select reference, title, price, stock, url, active from product"
_TABLE = """create table product (
    reference text primary key, title text not null, price integer not null, stock integer not null, url text not null,
    active boolean not null
)"""
_FILL = """insert into product
select 'p' || lpad(n::text, 9, '0'), 'Product number ' || n %% 1009, n %% 10000, n %% 100,
       'https://example.com/p/' || n %% 1013, n %% 7 <> 0
from generate_series(1, %s) as n"""
_BARE = f"select count(*), bit_xor(('x' || md5(q::text))::bit(128)) from ({_QUERY}) as q"


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    count = 100_000 if quick else 1_000_000
    with postgres() as server, server.database() as url, tempfile.TemporaryDirectory() as folder:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLE)
            connection.execute(_FILL, (count,))
            connection.execute("vacuum analyze product")
            bare = min(_timed(lambda: connection.execute(_BARE).fetchall()) for _ in range(_ROUNDS))
        with _declared(f"sqlite:///{folder}/store.db", url, buckets=_SIZE) as app:
            run_once(app)
            rounds = [run_once(app) for _ in range(_ROUNDS)]
        with _declared(f"sqlite:///{folder}/store.db", url, buckets=None) as app:
            reading = [run_once(app) for _ in range(_ROUNDS)]
    if any(row.skipped != count for row, _ in rounds + reading):
        raise SystemExit(f"expected {count} unchanged records, got {rounds + reading}")
    ours, full = min(seconds for _, seconds in rounds), min(seconds for _, seconds in reading)
    report("buckets", {"rows": count, "fields": 6, "rows_in_a_bucket": _SIZE}, {
        "bare_md5_query_s": round(bare, 3), "buckets_s": round(ours, 3), "full_diff_s": round(full, 3),
        "vs_bare_md5_query": round(ours / bare, 3), "vs_full_diff": round(ours / full, 3),
        "rows_fetched": max(row.read for row, _ in rounds),
    }, {"vs_bare_md5_query": ("<=", 1.3), "vs_full_diff": ("<=", 0.3), "rows_fetched": ("<=", 0)}, **server.settings)


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _declared(store: str, source_url: str, *, buckets: int | None) -> Penstock:
    app = Penstock(store)

    class Products(Layer[dict[str, Any]]):
        key, batch_size = "reference", 10_000
        source = SQLSource(source_url, _QUERY, key="reference", buckets=buckets)

        def render(self, product: dict[str, Any], run: Run) -> dict[str, Any]:
            return product

        def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
            return [Done(f"r{change.key[1:]}") for change in changes]

        update = delete = create

    @app.sync("products")
    class Catalogue(Sync[str]):
        layers = [Products]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="shop")

    return app
