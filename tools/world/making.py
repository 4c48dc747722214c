"""Makes the world's day: `python -m tools.world.making ORDERS HOURS`, in the environment that `tools.world.shop` reads.

The store's clock begins so many hours ago and is moved on, hour by hour; what is due is served in between, for real. At
the end the store goes by its own clock again, and what was asked for last waits.
"""

import os
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

from penstock import Window
from penstock.cli.demo import source
from penstock.testing import FakeClock
from tools.world import shop
from tools.world.shop import SHOP, app

_STEP = 4
_SCHEMA = """
create table product (id integer primary key, name text not null);
create table orders (id integer primary key, customer_id integer not null, region text not null, status text not null,
                     cents integer not null, placed_at integer not null);
create table order_line (id integer primary key, order_id integer not null, product_id integer not null,
                         price integer not null);
"""


def main() -> None:
    orders, hours = int(sys.argv[1]), int(sys.argv[2])
    _open_shop(orders)
    app.migrate()
    with FakeClock(app) as clock:
        clock.run()
        clock.advance(timedelta(hours=-hours))
        for hour in range(24 - hours, 24):
            _hour(hour)
            _serve()
            if hour < 23:
                clock.advance(timedelta(hours=1))
        for step in range(60 // _STEP):
            clock.advance(timedelta(minutes=_STEP))
            _few(step)
            _serve()
    _left_over()
    app.close()


def _open_shop(orders: int) -> None:
    """The shop's tables, the same each time. What looks for lines of a product, or orders of a region, has no index."""
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


def _few(step: int) -> None:
    """What is asked for within some minutes."""
    first = 40_000 + step * 40
    app.enqueue_many(shop.send_receipt.call(each, f"person{each}@{'old' if each % 19 == 0 else 'mail'}.example")
                     for each in range(first, first + 8 + step * 7 % 22))
    app.enqueue_many(shop.index_product.call(1 + each % 2000) for each in range(first, first + step * 5 % 9))


def _hour(hour: int) -> None:
    """What is asked for in an hour: more by day than by night."""
    random = Random(hour)
    many = 20 + round(60 * max(0.0, 1 - abs(hour - 14) / 9))
    first = hour * 500
    app.enqueue_many(shop.send_receipt.using(tags=(f"customer:{each % 90}",)).call(
        each, f"person{each}@{'old' if each % 19 == 0 else 'mail'}.example") for each in range(first, first + many))
    app.enqueue_many(shop.index_product.call(random.randrange(1, 2001)) for _ in range(many // 2))
    app.enqueue_many(shop.charge.call(each % 40, each, 100 + each, f"tok_{each:08}")

                     for each in range(first, first + 15))
    app.enqueue_many(shop.push_contact.call(each) for each in range(first, first + many // 4))
    app.enqueue_many(shop.daily.call(region) for region in ("north", "south"))
    app.enqueue_many(shop.make_thumbnail.call(f"video-{each}") for each in range(first, first + 6))
    if hour % 6 == 5:
        shop.daily.using(tags=("atlantis",)).enqueue("atlantis")
        digest = shop.send_digest.using(tags=("newsletter",))
        app.batch([digest.call(customer) for customer in range(20)], then=shop.daily.call("west"))
    if hour == 21:
        _spoil("update person set email = (select upper(p.email) from person p where p.rowid = person.rowid + 1)"
               " where rowid % 41 = 7")
        _spoil("update person set name = name || ' MA' where rowid % 29 = 3")
    if hour == 22:
        _spoil("delete from member where group_id = (select min(group_id) from door_group)"
               " and employee_id in (select employee_id from person where rowid % 2 = 0)")
    if hour in (20, 22, 23):
        app.request([{"sync": "directory", "subject": key, "account": account, "priority": 0, "reason": "edited"}
                     for key, account in source.subjects(Path(_hr()))])


def _spoil(sql: str) -> None:
    with closing(sqlite3.connect(_hr())) as hr, hr:
        hr.execute(sql)


def _hr() -> str:
    return os.environ["HR_DATABASE"].removeprefix("sqlite:///")


def _serve() -> None:
    app.drain(Window(total=120, headroom=1), slots=3)
    if app.recorder is not None:
        app.recorder.flush()


def _left_over() -> None:
    """What waits when somebody comes to look: for its time, for a worker, for a place, at a gate, for a person."""
    app.enqueue_many(shop.send_receipt.call(each, f"person{each}@mail.example") for each in range(60_000, 60_240))
    app.enqueue_many(shop.send_digest.using(run_after=timedelta(minutes=each)).call(each) for each in range(5, 65))
    app.enqueue_many(shop.charge.call(each % 4, each, 900, f"tok_{each:08}") for each in range(70_001, 70_040))
    app.enqueue_many(shop.push_contact.call(each) for each in (911, *range(80_000, 80_030)))
    app.enqueue_many(shop.transcode.call(f"video-{each}.mp4") for each in range(1, 4))
    app.pause("reports")
    app.pause_periodic("hourly-digest")
    app.enqueue_many(shop.daily.call(region) for region in ("north", "south", "east", "west"))
    app.drain(Window(total=30, headroom=1), queues=["crm"], slots=1)
    app.request([{"sync": "directory", "subject": key, "account": account, "priority": place, "reason": "moved house"}
                 for place, (key, account) in enumerate(source.subjects(Path(_hr()))[:4])])
    app.dispatcher().step()
    app.upkeep().step()
    for name in ("reports.daily", "search.index_product"):
        app.advise(name)


if __name__ == "__main__":
    main()
