"""The app whose surfaces are measured: tasks of a shop and a sync of its directory. None of it runs: what it left
behind is filled in, and looked at.

`penstock web --app bench.web.shop:app` serves it; the database is the one that PENSTOCK_URL names.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from penstock import Penstock, Quota, Rate, Window
from penstock.sync import Change, Done, Layer, Run, Subject, Sync

SUBJECTS, ACCOUNTS = 2_000, 50


class Kind(NamedTuple):
    """A task: its share of all jobs and that of those that fail, both in thousandths, and what an attempt takes."""

    name: str
    queue: str
    share: int
    failing: int
    took_ms: int


KINDS = (
    Kind("mail.send_receipt", "mail", 180, 4, 60), Kind("mail.send_reminder", "mail", 120, 8, 70),
    Kind("mail.send_digest", "mail", 40, 6, 240), Kind("search.index_product", "search", 160, 1, 25),
    Kind("search.drop_product", "search", 30, 1, 12), Kind("media.make_thumbnail", "media", 90, 12, 480),
    Kind("media.transcode", "media", 12, 40, 32_000), Kind("billing.charge", "billing", 60, 60, 900),
    Kind("billing.refund", "billing", 6, 20, 800), Kind("billing.write_invoice", "billing", 60, 2, 130),
    Kind("crm.push_contact", "crm", 110, 80, 300), Kind("crm.push_order", "crm", 70, 50, 340),
    Kind("reports.daily", "reports", 4, 30, 61_000), Kind("reports.customer", "reports", 18, 25, 9_000),
    Kind("cache.warm", "default", 30, 1, 8), Kind("audit.note", "default", 10, 1, 3),
)
KEYED = "billing.settle_account"

app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///web.db"))
app.limits(Rate(50, per="second", by="crm"), Quota(10_000, per="day", by="mail"), Rate(20, per="second", by="billing"))


def _body(customer: int, order: str) -> None:
    raise AssertionError("expected nobody to run this")


tasks = {kind.name: app.task(name=kind.name, queue=kind.queue)(_body) for kind in KINDS}
settle_account = app.task(name=KEYED, queue="billing", serial="customer")(_body)


@dataclass
class Person:
    employee_id: str
    email: str


@dataclass
class Group:
    group_id: str
    title: str


class _Written(Layer[Any]):
    def source(self, run: Run) -> Iterator[Any]:
        yield from ()

    def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
        raise AssertionError("expected nobody to run this")

    update = delete = create


class People(_Written):
    scope, key = "account", "employee_id"


class Groups(_Written):
    key = "group_id"


@app.sync("directory", max_concurrent=8, window=Window(total=500, headroom=100),
          limits=[Rate(20, per="second", by="account")])
class Directory(Sync[str]):
    layers = [People, Groups]

    def subjects(self) -> Iterator[Subject]:
        for number in range(SUBJECTS):
            yield subject(number)


def subject(number: int) -> Subject:
    """The subject of a number: a group of one of the accounts."""
    return Subject(f"group-{number:04}", account=f"customer-{number % ACCOUNTS:02}", size=50 + number % 400)
