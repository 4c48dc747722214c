"""The app of the world: the demo's directory, and the tasks of a shop.

The environment says where everything is, as for the demo (HR_DATABASE, PENSTOCK_URL, SCIM_URL), and SHOP_DATABASE where
the shop's tables are. What fails here fails by what it is given, so a day is the same each time.
"""

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import penstock
from penstock import Concurrency, Quota, Rate, RetryPolicy, Secret, current_job
from penstock.cli.demo.directory import Directory, app
from penstock.sync import Throttled

__all__ = ["Directory", "app"]

SHOP = os.environ["SHOP_DATABASE"]
penstock.instrument("sqlite3")
app.database("shop", f"sqlite:///{SHOP}")
app.limits(Rate(50, per="second", by="crm"), Quota(2_000, per="day", by="mail"), Concurrency(4, by="crm"))
THREE = RetryPolicy(max_attempts=3, base_seconds=0)


class CardDeclined(Exception):
    """The bank said no."""


class MailboxUnknown(Exception):
    """Nobody has this address."""


class PrinterOnFire(Exception):
    """It is."""


@app.task(name="mail.send_receipt", queue="mail", retry=THREE)
def send_receipt(order: int, address: str) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        lines = shop.execute("select product_id, price from order_line where order_id = ?", (order,)).fetchall()
    if address.endswith("@old.example"):
        raise MailboxUnknown(f"550 {address}: no such user here")
    _render(lines, 40)


@app.task(name="mail.send_digest", queue="mail")
def send_digest(customer: int) -> None:
    _render([(customer, 1)], 300)


@app.task(name="search.index_product", queue="search")
def index_product(product: int) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        for (line,) in shop.execute("select id from order_line where product_id = ? limit 25", (product,)).fetchall():
            shop.execute("select order_id, price from order_line where id = ?", (line,)).fetchone()


@app.task(name="billing.charge", queue="billing", retry=THREE, serial="customer")
def charge(customer: int, order: int, cents: int, card_token: Annotated[str, Secret]) -> None:
    if order % 23 == 0:
        raise CardDeclined(f"order {order}: insufficient funds")
    time.sleep(0.002)


@app.task(name="crm.push_contact", queue="crm", limits=[Rate(40, per="second", by="crm")])
def push_contact(customer: int) -> None:
    if customer == 911:
        raise Throttled(retry_after=5400)
    time.sleep(0.001)


@app.task(name="reports.daily", queue="reports", timeout=timedelta(minutes=30))
def daily(region: str) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        for status in ("open", "paid", "sent"):
            shop.execute("select id, customer_id, cents from orders where region = ? and status = ? order by placed_at"
                         " limit 200", (region, status)).fetchall()
        rows = shop.execute("select customer_id, sum(cents) from orders where region = ? group by customer_id",
                            (region,)).fetchall()
    if region == "atlantis":
        raise PrinterOnFire("lp0 on fire")
    _render(rows, 2_000)


@app.task(name="media.transcode", queue="media", timeout=timedelta(hours=1))
def transcode(video: str) -> None:
    """It goes on until it is told to stop: there is something to look at while it runs."""
    job = current_job()
    for part in range(36_000):
        job.checkpoint(percent=min(part / 6, 96.0), note=f"{video}: part {part} of 600")
        _wait_for_encoder()


@app.task(name="media.make_thumbnail", queue="media")
def make_thumbnail(video: str) -> None:
    _render([(1, 1)], 50)


def _wait_for_encoder() -> None:
    time.sleep(0.1)


def _render(lines: list[tuple[int, int]], rounds: int) -> str:
    text = "".join(_line(product, cents) for product, cents in lines)
    for _ in range(rounds):
        text = _checked(text)
    return text


def _line(product: int, cents: int) -> str:
    return f"{product:>10} {cents / 100:>10.2f}\n"


def _checked(text: str) -> str:
    return hashlib.blake2b(text.encode()).hexdigest() + text[128:]


app.periodic("daily-report", daily.call("north"), cron="0 6 * * *")
app.periodic("hourly-digest", send_digest.call(1), every=timedelta(hours=1))
