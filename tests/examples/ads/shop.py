"""The application's side in tests of the walk: fills the catalogue, changes it, and says what is to be advertised."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.servers.ads import KINDS, Ads, Record

PRODUCT, CUSTOMER = "product-17", "customer-9"
Advertised = tuple[str, str | None, dict[str, Any]]
"""A record as it has to be at the destination: its kind, its parent's reference, and its fields."""


@dataclass(frozen=True)
class Size:
    """How many there are of each kind; all but campaigns are spread evenly over their parents."""

    campaign: int = 6
    ad_group: int = 30
    ad: int = 60
    keyword: int = 150

    def __iter__(self) -> Iterator[int]:
        return iter((self.campaign, self.ad_group, self.ad, self.keyword))


@dataclass
class Shop:
    """A catalogue in a SQLite file, with one product to begin with."""

    path: Path
    catalogue: ModuleType
    size: Size = field(default_factory=Size)

    def open(self, product: str = PRODUCT, customer: str = CUSTOMER) -> None:
        """Make the tables if there are none yet, and fill them for a product. References begin with its number."""
        p, size = product.removeprefix("product-"), self.size
        with self.changing() as connection:
            if not connection.execute("select 1 from sqlite_master").fetchone():
                connection.executescript(self.catalogue.TABLES)
            connection.execute("insert into product values (?, ?)", (product, customer))
            connection.executemany("insert into campaign values (?, ?, ?, ?)", (
                (f"c{p}-{n:03}", product, f"Campaign {n}", 1000 + n) for n in range(size.campaign)))
            connection.executemany("insert into ad_group values (?, ?, ?, ?, ?)", (
                (f"g{p}-{n:05}", product, f"c{p}-{n % size.campaign:03}", f"Group {n}", 10 + n)
                for n in range(size.ad_group)))
            connection.executemany("insert into ad values (?, ?, ?, ?, ?)", (
                (f"a{p}-{n:06}", product, f"g{p}-{n % size.ad_group:05}", f"Buy number {n}", f"things/{n}")
                for n in range(size.ad)))
            self.keywords(connection, product, range(size.keyword))

    def keywords(self, connection: sqlite3.Connection, product: str, numbers: range, text: str = "thing") -> None:
        """Add keywords by their numbers."""
        p = product.removeprefix("product-")
        groups = [f"g{p}-{n % self.size.ad_group:05}" for n in numbers]
        connection.executemany("insert into keyword values (?, ?, ?, ?, ?)", (
            (f"{group}/exact/{text} {n}", product, group, f"{text} {n}", "exact")
            for group, n in zip(groups, numbers, strict=True)))

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the catalogue."""
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def run(self, *statements: str) -> None:
        """Change the catalogue by SQL."""
        with self.changing() as connection:
            for statement in statements:
                connection.execute(statement)

    def wanted(self, product: str = PRODUCT) -> list[Advertised]:
        """What is to be advertised."""
        made: list[Advertised] = []
        for kind, above in KINDS.items():
            for page in self.catalogue.pages(kind, product):
                for record in page:
                    fields = {name: getattr(record, name) for name in _SENT[kind]}
                    made.append((kind, getattr(record, f"{above}_id") if above else None, fields))
        return _sorted(made)


_SENT = {"campaign": ("name", "budget"), "ad_group": ("name", "bid"), "ad": ("headline", "url"),
         "keyword": ("text", "match_type")}


def advertised(ads: Ads, customer: str = CUSTOMER) -> list[Advertised]:
    """What the destination has; a record that was made twice is there twice."""
    records: dict[str, list[Record]] = {kind: ads.records(kind, customer) for kind in KINDS}
    references = {kind: {record.id: record.reference for record in held} for kind, held in records.items()}
    return _sorted([
        (kind, references[above][record.parent] if above and record.parent else None, record.fields)
        for kind, above in KINDS.items() for record in records[kind]])


def _sorted(records: list[Advertised]) -> list[Advertised]:
    return sorted(records, key=lambda record: (record[0], record[1] or "", sorted(map(str, record[2].values()))))
