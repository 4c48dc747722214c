"""A stock of goods, kept in step with a web shop; the table tells what changed, so that little is read.

    export PENSTOCK_APP=stock:app
    penstock sync stock
"""
import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

FOLDER = Path(os.environ.get("STOCK", "."))
LATENCY = float(os.environ.get("LATENCY", "0"))      # of the shop, in seconds a call
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


def rows(query, *values):
    with closing(sqlite3.connect(FOLDER / "stock.db")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


class Goods(Layer[dict]):
    key, batch_size, full_every = "sku", 20, timedelta(days=1)

    def source(self, run):
        count, after = 0, ""
        while page := rows("select * from stock where sku > ? order by sku limit 100", after):
            yield from page
            count, after = count + len(page), page[-1]["sku"]
        return Complete(count)

    def cursor(self, run):                           # where the table stands: any JSON value
        return rows("select last from changes")[0]["last"]

    def changed_since(self, cursor, run):
        now = self.cursor(run)
        yield from rows("select * from stock where changed > ? and changed <= ? order by sku", cursor, now)
        return now                                   # saved when all of these are in step with the shop

    def render(self, good, run):
        return {"pieces": good["pieces"]}

    def create(self, changes, run):                  # a call carries up to 20; each is a line in the shop's log
        time.sleep(LATENCY)
        with (FOLDER / "shop.log").open("a") as log:
            for change in changes:
                print(change.kind, change.key, json.dumps(change.payload), file=log)
        return [Done(change.key) for change in changes]

    update = delete = create

    def find(self, keys, run):
        text = (FOLDER / "shop.log").read_text() if (FOLDER / "shop.log").exists() else ""
        return {key: key for key in keys if f"create {key} " in text}


@app.sync("stock")
class Stock(Sync[str]):
    layers = [Goods]

    def subjects(self):
        yield Subject("berlin", account="shop")
