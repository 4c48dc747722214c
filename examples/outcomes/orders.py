"""Orders of a shop become a courier's parcels. What the courier refuses is listed, and sent again when asked for.

    export PENSTOCK_APP=orders:app
    penstock sync orders
    penstock failed orders
    penstock retry orders --class unknown_postcode
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from courier import Courier
from penstock import Penstock
from penstock.connectors import SQLSource
from penstock.sync import Layer, Run, Subject, Sync

app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Order:
    number: int
    reference: str
    postcode: str
    kg: int


class Parcels(Layer[Order]):
    key, match = "number", "reference"
    source = SQLSource(os.environ.get("SHOP", "sqlite:///shop.db"),
                       "select number, reference, postcode, kg from orders", key="number")
    destination = Courier()

    def render(self, order: Order, run: Run) -> dict[str, object]:
        return {"reference": order.reference, "postcode": order.postcode, "kg": order.kg}


@app.sync("orders")
class Orders(Sync[str]):
    layers = [Parcels]

    def subjects(self) -> Iterator[Subject]:
        yield Subject("shop")
