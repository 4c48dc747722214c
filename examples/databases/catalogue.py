"""One database kept in step with another: a shop's tables follow those of a catalogue.

    export PENSTOCK_APP=catalogue:app CATALOGUE=sqlite:///catalogue.db SHOP=postgresql://localhost/shop
    penstock migrate
    penstock plan catalogue
    penstock sync catalogue
"""
import os
from dataclasses import dataclass

from penstock import Penstock
from penstock.connectors import SQLDestination, SQLSource
from penstock.sync import Layer, Subject, Sync

CATALOGUE = os.environ["CATALOGUE"]
SHOP = os.environ["SHOP"]
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@dataclass
class Product:
    number: int
    title: str
    sheet: str | None  # JSON, as text


@dataclass
class Offer:
    number: int
    product: int
    code: str
    cents: int


@dataclass
class Tag:
    product: int
    word: str


class Products(Layer[Product]):
    """The shop's rows have the catalogue's own key: creating one twice makes one."""

    key = "number"
    source = SQLSource(CATALOGUE, "select number, title, sheet from product", key="number")
    destination = SQLDestination(SHOP, "product", key="number")

    def render(self, product, run):
        return {"title": product.title, "sheet": product.sheet}


class Offers(Layer[Offer]):
    """The shop numbers these rows itself; one that it had before is recognised by its code. None is ever deleted."""

    key, match, parent, on_delete = "number", "code", Products.by("product"), "disable"
    source = SQLSource(CATALOGUE, "select number, product, code, cents from offer", key="number")
    destination = SQLDestination(SHOP, "offer", match="code", parent="product_number", active="is_live",
                                 version="version")

    def render(self, offer, run):
        return {"code": offer.code, "cents": offer.cents}


class Tags(Layer[Tag]):
    """A row is known by the product that it belongs to and a column of its own."""

    key, parent = ("product", "word"), Products.by("product")
    source = SQLSource(CATALOGUE, "select id, product, word from tag", key="id")
    destination = SQLDestination(SHOP, "tag", key=("product_number", "word"), parent="product_number")

    def render(self, tag, run):
        return {"word": tag.word}


@app.sync("catalogue")
class Catalogue(Sync[str]):
    layers = [Products, Offers, Tags]

    def subjects(self):
        yield Subject("all")
