"""The walk of case study A: a catalogue that is edited, and the ads server, for one seed after the other."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from tests.crash.syncs.survival import Found, Identity, arm
from tests.examples.ads.shop import Shop, Size
from tests.servers.ads import KINDS, Ads

_FIELDS = {"campaign": ("name", "budget"), "ad_group": ("name", "bid"), "ad": ("headline", "url"),
           "keyword": ("text", "match_type")}
_BELOW = {"campaign": ("ad_group",), "ad_group": ("ad", "keyword")}
_MOST_DELETES = 9   # of a layer, over all rounds: more of them would wait for an approval


class AdsSide:
    """A product and a customer of its own for each seed, at one server."""

    sync = "google-ads"
    shared: frozenset[str] = frozenset()

    def __init__(self, number: int, catalogue: ModuleType, path: Path, server: Ads) -> None:
        self._server = server
        self._product, self._customer = f"product-{number}", f"customer-{number}"
        self._number = number
        path.unlink(missing_ok=True)
        self._shop = Shop(path, catalogue, Size(campaign=3, ad_group=6, ad=9, keyword=14))
        self._shop.open(self._product, self._customer)
        self._made = 1000
        self._met = 0
        self._deleted: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.environment = {"ADS_URL": server.url(), "CATALOGUE": str(path)}
        self.subjects = [(self._product, self._customer)]
        server.forget()
        campaign = server.make("campaign", self._customer, {"name": "By hand", "budget": 1})
        group = server.make("ad_group", self._customer, {"name": "By hand", "bid": 2}, campaign)
        self._by_hand = {("campaign", campaign), ("ad_group", group)} | {
            (kind, server.make(kind, self._customer, fields, group)) for kind, fields in (
                ("ad", {"headline": "By hand", "url": "https://shop.example"}),
                ("keyword", {"text": "by hand", "match_type": "exact"}))}

    # The source

    def change(self, chance: Random) -> None:
        with self._shop.changing() as connection:
            for _ in range(chance.randint(1, 4)):
                chance.choice([self._create, self._update, self._delete, self._move])(connection, chance)

    def _create(self, connection: sqlite3.Connection, chance: Random) -> None:
        """A record, and with a campaign or a group all that is below it."""
        kind = chance.choice(list(KINDS))
        self._insert(connection, chance, kind, None)

    def _insert(self, connection: sqlite3.Connection, chance: Random, kind: str, parent: str | None) -> None:
        self._made += 1
        number, above = self._made, KINDS[kind]
        parent = parent or (self._one(connection, chance, above) if above else None)
        name = f"{kind[0]}{self._number}-{number}"
        match kind:
            case "campaign":
                row: tuple[Any, ...] = (name, self._product, f"Campaign {number}", number)
            case "ad_group":
                row = (name, self._product, parent, f"Group {number}", number)
            case "ad":
                row = (name, self._product, parent, f"Buy {number}", f"things/{number}")
            case _:
                row = (f"{parent}/broad/thing {number}", self._product, parent, f"thing {number}", "broad")
        connection.execute(f"insert into {kind} values ({', '.join('?' * len(row))})", row)
        for below in _BELOW.get(kind, ()):
            self._insert(connection, chance, below, row[0])

    def _update(self, connection: sqlite3.Connection, chance: Random) -> None:
        self._made += 1
        kind = chance.choice(["campaign", "ad_group", "ad"])
        column, value = {"campaign": ("title", f"Campaign {self._made}"), "ad_group": ("bid", self._made),
                         "ad": ("headline", f"Buy {self._made}")}[kind]
        connection.execute(f"update {kind} set {column} = ? where reference_id = ?",
                           (value, self._one(connection, chance, kind)))

    def _delete(self, connection: sqlite3.Connection, chance: Random) -> None:
        """A record with all below it, unless that were too many of a kind, or the last."""
        kind = chance.choice(list(KINDS))
        going = {kind: [self._one(connection, chance, kind)]}
        for above in (each for each in KINDS if each in going):
            for below in _BELOW.get(above, ()):
                marks = ", ".join("?" * len(going[above]))
                going[below] = [each for (each,) in connection.execute(
                    f"select reference_id from {below} where {above}_id in ({marks})", going[above])]
                if below == "ad_group":
                    going |= {each: [name for (name,) in connection.execute(
                        f"select reference_id from {each} where ad_group_id in"
                        f" ({', '.join('?' * len(going[below]))})", going[below])] for each in ("ad", "keyword")}
        if all(self._deleted[each] + len(names) <= _MOST_DELETES and len(names) < self._count(connection, each)
               for each, names in going.items()):
            for each, names in going.items():
                connection.executemany(f"delete from {each} where reference_id = ?", [(name,) for name in names])
                self._deleted[each] += len(names)

    def _move(self, connection: sqlite3.Connection, chance: Random) -> None:
        """A record below another parent; a keyword is another one then."""
        kind = chance.choice(["ad_group", "ad", "keyword"])
        above = KINDS[kind]
        assert above is not None
        name, parent = self._one(connection, chance, kind), self._one(connection, chance, above)
        if kind != "keyword":
            connection.execute(f"update {kind} set {above}_id = ? where reference_id = ?", (parent, name))
        elif self._deleted[kind] < _MOST_DELETES and name.partition("/")[0] != parent:
            self._deleted[kind] += 1
            connection.execute("update or ignore keyword set ad_group_id = ?, reference_id = ? || '/' || match_type"
                               " || '/' || text where reference_id = ?", (parent, parent, name))

    def _one(self, connection: sqlite3.Connection, chance: Random, kind: str) -> str:
        names = [name for (name,) in connection.execute(f"select reference_id from {kind} order by reference_id")]
        return str(chance.choice(names))

    def _count(self, connection: sqlite3.Connection, kind: str) -> int:
        return int(connection.execute(f"select count(*) from {kind}").fetchone()[0])

    def wanted(self) -> Mapping[Identity, Any]:
        found: dict[Identity, Any] = {}
        for kind, above in KINDS.items():
            for page in self._shop.catalogue.pages(kind, self._product):
                for record in page:
                    fields = {name: getattr(record, name) for name in _FIELDS[kind]}
                    found[kind, record.reference_id] = (getattr(record, f"{above}_id") if above else None, fields)
        return found

    # The destination

    def held(self) -> list[Found]:
        found, names = [], {}
        for kind, above in KINDS.items():
            for record in self._server.records(kind, self._customer):
                if (kind, record.id) in self._by_hand:
                    continue
                parent = names.get((above, record.parent)) if above else None
                name = f"{parent}/{record.fields['match_type']}/{record.fields['text']}" if kind == "keyword" else (
                    record.reference or "")
                names[kind, record.id] = name
                found.append(Found((kind, name), str(record.id), (parent, record.fields)))
        return found

    def strangers(self) -> Mapping[Any, Any]:
        return {(kind, record.id): (record.parent, record.fields) for kind in KINDS
                for record in self._server.records(kind, self._customer) if (kind, record.id) in self._by_hand}

    def fault(self, chance: Random) -> str:
        fault, nth = self._server.fault, chance.randint(1, 6)
        self._met = len(self._server.calls())
        return arm(chance, {
            "429": lambda: fault("throttle", route=None, nth=nth, retry_after=chance.choice([None, 3, 60])),
            "5xx before": lambda: fault("error_before", route=None, nth=nth, status=chance.choice([500, 502, 503])),
            "5xx after": lambda: fault("error_after", route=None, nth=nth, status=chance.choice([500, 504])),
            "request dropped": lambda: fault("drop_before", route=None, nth=nth),
            "answer dropped": lambda: fault("drop_after", route=None, nth=nth),
            "connection reset": lambda: fault("reset", route=None, nth=nth),
            "results missing": lambda: fault("fewer", nth=nth, places=tuple(chance.sample(range(-3, 3), 2))),
            "results in another order": lambda: fault("reversed", nth=nth),
            "over its quota": lambda: self._server.quota(chance.randint(5, 20), seconds=60, customer=self._customer),
        })

    def behave(self) -> bool:
        self._server.behave()
        self._server.lift()
        self._server.advance(60)
        return any(call.fault or call.status == 429 for call in self._server.calls()[self._met:])

    def writes(self) -> int:
        return len(self._server.calls("operations"))
