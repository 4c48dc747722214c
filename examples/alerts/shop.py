"""A sync whose destination can be broken by hand, and a webhook that is told of it.

    export PENSTOCK_APP=shop:app HOOK=http://127.0.0.1:8700/ SECRET='a long random text'
    touch broken                      # the destination refuses everything
    penstock sync shop & penstock worker
    rm broken && penstock sync shop   # it has recovered
"""
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from penstock import Alerts, Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

FOLDER = Path(os.environ.get("SHOP", "."))

app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))
app.alert_webhook(os.environ["HOOK"], secret=os.environ["SECRET"])
app.alert_when(Alerts(calm=timedelta(seconds=5)))


@dataclass
class Article:
    number: str


class Articles(Layer[Article]):
    key = "number"

    def source(self, run) -> Iterator[Article]:
        if (FOLDER / "broken").exists():
            raise OSError("the shelves cannot be read")
        yield Article(run.subject.key)
        return Complete(1)

    def render(self, article, run):
        return {"number": article.number}

    def create(self, changes, run):
        return [Done(change.key) for change in changes]

    update = delete = create


@app.sync("shop", max_concurrent=4, per_account=4)
class Shop(Sync[str]):
    layers = [Articles]

    def subjects(self):
        for number in range(20):
            yield Subject(f"shelf-{number}", account="acme")
