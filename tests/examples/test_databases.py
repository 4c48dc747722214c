"""The example of one database kept in step with another, as its page has it run: by its commands, on both stores."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "databases"
OFFERS = "select product_number, code, cents, is_live, version, clicks from offer order by code"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "catalogue.db", isolation_level=None)) as connection:
        connection.executescript((EXAMPLE / "catalogue.sql").read_text("utf-8"))
        yield connection


@pytest.fixture
def shop(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute((EXAMPLE / "shop.sql").read_bytes())
        yield connection


@pytest.fixture
def says(store_url: str, postgres_url: str, catalogue: sqlite3.Connection, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a command in the example's folder and gives the lines that it printed."""
    environment = {"PENSTOCK_APP": "catalogue:app", "PENSTOCK_URL": store_url, "SHOP": postgres_url,
                   "CATALOGUE": f"sqlite:///{tmp_path}/catalogue.db"}
    return Commands(EXAMPLE, environment)


def test_it_does_what_its_page_says(
    says: Callable[..., list[str]], catalogue: sqlite3.Connection, shop: psycopg.Connection
) -> None:
    says("migrate")
    planned = says("plan", "catalogue")
    assert any("Offers: 2 to create" in line for line in planned), planned
    assert shop.execute("select * from product").fetchall() == []

    shop.execute("insert into product values (2, 'an old wheel')")
    shop.execute("insert into offer (product_number, code, cents, is_live, clicks)"
                 " values (2, 'WHEEL-SPRING', 1, false, 77)")
    says("sync", "catalogue")
    assert shop.execute("select * from product order by number").fetchall() == [
        (1, "Gate", {"material": "oak"}), (2, "Wheel", None)]
    assert shop.execute(OFFERS).fetchall() == [
        (1, "GATE-SPRING", 4900, True, 1, 0), (2, "WHEEL-SPRING", 9900, True, 2, 77)]
    assert shop.execute("select * from tag order by 1, 2").fetchall() == [(1, "new"), (1, "wood"), (2, "wood")]

    catalogue.execute("delete from offer where code = 'WHEEL-SPRING'")
    catalogue.execute("update offer set cents = 5900")
    catalogue.execute("delete from tag where word = 'new'")
    says("sync", "catalogue")
    assert shop.execute(OFFERS).fetchall() == [
        (1, "GATE-SPRING", 5900, True, 2, 0), (2, "WHEEL-SPRING", 9900, False, 3, 77)]
    assert shop.execute("select * from tag order by 1, 2").fetchall() == [(1, "wood"), (2, "wood")]

    shop.execute("update offer set cents = 1, version = version + 1 where code = 'GATE-SPRING'")
    catalogue.execute("update offer set cents = 6900")
    assert says("sync", "catalogue", code=1) == ["all: succeeded, 5 read, 1 failed"]
    assert shop.execute("select cents from offer where code = 'GATE-SPRING'").fetchone() == (1,)
