"""Products to sync, and state of them: what `diff` and `state` have in common.

`python -m bench.products VERB URL COUNT` does one thing in a process of its own and prints its figures as JSON. Records
are cheap to make, since making them is the source's business: only the key is new text each time.
"""

import json
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import msgspec

from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from penstock.sync.state.runs import RunRow, latest_runs

_PAGE = 1000
_TITLES = [f"Product number {number}" for number in range(1009)]
_URLS = [f"https://example.com/p/{number}" for number in range(1013)]
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(slots=True)
class Product:
    """Six fields."""

    reference: str
    title: str
    price: int
    stock: int
    url: str
    active: bool


def products(count: int) -> Iterator[Product]:
    for number in range(count):
        yield Product(f"p{number:09}", _TITLES[number % 1009], number % 10_000, number % 100, _URLS[number % 1013],
                      number % 7 != 0)


def rendered(product: Product) -> dict[str, Any]:
    return {"title": product.title, "price": product.price, "stock": product.stock, "url": product.url,
            "active": product.active, "reference": product.reference}


def declared(url: str, count: int) -> Penstock:
    """An app with one sync, whose source is an iterator and whose destination accepts everything."""
    app = Penstock(url)

    class Products(Layer[Product]):
        key, batch_size = "reference", 10_000

        def source(self, run: Run) -> Any:
            yield from products(count)
            return Complete(count)

        def render(self, product: Product, run: Run) -> dict[str, Any]:
            return rendered(product)

        def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
            return [Done(f"r{change.key[1:]}") for change in changes]

        update = delete = create

    @app.sync("products")
    class Catalogue(Sync[str]):
        layers = [Products]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="shop")

    return app


def run_once(app: Penstock, sync: str = "products", subject: str = "all",
             account: str = "shop") -> tuple[RunRow, float]:
    """Request the run of an app's one subject, serve it, and return its row and the seconds from request to settled."""
    settled = threading.Event()
    app.listen(lambda event: settled.set() if type(event).__name__ == "RunSettled" else None)
    worker = app.worker()
    worker.start()
    began = time.perf_counter()
    app.request([{"sync": sync, "subject": subject, "account": account, "priority": 0, "reason": "bench"}])
    settled.wait()
    seconds = time.perf_counter() - began
    worker.stop()
    row = latest_runs(app.store, sync, [subject])[0][0]
    if row.status != "succeeded":
        raise SystemExit(f"the run did not succeed: {row}")
    return row, seconds


def served(url: str, count: int) -> dict[str, float]:
    """What a run did, and the seconds that it took."""
    with declared(url, count) as app:
        app.migrate()
        row, seconds = run_once(app)
    return {"seconds": seconds, "skipped": row.skipped, "created": row.created}


def bare(url: str, count: int) -> dict[str, float]:
    """Seconds of the loop without an engine, against the very rows that the engine has written to SQLite."""
    connection, table = _table(url)
    began = time.perf_counter()
    unchanged = 0
    stream = products(count)
    while page := list(islice(stream, _PAGE)):
        state = dict(connection.execute(f"select key, digest from {table} where scope = ? and key between ? and ?",
                                        ("all", page[0].reference, page[-1].reference)).fetchall())
        unchanged += sum(state.get(product.reference) == _digest(product) for product in page)
    seconds = time.perf_counter() - began
    connection.close()
    if unchanged != count:
        raise SystemExit(f"the bare loop found {unchanged} of {count} unchanged")
    return {"seconds": seconds}


def fill(url: str, count: int) -> dict[str, float]:
    """Write what the engine would have, where to have it do so would take minutes and is not measured."""
    with declared(url, count) as app:
        app.migrate()
    connection, table = _table(url)
    connection.execute("pragma synchronous = off")
    connection.execute("begin")
    connection.executemany(
        f"insert into {table} (scope, key, remote_id, digest, fields, status, changed_at, run_id)"
        " values ('all', ?, ?, ?, zeroblob(27), 'synced', 0, 1)",
        ((each.reference, f"r{each.reference[1:]}", _digest(each)) for each in products(count)))
    connection.execute("commit")
    connection.close()
    return {}


def _digest(product: Product) -> bytes:
    return blake2b(_encode((rendered(product), None, ())), digest_size=16).digest()


def _table(url: str) -> tuple[sqlite3.Connection, str]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    (table,) = connection.execute("select name from sqlite_master where name like 'penstock_state_%'").fetchone()
    return connection, str(table)


def arm(verb: str, url: str, count: int) -> dict[str, float]:
    """One arm in a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-m", "bench.products", verb, url, str(count)], check=True,
                          capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    verb, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    result = {"served": served, "bare": bare, "fill": fill}[verb](url, count)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2}))


if __name__ == "__main__":
    main()
