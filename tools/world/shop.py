"""The app of the world: the demo's directory, ads (see `tools.world.ads`), and the tasks of a shop.

The environment says where everything is, as for the demo (HR_DATABASE, PENSTOCK_URL, SCIM_URL); SHOP_DATABASE and
ADS_DATABASE are the files of those two. What fails here fails by what it is given, so a day is the same each time.
"""

import hashlib
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Annotated

import penstock
from penstock import Chunk, Concurrency, Jobs, Quota, Rate, RetryPolicy, Secret, current_job
from penstock.cli.demo.directory import Directory, app
from penstock.observe.nesting import phase
from penstock.observe.trace import CALLED
from penstock.sync import Throttled
from tools.world.ads import Ads
from tools.world.passing import pause

__all__ = ["Ads", "Directory", "app"]

SHOP = os.environ["SHOP_DATABASE"]
penstock.instrument("sqlite3")
app.database("shop", f"sqlite:///{SHOP}")
app.limits(Rate(50, per="second", by="crm"), Quota(2_000, per="day", by="sms"), Concurrency(4, by="crm"))
THREE = RetryPolicy(max_attempts=3, base_seconds=0)


class CardDeclined(Exception):
    """The bank said no."""


class MailboxUnknown(Exception):
    """Nobody has this address."""


class PrinterOnFire(Exception):
    """It is."""


class ScannerUnreachable(Exception):
    """Nobody answers where documents are looked through for viruses."""


@app.task(name="mail.send_receipt", queue="mail", retry=THREE)
def send_receipt(order: int, address: str) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        lines = shop.execute("select product_id, price from order_line where order_id = ?", (order,)).fetchall()
    if address.endswith("@old.example"):
        raise MailboxUnknown(f"550 {address}: no such user here")
    _render(lines, 40)
    _call(0.06 + order * 7 % 11 * 0.02)


@app.task(name="mail.send_digest", queue="mail")
def send_digest(customer: int) -> None:
    _render([(customer, 1)], 300)
    _call(0.4 + customer % 5 * 0.1)


@app.task(name="search.index_product", queue="search")
def index_product(product: int) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        for (line,) in shop.execute("select id from order_line where product_id = ? limit 25", (product,)).fetchall():
            shop.execute("select order_id, price from order_line where id = ?", (line,)).fetchone()


@app.task(name="billing.charge", queue="billing", retry=THREE, serial="customer")
def charge(customer: int, order: int, cents: int, card_token: Annotated[str, Secret]) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        shop.execute("select id, cents from orders where customer_id = ? order by placed_at desc limit 5",
                     (customer,)).fetchall()
    _call(0.18 + order % 9 * 0.04)
    if order % 23 == 0:
        raise CardDeclined(f"order {order}: insufficient funds")


@app.task(name="crm.push_contact", queue="crm", limits=[Rate(40, per="second", by="crm")])
def push_contact(customer: int) -> None:
    if customer == 911:
        raise Throttled(retry_after=5400)
    _call(0.09)


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
    pause(0.5 + len(video) % 3 * 0.2 + int(video[-1]) * 0.08)


@app.task(name="events.track", queue="events", chunk=Chunk(size=50, wait=0.2))
def track(events: Jobs[int]) -> None:
    _call(0.12 + 0.002 * len(events))


@app.task(name="exports.part", queue="exports", timeout=timedelta(minutes=10))
def export_part(part: int) -> None:
    with closing(sqlite3.connect(SHOP)) as shop:
        shop.execute("select id, customer_id, cents from orders where id > ? order by id limit 500",
                     (part * 500,)).fetchall()
    for step in range(1, 11):
        current_job().checkpoint(percent=step * 10.0, note=f"part {part}: {step * 50} of 500 rows")
        pause(2.1)


@app.task(name="uploads.scan", queue="uploads", retry=RetryPolicy(max_attempts=2, base_seconds=0))
def scan(upload: str) -> None:
    _call(0.05)
    raise ScannerUnreachable(f"{upload}: scanner:3310 refused the connection")


def _wait_for_encoder() -> None:
    pause(0.1)


def _call(seconds: float) -> None:
    """Somebody else's service answers after a while."""
    with phase(CALLED):
        pause(seconds)


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
app.periodic("stock-levels", track.call(0), every=timedelta(minutes=10), missed="skip")
