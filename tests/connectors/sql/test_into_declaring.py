"""A SQLDestination that is declared wrongly says so at once, and one that does not fit its table at its first use."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.connectors import SQLDestination
from penstock.domain.errors import ConfigurationError, DeclarationError, Unavailable
from penstock.sync import Layer, Sync
from penstock.sync.declaring.declare import SyncOptions
from penstock.sync.declaring.define import define
from tests.connectors.sql.changes import create, run_of, update
from tests.connectors.sql.database import Database

SQLITE, POSTGRES = "sqlite:///shop.db", "postgresql://u:secret@h/shop"


def faults(url: Any = SQLITE, table: Any = "price", **options: Any) -> Sequence[str]:
    with pytest.raises(ConfigurationError) as caught:
        SQLDestination(url, table, **{"key": "sku", **options})
    assert "secret" not in str(caught.value)
    return caught.value.faults


@pytest.mark.parametrize(("given", "said"), [
    ({"url": "sqlite3:///shop.db"}, "SQLDestination expects a URL such as sqlite:///relative/path"),
    ({"url": "sqlite3:///shop.db"}, "but got the scheme 'sqlite3'. Did you mean \"sqlite\"?"),
    ({"table": ""}, "expects table as 'table' or 'schema.table', but got ''"),
    ({"table": "a.b.c"}, "expects table as 'table' or 'schema.table', but got 'a.b.c'"),
    ({"table": "a\0b"}, "expects table as"),
    ({"table": 7}, "but got 7"),
    ({"table": "shop.price"}, "expects table without a schema on SQLite, but got 'shop.price'"),
    ({"table": "penstock_runs"}, "a table of your own, but got 'penstock_runs', which is Penstock's"),
    ({"url": POSTGRES, "table": "penstock.runs"}, "a table of your own, but got 'penstock.runs', which is Penstock's"),
    ({"url": POSTGRES, "table": "ä" * 32}, "table in at most 63 bytes on PostgreSQL"),
    ({"url": POSTGRES, "active": "a" * 64}, "active in at most 63 bytes on PostgreSQL"),
    ({"key": ()}, "expects key to name a column, or several in a tuple, but got ()"),
    ({"key": ("a", "")}, "expects key to name a column, but got ''"),
    ({"key": ("a", "a")}, "expects key to name each column once, but got 'a' 2 times"),
    ({"match": 3}, "expects match to name a column, but got 3"),
    ({"key": None}, "expects key=, the column that holds a record's own key, or match="),
    ({"parent": "x", "active": "x"}, "expects a column for each, but parent and active are both 'x'"),
    ({"version": "sku"}, "expects version to be a column of its own, but 'sku' is key or match too"),
    ({"batch_size": 0}, "expects batch_size to be a number of changes from 1, got 0"),
    ({"batch_size": True}, "batch_size"),
    ({"timeout": 0}, "expects timeout to be a number of seconds above 0, got 0"),
    ({"timeout": "soon"}, "timeout"),
])
def test_what_cannot_work(given: dict[str, Any], said: str) -> None:
    [fault] = faults(**given)
    assert said in fault


def test_every_fault_is_told_at_once() -> None:
    assert len(faults("mysql://h/d", "", key=None, parent="x", active="x", batch_size=0, timeout=-1)) == 6


def test_nothing_of_a_postgresql_url_is_shown() -> None:
    destination = SQLDestination(POSTGRES, "shop.price", key="sku")
    assert repr(destination) == "SQLDestination('postgresql://…', 'shop.price')"
    assert "secret" not in str(vars(destination))


def test_a_url_that_cannot_be_taken_apart() -> None:
    destination = SQLDestination("postgresql://u:se@cret@h/d", "price", key="sku")
    with pytest.raises(ConfigurationError, match="SQLDestination expects postgresql://user:password@host") as caught:
        destination.find(["1"], run_of())
    assert "cret" not in str(caught.value)


def test_without_psycopg_it_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    [fault] = faults(POSTGRES)
    assert "pip install 'penstock[postgres]'" in fault
    SQLDestination(SQLITE, "price", key="sku")


def test_psycopg_is_imported_only_to_write() -> None:
    script = ("import sys; from penstock.connectors.sql import SQLDestination;"
              " SQLDestination('postgres://h/d', 'price', key='sku'); sys.exit('psycopg' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_layer_that_disables_needs_the_column_that_says_so() -> None:
    class Prices(Layer[dict[str, Any]]):
        key, on_delete = "sku", "disable"
        destination = SQLDestination(SQLITE, "price", key="sku")

        def source(self, run: Any) -> Any:
            return iter(())

    class Shop(Sync[str]):
        layers = [Prices]

    with pytest.raises(DeclarationError, match="no verb 'disable'"):
        define("shop", Shop, SyncOptions())
    Prices.destination = SQLDestination(SQLITE, "price", key="sku", active="is_live")
    define("shop", Shop, SyncOptions())


# What only the table can tell.


def misfit(destination: SQLDestination, payload: Any = None) -> str:
    with pytest.raises(Unavailable) as caught:
        destination.create([create("A1", payload)], run_of())
    assert not caught.value.sent
    return str(caught.value)


@pytest.fixture
def shop(database: Database) -> Database:
    database.run("create table price (sku text primary key, cents integer, note text)",
                 "create table offer (a text, b text, c text, primary key (a, b))",
                 "create view cheap as select * from price where cents < 100")
    return database


def test_a_table_that_is_not_there(shop: Database) -> None:
    message = misfit(SQLDestination(shop.url, "prices", key="sku"))
    assert "expects a table 'prices'" in message
    assert message.endswith('Did you mean "price"?')
    assert misfit(SQLDestination(shop.url, "zzz", key="sku")).endswith("Make it first: Penstock makes none of yours.")
    if not shop.is_sqlite:
        assert "'shop.price'" in misfit(SQLDestination(shop.url, "shop.price", key="sku"))
        assert misfit(SQLDestination(shop.url, "public.prce", key="sku")).endswith('Did you mean "price"?')


def test_columns_that_are_not_there_are_all_told(shop: Database) -> None:
    message = misfit(SQLDestination(shop.url, "price", key="sku", parent="nte", active="is_live"))
    assert "it has no column 'nte' (parent), only sku, cents, note. Did you mean \"note\"?" in message
    assert "it has no column 'is_live' (active), only sku, cents, note." in message


def test_a_payload_that_names_columns_that_are_not_there(shop: Database) -> None:
    message = misfit(SQLDestination(shop.url, "price", key="sku"), {"cent": 5, "weight": 3})
    assert "render gives 'cent', but the table price has only the columns sku, cents, note. Did you mean \"cents\"?" \
        in message
    assert "render gives 'weight'" in message
    assert shop.run("select * from price") == []


def test_a_payload_that_names_what_the_destination_fills(shop: Database) -> None:
    message = misfit(SQLDestination(shop.url, "price", key="sku", account="note"), {"note": "x"})
    assert "render gives 'note', which SQLDestination fills itself (account). Leave it out." in message


def test_a_payload_that_is_none(shop: Database) -> None:
    assert "render to give a mapping from column to value, but got list for 'A1'" in misfit(
        SQLDestination(shop.url, "price", key="sku"), ["cents"])


def test_a_column_that_was_added_since_the_first_use(shop: Database) -> None:
    destination = SQLDestination(shop.url, "price", key="sku")
    destination.create([create("A1", {"cents": 5})], run_of())
    shop.run("alter table price add column weight integer")
    destination.update([update("A1", {"weight": 3}, key="A1")], run_of())
    assert shop.run("select weight from price") == [(3,)]
    shop.run("alter table price drop column weight")
    with pytest.raises(Unavailable, match="weight"):
        destination.update([update("A1", {"weight": 3}, key="A1")], run_of())
    assert "has only the columns sku, cents, note" in misfit(destination, {"weight": 3})


def test_a_key_that_is_not_unique(shop: Database) -> None:
    message = misfit(SQLDestination(shop.url, "price", key="note"))
    assert "its key (note) is not unique, so that one record could become two rows" in message
    assert "is not unique" in misfit(SQLDestination(shop.url, "offer", key="a"))
    assert "is not unique" in misfit(SQLDestination(shop.url, "cheap", key="sku"))
    shop.run("create unique index partly on price (note) where cents > 5")
    assert "is not unique" in misfit(SQLDestination(shop.url, "price", key="note"))
    shop.run("create unique index wholly on price (note)")
    SQLDestination(shop.url, "price", key="note").create([create("A1", {"sku": "1"})], run_of())


def test_a_primary_key_that_the_database_does_not_number(shop: Database) -> None:
    assert "its primary key 'sku' is not given by the database. If records bring it, say key='sku'" in misfit(
        SQLDestination(shop.url, "price", key=None, match="note"))
    assert "has a primary key of several columns" in misfit(SQLDestination(shop.url, "offer", key=None, match="c"))
    assert "has no primary key" in misfit(SQLDestination(shop.url, "cheap", key=None, match="sku"))


def test_a_column_that_the_database_computes(shop: Database) -> None:
    shop.run("create table sum (sku text primary key, cents integer, euros text generated always as (cents) stored)"
             if shop.is_sqlite else
             "create table sum (sku text primary key, cents int, euros int generated always as (cents / 100) stored)")
    assert "render gives 'euros', which the database computes" in misfit(SQLDestination(shop.url, "sum", key="sku"),
                                                                         {"euros": 3})
    assert "is computed" in misfit(SQLDestination(shop.url, "sum", key="sku", account="euros"))


def test_a_key_column_without_a_type(sqlite_database: Database) -> None:
    sqlite_database.run("create table price (sku primary key, cents)")
    assert "its key column 'sku' has no type" in misfit(SQLDestination(sqlite_database.url, "price", key="sku"))


def test_a_missing_file_is_an_error_and_stays_missing(tmp_path: Path) -> None:
    message = misfit(SQLDestination(f"sqlite:///{tmp_path}/missing.db", "price", key="sku"))
    assert f"expects a SQLite database at {tmp_path}/missing.db, but sees no such file" in message
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_penstock_is_no_destination(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Penstock(url) as app:
        app.migrate()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("create table price (sku text primary key)")
    connection.close()
    message = misfit(SQLDestination(url, "price", key="sku"))
    assert "is a store of Penstock" in message
    assert "Put the destination's tables into another file." in message


def test_a_table_of_penstock_is_no_destination(postgres_database: Database) -> None:
    """However the search path leads to it."""
    try:
        postgres_database.run("create schema penstock", "create table penstock.price (sku text primary key)")
        separator = "&" if "?" in postgres_database.url else "?"
        url = f"{postgres_database.url}{separator}options=-csearch_path%3Dpenstock"
        assert "is Penstock's. Name another." in misfit(SQLDestination(url, "price", key="sku"))
    finally:
        postgres_database.run("drop schema penstock cascade")
