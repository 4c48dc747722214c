"""A price list in a shop, which here is a folder with a file for each article; and a look before anything is sent.

    export PENSTOCK_APP=prices:app
    penstock plan prices --out plan.json
    penstock sync prices --plan plan.json
"""
import json
import os
from pathlib import Path

from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

FOLDER = Path(os.environ.get("PRICES", "."))
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


class Articles(Layer[dict]):
    key = "sku"

    def source(self, run):
        articles = json.loads((FOLDER / "prices.json").read_text())
        for sku, article in articles.items():
            yield {"sku": sku, **article}
        return Complete(len(articles))

    def render(self, article, run):
        return {"name": article["name"], "cents": article["cents"]}

    def create_one(self, change, run):
        path(change.key).write_text(json.dumps(change.payload))
        return Done(change.key)

    update_one = create_one

    def delete_one(self, change, run):
        path(change.remote_id).unlink(missing_ok=True)
        return Done()

    def find(self, keys, run):
        return {key: key for key in keys if path(key).exists()}

    def fetch(self, remote_ids, run):
        return {id: json.loads(path(id).read_text()) for id in remote_ids if path(id).exists()}


def path(sku):
    (FOLDER / "shop").mkdir(exist_ok=True)
    return FOLDER / "shop" / f"{sku}.json"


@app.sync("prices")
class Prices(Sync[str]):
    layers = [Articles]

    def subjects(self):
        yield Subject("winter", account="shop")
