"""The second sync of the world: a catalogue into an ads account, where each call takes its time.

Both ends are tables of a file: `product` says what the catalogue has, `held` what the platform was sent. Records are
made of numbers alone, so two worlds have the same.
"""

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from penstock import Quota, Rate, Window
from penstock.cli.demo.directory import app
from penstock.domain.records import Change
from penstock.sync import Complete, Done, Layer, Rejected, Subject, Sync
from tools.world.passing import pause

ADS = os.environ["ADS_DATABASE"]
_CALL_SECONDS, _EACH_SECONDS = 0.45, 0.27
_SLOW = "customer-3"  # of whom the platform thinks twice
_A_GROUP = 25
_MARKS = ("exact", "phrase", "broad")
_SCHEMA = """
create table product (key text primary key, account text not null, keywords integer not null, version integer not null,
                      broken integer not null default 0);
create table held (id text primary key, kind text not null, payload text not null);
create table revoked (account text primary key);
"""


class CatalogueIncomplete(Exception):
    """The catalogue has no price for what is to be advertised."""


class AccessRevoked(Exception):
    """The customer has withdrawn what they had allowed."""


@dataclass
class Campaign:
    reference_id: str
    name: str
    budget: int


@dataclass
class AdGroup:
    reference_id: str
    campaign_id: str
    name: str
    bid: int


@dataclass
class Keyword:
    reference_id: str
    ad_group_id: str
    text: str
    match_type: str
    bid: int


@dataclass(frozen=True)
class Product:
    """What the catalogue knows of a product. Each version changes a sixth of what is advertised."""

    key: str
    account: str
    keywords: int
    version: int
    broken: bool


