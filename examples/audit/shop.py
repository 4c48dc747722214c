"""Goods into a shop that somebody has used before, and in which somebody changes things by hand; both are JSON files.

    export PENSTOCK_APP=shop:app
    penstock sync shop
    penstock audit shop
    penstock audit shop --repair
"""
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

FOLDER = Path(os.environ.get("SHOP", "."))
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Article:
    number: str
    title: str
    price: int


class Articles(Layer[Article]):
    key, match = "number", "title"

    def source(self, run):
        articles = [Article(**each) for each in json.loads((FOLDER / "goods.json").read_text())]
        yield from articles
        return Complete(len(articles))

    def render(self, article, run):
        return {"title": article.title, "price": article.price}

    def create_one(self, change, run):
        return self.put(f"s{max((int(id[1:]) for id in shop()), default=0) + 1}", change.payload)

    def update_one(self, change, run):
        return self.put(change.remote_id, change.payload)

    def delete_one(self, change, run):
        save({id: held for id, held in shop().items() if id != change.remote_id})
        return Done()

    def put(self, remote_id, article):
        article = {**article, "title": article["title"].capitalize()}      # the shop's own way to write titles
        save({**shop(), remote_id: article})
        return Done(remote_id, answered=article)                           # so an audit knows that it does

    def read(self, run):
        held = shop()
        yield [(remote_id, article["title"], article) for remote_id, article in held.items()]
        return Complete(len(held))


def shop():
    path = FOLDER / "shop.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(articles) -> None:
    (FOLDER / "shop.json").write_text(json.dumps(articles, indent=1))


@app.sync("shop", audit_every=timedelta(days=7))
class Shop(Sync[str]):
    layers = [Articles]

    def subjects(self):
        yield Subject("all", account="shop")
