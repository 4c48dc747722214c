"""The walk's catalogue, as its application would have it: the tables of a shop, read in keyset pages.

Its database is the SQLite file that `CATALOGUE` names. A reference id never changes. Names and URLs carry it, so that
whoever meets them in the ads account, by eye or by program, knows whose they are; a keyword's is what identifies it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from os import environ

PAGE = 1000

TABLES = """
create table product (id text primary key, customer_id text not null);
create table campaign (
    reference_id text not null check (instr(reference_id, '/') = 0),
    product_id text not null references product, title text not null, budget integer not null,
    primary key (product_id, reference_id)) without rowid;
create table ad_group (
    reference_id text not null check (instr(reference_id, '/') = 0),
    product_id text not null references product, campaign_id text not null, title text not null, bid integer not null,
    primary key (product_id, reference_id)) without rowid;
create table ad (
    reference_id text not null, product_id text not null references product, ad_group_id text not null,
    headline text not null, page text not null,
    primary key (product_id, reference_id)) without rowid;
create table keyword (
    reference_id text not null check (reference_id = ad_group_id || '/' || match_type || '/' || text),
    product_id text not null references product, ad_group_id text not null, text text not null,
    match_type text not null check (match_type in ('exact', 'phrase', 'broad')),
    primary key (product_id, reference_id)) without rowid;
"""


@dataclass(slots=True)
class Product:
    """What is advertised, for which customer, and how many keywords it has."""

    id: str
    customer_id: str
    keywords: int


@dataclass(slots=True)
class Campaign:
    """`budget` is in cents a day."""

    reference_id: str
    name: str
    budget: int


@dataclass(slots=True)
class AdGroup:
    """`bid` is in cents."""

    reference_id: str
    campaign_id: str
    name: str
    bid: int


@dataclass(slots=True)
class Ad:
    reference_id: str
    ad_group_id: str
    headline: str
    url: str


@dataclass(slots=True)
class Keyword:
    reference_id: str
    ad_group_id: str
    text: str
    match_type: str


Record = Campaign | AdGroup | Ad | Keyword

_KINDS: dict[str, tuple[type[Record], str]] = {
    "campaign": (Campaign, "title || ' [' || reference_id || ']', budget from campaign"),
    "ad_group": (AdGroup, "campaign_id, title || ' [' || reference_id || ']', bid from ad_group"),
    "ad": (Ad, "ad_group_id, headline, 'https://shop.example/' || page || '?ref=' || reference_id from ad"),
    "keyword": (Keyword, "ad_group_id, text, match_type from keyword"),
}
_PAGE_OF = "select reference_id, {} where product_id = ? and reference_id > ? order by reference_id limit ?"


def products() -> Iterator[Product]:
    """Every product."""
    with closing(opened()) as connection:
        rows = connection.execute("select id, customer_id, (select count(*) from keyword where product_id = product.id)"
                                  " from product order by id").fetchall()
    yield from (Product(*row) for row in rows)


def pages(kind: str, product: str) -> Iterator[list[Record]]:
    """One product's records of a kind, by reference id, a page at a time; no transaction lasts longer than a page."""
    made, columns = _KINDS[kind]
    after = ""
    with closing(opened()) as connection:
        while rows := connection.execute(_PAGE_OF.format(columns), (product, after, PAGE)).fetchall():
            after = rows[-1][0]
            yield [made(*row) for row in rows]


def opened() -> sqlite3.Connection:
    """The catalogue's database, without a transaction until one is begun."""
    return sqlite3.connect(environ["CATALOGUE"], isolation_level=None)
