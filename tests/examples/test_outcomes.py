"""The example of outcomes as its README has it: by its commands, on both stores."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "outcomes"
ORDERS = [(1, "R1", "AB1", 12), (2, "R2", "XX0", 3), (3, "R3", "CD2", 9), (4, "R4", "XX1", 1), (5, "R5", "EF3", 44)]

Says = Callable[..., list[str]]


def execute(path: Path, sql: str, *rows: tuple[object, ...]) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if rows:
            connection.executemany(sql, rows)
            return []
        return list(connection.execute(sql).fetchall())


@pytest.fixture
def says(tmp_path: Path, store_url: str) -> Says:
    """Runs a command in the example's folder and gives the lines that it printed, without what was logged."""
    execute(tmp_path / "shop.db",
            "create table orders (number integer primary key, reference text, postcode text, kg integer)")
    execute(tmp_path / "shop.db", "insert into orders values (?, ?, ?, ?)", *ORDERS)
    environment = {"PENSTOCK_APP": "orders:app", "PENSTOCK_URL": store_url, "SHOP": f"sqlite:///{tmp_path}/shop.db",
                   "COURIER": str(tmp_path / "courier.db"), "COURIER_HANGS_UP": str(tmp_path / "hangs-up")}

    command = Commands(EXAMPLE, environment)

    def run(*arguments: str) -> list[str]:
        lines = command(*arguments, code=None)
        return [line for line in lines if line.startswith(("shop: ", "unknown_", "too_", "    ", "2 records"))]

    run("migrate")
    return run


def parcels(tmp_path: Path) -> list[object]:
    return [row[0] for row in execute(tmp_path / "courier.db", "select reference from parcel order by reference")]


def test_it_does_what_its_readme_says(says: Says, tmp_path: Path):
    assert says("sync", "orders")[-1] == "shop: succeeded, 5 read, 2 created, 3 failed"
    assert parcels(tmp_path) == ["R1", "R3"]
    classes = [line for line in says("failed", "orders") if not line.startswith(" ")]
    assert [line.partition(": ")[2] for line in classes] == [
        "2 records of Parcels failed: no courier goes to 'XX1'",
        "1 record of Parcels failed: 44 kg in one call, 30 are allowed"]
    assert [line.partition("-")[0] for line in classes] == ["unknown_postcode", "too_heavy"]
    assert says("sync", "orders")[-1] == "shop: succeeded, 5 read, 3 failed"

    execute(tmp_path / "shop.db", "update orders set postcode = 'CD2' where number = 2")  # goes at once
    assert says("sync", "orders")[-1] == "shop: succeeded, 5 read, 1 created, 2 failed"
    execute(tmp_path / "shop.db", "update orders set kg = 4 where number = 5")
    assert says("sync", "orders")[-1] == "shop: succeeded, 5 read, 1 created, 1 failed"
    assert parcels(tmp_path) == ["R1", "R2", "R3", "R5"]

    (tmp_path / "hangs-up").touch()
    execute(tmp_path / "shop.db", "insert into orders values (6, 'R6', 'AB1', 2)")
    assert says("sync", "orders")[-1] == "shop: succeeded, 12 read, 1 updated, 2 failed"  # in two tries
    assert parcels(tmp_path) == ["R1", "R2", "R3", "R5", "R6"]


def test_one_class_is_retried(says: Says):
    says("sync", "orders")
    assert says("retry", "orders", "--class", "unknown_postcode") == [
        "2 records of Parcels are due now; 1 run is requested: shop"]
    assert says("sync", "orders")[-1] == "shop: succeeded, 5 read, 3 failed"  # two were refused again, one waits
    [seconds] = [line for line in says("failed", "orders") if line.endswith("2, 4")]
    assert "; again at " in seconds