class Platform:
    """The ads platform, as one customer may use it."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._held = sqlite3.connect(ADS)

    def __enter__(self) -> "Platform":
        if self._held.execute("select 1 from revoked where account = ?", (self.account,)).fetchone():
            pause(0.3)
            raise AccessRevoked(f"{self.account}: 401 the refresh token was revoked by the account's owner")
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def mutate(self, kind: str, changes: "list[Change]") -> "list[Done | Rejected]":
        self._take_time(changes)
        with self._held:
            return [self._one(kind, each) for each in changes]

    def remove(self, changes: "list[Change]") -> list[Done]:
        self._take_time(changes)
        with self._held:
            self._held.executemany("delete from held where id = ?", [(each.remote_id,) for each in changes])
        return [Done(str(each.remote_id)) for each in changes]

    def held(self, ids: list[str]) -> dict[str, Any]:
        pause(_CALL_SECONDS)
        rows = self._held.execute("select id, payload from held where id in (select value from json_each(?))",
                                  (msgspec.json.encode(ids).decode(),))
        return {id: msgspec.json.decode(payload) for id, payload in rows.fetchall()}

    def _take_time(self, changes: "list[Change]") -> None:
        each = _EACH_SECONDS * 2 if self.account == _SLOW else _EACH_SECONDS
        pause(_CALL_SECONDS + each * len(changes))

    def _one(self, kind: str, change: Change) -> "Done | Rejected":
        id = change.remote_id or f"{kind}s/{change.key}"
        if fault := _fault(change.payload):
            return fault
        payload = msgspec.json.encode(change.payload).decode()
        self._held.execute("insert or replace into held values (?, ?, ?)", (id, kind, payload))
        return Done(id)


def _fault(payload: Mapping[str, Any]) -> Rejected | None:
    if "miracle" in payload.get("text", ""):
        return Rejected("POLICY_VIOLATION", "the text makes a claim that has to be proved")
    if payload.get("text", "").endswith(" again"):
        return Rejected("DUPLICATE_KEYWORD", "this ad group has a keyword of the same text and match type")
    if payload.get("bid", 100) < 5:
        return Rejected("BID_TOO_LOW", f"expected a bid of at least 0.05, got 0.{payload['bid']:02}")
    return None


class _AdsLayer(Layer[Any]):
    kind: str
    key, batch_size, idempotent = "reference_id", 50, True

    def create(self, changes: Any, run: Any) -> Any:
        return run.client.mutate(self.kind, list(changes))

    update = create

    def delete(self, changes: Any, run: Any) -> Any:
        return run.client.remove(list(changes))

    def fetch(self, ids: Any, run: Any) -> Any:
        return run.client.held(list(ids))


class Campaigns(_AdsLayer):
    kind = "campaign"

    def source(self, run: Any) -> Generator[Campaign, None, Complete]:
        product = _product(run.subject.key)
        yield Campaign(product.key, f"Shop · {product.key}", 5_000 + product.version // 4 * 500)
        return Complete(1)

    def render(self, campaign: Campaign, run: Any) -> dict[str, Any]:
        return {"name": campaign.name, "budget": campaign.budget}


class AdGroups(_AdsLayer):
    kind, parent = "ad_group", Campaigns.by("campaign_id")

    def source(self, run: Any) -> Generator[AdGroup, None, Complete]:
        product, number = _product(run.subject.key), _number(run.subject.key)
        count = -(-product.keywords // _A_GROUP)
        for each in range(count):
            refused = number % 9 == 4 and each == 1
            yield AdGroup(f"{product.key}-g{each}", product.key, f"Group {each + 1}",
                          2 if refused else 40 + (product.version + each) // 6)
        return Complete(count)

    def render(self, group: AdGroup, run: Any) -> dict[str, Any]:
        return {"name": group.name, "bid": group.bid}


class Keywords(_AdsLayer):
    kind, parent = "keyword", AdGroups.by("ad_group_id")

    def source(self, run: Any) -> Generator[Keyword, None, Complete]:
        product = _product(run.subject.key)
        for each in range(product.keywords):
            yield Keyword(f"{product.key}-k{each}", f"{product.key}-g{each // _A_GROUP}", _text(product.key, each),
                          _MARKS[each % 3], 30 + (product.version + each) // 6)
        return Complete(product.keywords)

    def render(self, keyword: Keyword, run: Any) -> dict[str, Any]:
        return {"text": keyword.text, "match_type": keyword.match_type, "bid": keyword.bid}


@app.sync("ads", max_concurrent=4, window=Window(total=120, headroom=20), audit_every=timedelta(days=7),
          limits=[Rate(10, per="second", by="account", unit="call"),
                  Quota(18_000, per="day", window="sliding", by="developer-token")])
class Ads(Sync[str]):
    layers = [Campaigns, AdGroups, Keywords]

    def subjects(self) -> Iterator[Subject]:
        for each in products():
            yield Subject(each.key, account=each.account, size=each.keywords)

    def connect(self, account: str) -> Platform:
        return Platform(account)


def open_catalogue(accounts: int, keywords: int) -> None:
    """Both ends anew: eight products for each customer, the first of all with the most to be advertised."""
    with closing(sqlite3.connect(ADS)) as found, found:
        found.executescript(_SCHEMA)
        found.executemany("insert into product (key, account, keywords, version) values (?, ?, ?, 0)", (
            (f"product-{each}", f"customer-{1 + each % accounts}",
             keywords * 12 if each == 1 else keywords + each * 37 % keywords) for each in range(1, accounts * 6 + 1)))


def change(sql: str, *values: object) -> None:
    """Somebody changes the catalogue, or what the platform holds."""
    with closing(sqlite3.connect(ADS)) as found, found:
        found.execute(sql, values)


def products() -> list[Product]:
    """All that the catalogue has."""
    with closing(sqlite3.connect(ADS)) as found:
        return [Product(*row) for row in found.execute("select * from product order by rowid")]


def _product(key: str) -> Product:
    with closing(sqlite3.connect(ADS)) as found:
        row = found.execute("select * from product where key = ?", (key,)).fetchone()
    product = Product(*row)
    if product.broken:
        raise CatalogueIncomplete(f"{key}: expected a price, got none")
    return product


def _number(key: str) -> int:
    return int(key.rpartition("-")[2])


def _text(key: str, each: int) -> str:
    number = _number(key)
    if (each + number) % 97 == 13:
        return f"miracle offer {number}.{each}"
    return f"buy {number}.{each}" + (" again" if (each + number) % 211 == 5 else "")
