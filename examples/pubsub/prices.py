"""The prices of many shops, each in step with that shop's tills, which are reached over HTTP."""

import os
from dataclasses import dataclass

from penstock import Penstock, Window
from penstock.connectors import SQLSource, http
from penstock.sync import Layer, Sync

SHOPS = os.environ.get("SHOPS", "sqlite:///shops.db")
TILLS = os.environ.get("TILLS_URL", "https://tills.example.com/v2")
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Price:
    id: str
    cents: int


class Prices(Layer[Price]):
    key = "id"
    idempotent = True                   # a price that is put twice is one price
    source = SQLSource(SHOPS, "select id, cents from price where id = :subject", key="id")

    def render(self, price, run):
        return {"cents": price.cents}

    def create_one(self, change, run):
        return run.client.put(run, "/prices/{}", change.key, json=change.payload).outcome(change.key)

    update_one = create_one

    def delete_one(self, change, run):
        return run.client.delete(run, "/prices/{}", change.key).outcome(change.key, gone=(404,))


@app.sync("prices", max_concurrent=20, window=Window(total=500, headroom=100))
class ShopPrices(Sync[str]):
    """One run per price; of each shop one at a time, in the order in which they were asked for."""

    layers = [Prices]

    def subjects(self):
        yield from ()                   # every request says whose shop it is

    def connect(self, account):
        return http.connect(TILLS, headers={"Shop": account}, timeout=20)
