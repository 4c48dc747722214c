"""`bench diff`: digest and diff a million unchanged records of six fields against state, through the engine.

A run is requested, served by a worker and settled, as in real life; the records come from an iterator. The bare
loop beside it does what cannot be left out (make the record, render, encode, digest, look a page's range up,
compare) with sqlite3, msgspec and blake2b alone. Of three rounds of each arm the quickest counts. Peak memory is the
highest of any round, each in a process that does nothing but such a run.
"""

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from bench.report import report
from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from penstock.sync.runs import RunRow, latest_runs

_PAGE = 1000
_ROUNDS = 3  # of each arm; the quickest counts, since others share the machine


@dataclass(slots=True)
class Product:
    """Six fields."""

    reference: str
    title: str
    price: int
    stock: int
    url: str
    active: bool


_TITLES = [f"Product number {number}" for number in range(1009)]
_URLS = [f"https://example.com/p/{number}" for number in range(1013)]


def products(count: int) -> Iterator[Product]:
    """Cheap to make, since making records is the source's business: only the key is new text each time."""
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
            return [Done(f"r{change.key}") for change in changes]

        update = delete = create

    @app.sync("products")
    class Catalogue(Sync[str]):
        layers = [Products]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="shop")

    return app


def served(folder: Path, count: int) -> tuple[RunRow, float]:
    """Request a run, serve it, and return its row and the seconds from request to settled."""
    import threading

    with declared(f"sqlite:///{folder}/store.db", count) as app:
        settled = threading.Event()
        app.listen(lambda event: settled.set() if type(event).__name__ == "RunSettled" else None)
        worker = app.worker()
        worker.start()
        began = time.perf_counter()
        app.request([{"sync": "products", "subject": "all", "account": "shop", "priority": 0, "reason": "bench"}])
        settled.wait()
        seconds = time.perf_counter() - began
        worker.stop()
        row = latest_runs(app.store, "products", ["all"])[0][0]
    if row.status != "succeeded":
        raise SystemExit(f"the run did not succeed: {row}")
    return row, seconds


def bare(folder: Path, count: int) -> float:
    """Seconds of the loop without an engine, against the very rows that the engine has written."""
    connection = sqlite3.connect(folder / "store.db", isolation_level=None)
    encode = msgspec.json.Encoder(order="sorted").encode
    table = connection.execute("select name from sqlite_master where name like 'penstock_state_%'").fetchone()[0]
    began = time.perf_counter()
    unchanged = 0
    page: list[Product] = []

    def compare() -> int:
        state = dict(connection.execute(f"select key, digest from {table} where scope = ? and key between ? and ?",
                                        ("all", page[0].reference, page[-1].reference)).fetchall())
        return sum(
            state.get(product.reference)
            == blake2b(encode((rendered(product), None, ())), digest_size=16).digest()
            for product in page
        )

    for product in products(count):
        page.append(product)
        if len(page) == _PAGE:
            unchanged += compare()
            page.clear()
    if page:
        unchanged += compare()
    seconds = time.perf_counter() - began
    connection.close()
    if unchanged != count:
        raise SystemExit(f"the bare loop found {unchanged} of {count} unchanged")
    return seconds


def arm(name: str, folder: Path, count: int) -> dict[str, float]:
    """Run one arm in a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-m", "bench.diff", name, str(folder), str(count)], check=True,
                          capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    large = 200_000 if quick else 1_000_000
    small = large // 10
    with tempfile.TemporaryDirectory() as temporary:
        results: dict[int, dict[str, float]] = {}
        for count in (small, large):
            folder = Path(temporary) / str(count)
            folder.mkdir()
            filled = arm("engine", folder, count)
            rounds = [arm("engine", folder, count) for _ in range(_ROUNDS)]
            if any(each["skipped"] != count for each in rounds):
                raise SystemExit(f"expected {count} unchanged records, got {rounds}")
            results[count] = {"fill": filled["seconds"], "seconds": min(each["seconds"] for each in rounds),
                              "peak_mb": max(each["peak_mb"] for each in rounds)}
        alone = {"seconds": min(arm("bare", folder, large)["seconds"] for _ in range(_ROUNDS))}
    engine = results[large]
    rate, bare_rate = round(large / engine["seconds"]), round(large / alone["seconds"])
    report("diff", {"records": large, "fields": 6}, {
        "sqlite_records_per_s": rate,
        "bare_records_per_s": bare_rate,
        "vs_bare": round(rate / bare_rate, 3),
        "creates_per_s": round(large / engine["fill"]),
        "peak_mb": round(engine["peak_mb"], 1),
        "peak_growth_mb": round(engine["peak_mb"] - results[small]["peak_mb"], 1),
    }, {"sqlite_records_per_s": (">=", 150_000), "peak_growth_mb": ("<=", 10)})


def _child() -> None:
    name, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if name == "bare":
        result: dict[str, float] = {"seconds": bare(folder, count)}
    else:
        row, seconds = served(folder, count)
        result = {"seconds": seconds, "skipped": row.skipped, "created": row.created}
    unit = 1 if sys.platform == "darwin" else 1024
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2
    print(json.dumps(result))


if __name__ == "__main__":
    _child()
