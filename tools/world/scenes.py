"""What does not go well on the world's day, what is done about it, and when."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from penstock.cli.demo import source
from tools.world import ads, shop
from tools.world.pressing import press
from tools.world.shop import SHOP, app

_SCHEMA = """
create table product (id integer primary key, name text not null);
create table orders (id integer primary key, customer_id integer not null, region text not null, status text not null,
                     cents integer not null, placed_at integer not null);
create table order_line (id integer primary key, order_id integer not null, product_id integer not null,
                         price integer not null);
"""


def open_all(orders: int, size: float) -> None:
    """The tables of the shop and of the ads, the same each time."""
    _open_shop(orders)
    ads.open_catalogue(accounts=5 if size >= 1 else 2, keywords=120 if size >= 1 else 30)


def _open_shop(orders: int) -> None:
    """What looks for lines of a product, or orders of a region or a customer, has no index."""
    random = Random(4)
    Path(SHOP).unlink(missing_ok=True)
    with closing(sqlite3.connect(SHOP)) as found, found:
        found.executescript(_SCHEMA)
        found.executemany("insert into product values (?, ?)", ((each, f"Product {each}") for each in range(1, 2001)))
        found.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", (
            (each, random.randrange(1, 900), random.choice(("north", "south", "east", "west")),
             random.choice(("open", "paid", "sent")), random.randrange(500, 90_000), each) for each in range(orders)))
        found.executemany("insert into order_line values (?, ?, ?, ?)", (
            (each, each // 3, random.randrange(1, 2001), random.randrange(100, 9_000)) for each in range(orders * 3)))
        found.execute("create index order_line_order on order_line (order_id)")


def begin_hour(hour: int, size: float) -> None:
    """What somebody does, or spoils, at the beginning of an hour."""
    if hour % 6 == 5:
        shop.daily.using(tags=("atlantis",)).enqueue("atlantis")
        digest = shop.send_digest.using(tags=("newsletter",))
        app.batch([digest.call(customer) for customer in range(20)], then=shop.daily.call("west"))
    match hour:
        case 11:
            ads.change("update product set broken = 1 where key = 'product-13'")
        case 12:
            app.advise("billing.charge")
        case 13:
            _in(SHOP, "create index orders_customer_id_placed_at_idx on orders (customer_id, placed_at)")
            app.followed("billing.charge")
        case 15:
            press(app, "ops", "/syncs/{sync}/pause", sync="ads", account="customer-4")
        case 17:
            press(app, "ops", "/syncs/{sync}/resume", sync="ads", account="customer-4")
            press(app, "support", "/syncs/{sync}/request", sync="ads", subject="product-8", account="customer-4",
                  what="full")
        case 19:
            ads.change("insert into revoked values ('customer-5')")
        case 21:
            _in(_hr(), "update person set email = (select upper(p.email) from person p"
                " where p.rowid = person.rowid + 1) where rowid % 41 = 7")
            _in(_hr(), "update person set name = name || ' MA' where rowid % 29 = 3")
        case 22:
            _in(_hr(), "delete from member where group_id = (select min(group_id) from door_group)"
                " and employee_id in (select employee_id from person where rowid % 2 = 0)")


def begin_minute(minute: int) -> None:
    """The same, in a minute of the last hour."""
    match minute:
        case 8:
            press(app, "deploy", "/queues/pause", queue="search")
        case 11:
            press(app, "deploy", "/queues/resume", queue="search")
        case 26:
            app.enqueue_many(shop.scan.call(f"upload-{each}") for each in range(12))
        case 41:
            shop.push_contact.enqueue(911)


def request_syncs(hour: int) -> None:
    """Ask for what is to be brought up to date in an hour."""
    if hour in (20, 22):
        app.request([{"sync": "directory", "subject": key, "account": account, "priority": 0, "reason": "edited"}
                     for key, account in source.subjects(Path(_hr()))])
    if hour == 21:
        for key, account in source.subjects(Path(_hr())):
            app.request_subject("directory", key, account=account, reason="weekly audit", audit=True)
    if hour % 3 == 2:
        _request_ads(f"prices of {hour}:00")
    if hour == 18:
        ads.change("delete from held where rowid % 301 = 5")
        for each in ads.products():
            if each.key != "product-1":
                app.request_subject("ads", each.key, account=each.account, reason="weekly audit", audit=True)


def request_syncs_at(minute: int) -> bool:
    """The same, in a minute of the last hour; whether it is time to serve them."""
    if minute == 4:
        app.request([{"sync": "directory", "subject": key, "account": account, "priority": 0, "reason": "edited"}
                     for key, account in source.subjects(Path(_hr()))])
    if minute == 18:
        _request_ads("flash sale")
    return minute in (4, 18, 55)


def _request_ads(reason: str) -> None:
    """Prices have changed. One product has more to be advertised each time."""
    ads.change("update product set version = version + 1")
    ads.change("update product set keywords = keywords + 40 where key = 'product-7'")
    app.request([{"sync": "ads", "subject": each.key, "account": each.account, "priority": 0, "reason": reason}
                 for each in ads.products()])


def _in(file: str, sql: str) -> None:
    with closing(sqlite3.connect(file)) as found, found:
        found.execute(sql)


def _hr() -> str:
    return os.environ["HR_DATABASE"].removeprefix("sqlite:///")
