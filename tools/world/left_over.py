"""What waits when somebody comes to look: for its time, for a worker, for a place, at a gate, for a person."""

import os
from datetime import timedelta
from pathlib import Path

from penstock import Window
from penstock.cli.demo import source
from tools.world import ads, shop
from tools.world.pressing import press
from tools.world.shop import app


def make(size: float) -> None:
    """Leave it so."""
    app.enqueue_many(shop.send_receipt.call(each, f"person{each}@mail.example")
                     for each in range(60_000, 60_000 + round(900 * size) + 200))
    app.enqueue_many(shop.send_digest.using(run_after=timedelta(minutes=each)).call(each) for each in range(5, 65))
    app.enqueue_many(shop.charge.call(each % 4, each, 900, f"tok_{each:08}") for each in range(70_001, 70_040))
    app.enqueue_many(shop.push_contact.call(each) for each in (911, *range(80_000, 80_030)))
    app.enqueue_many(shop.transcode.call(f"video-{each}.mp4") for each in range(1, 4))
    press(app, "ops", "/queues/pause", queue="reports")
    press(app, "ops", "/periodic/pause", name="hourly-digest")
    app.enqueue_many(shop.daily.call(region) for region in ("north", "south", "east", "west"))
    app.drain(Window(total=30, headroom=1), queues=["crm"], slots=1)
    app.request([{"sync": "directory", "subject": key, "account": account, "priority": place, "reason": "moved house"}
                 for place, (key, account) in enumerate(source.subjects(Path(_hr()))[:4])])
    ads.change("update product set version = version + 1")
    app.request([{"sync": "ads", "subject": each.key, "account": each.account, "priority": 0, "reason": "new prices"}
                 for each in ads.products()])
    app.dispatcher().step()
    app.upkeep().step()
    for name in ("reports.daily", "search.index_product"):
        app.advise(name)
    app.followed()


def _hr() -> str:
    return os.environ["HR_DATABASE"].removeprefix("sqlite:///")
