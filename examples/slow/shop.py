"""The nightly report of a shop, its purchases with the names of customers: as one writes it first, and mended."""

import os
import sqlite3
import sys

import penstock
from penstock import Penstock

app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))
SHOP = os.path.abspath(os.environ.get("SHOP", "shop.db"))
app.database("shop", f"sqlite:///{SHOP}")
penstock.instrument("sqlite3")


def make(purchases: int = 6000) -> None:
    """The shop's database."""
    with sqlite3.connect(SHOP) as shop:
        shop.execute("create table customer (id integer primary key, name text)")
        shop.execute("create table purchase (id integer primary key, customer_id integer, placed_at text, cents integer)")
        shop.executemany("insert into customer values (?, ?)", ((n, f"Customer {n}") for n in range(500)))
        shop.executemany("insert into purchase values (?, ?, ?, ?)",
                         ((n, n * 7 % 500, f"2026-11-{n * 13 % 28 + 1:02}", n % 9000) for n in range(purchases)))


@penstock.trace("nightly-report", app=app)
def report() -> list[str]:
    lines: list[str] = []
    with sqlite3.connect(SHOP) as shop:
        while page := shop.execute("select customer_id, cents from purchase order by placed_at, id limit 100 offset ?",
                                   (len(lines),)).fetchall():
            for customer, cents in page:
                name, = shop.execute("select name from customer where id = ?", (customer,)).fetchone()
                lines.append(f"{name}: {cents / 100:.2f}")
    return lines


@penstock.trace("nightly-report-mended", app=app)
def report_mended() -> list[str]:
    with sqlite3.connect(SHOP) as shop:
        rows = shop.execute("select name, cents from purchase join customer on customer.id = customer_id"
                            " order by placed_at, purchase.id")
        return [f"{name}: {cents / 100:.2f}" for name, cents in rows]


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    else:
        print(report() == report_mended())
