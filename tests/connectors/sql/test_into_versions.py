"""A row that somebody else has changed since is left alone, where the table has a column that tells."""

import pytest

from penstock.connectors import SQLDestination
from penstock.domain.records import GONE, Change, Done
from tests.connectors.sql.changes import create, delete, refused, run_of, update
from tests.connectors.sql.database import Database


def told(destination: SQLDestination, verb: str, *changes: Change) -> list[tuple[str | None, str | None]]:
    outcomes = getattr(destination, verb)(changes, run_of())
    return [(outcome.remote_id, outcome.version) if isinstance(outcome, Done) else (outcome.code, None)
            for outcome in outcomes]


@pytest.fixture(params=["integer not null", "integer default 7"])
def prices(database: Database, request: pytest.FixtureRequest) -> SQLDestination:
    document = "text" if database.is_sqlite else "json"  # which PostgreSQL cannot compare
    database.run(f"create table price (sku text primary key, cents integer, extra {document}, version {request.param})")
    return SQLDestination(database.url, "price", key="sku", version="version", active=None)


def test_the_version_changes_with_each_write(prices: SQLDestination) -> None:
    [(_, first)] = told(prices, "create", create("A", {"cents": 1}))
    [(_, second)] = told(prices, "update", update("A", {"cents": 2}, key="A", version=first))
    assert [first, second] in (["1", "2"], ["7", "8"])
    [(_, third)] = told(prices, "create", create("A", {"cents": 3}))
    assert third not in (first, second)


def test_what_somebody_else_has_changed_stays_as_it_is(database: Database, prices: SQLDestination) -> None:
    versions = told(prices, "create", create("A", {"cents": 1}), create("B", {"cents": 1}))
    database.run("update price set cents = 9, version = version + 1 where sku = 'A'")
    assert told(prices, "update", *(update(key, {"cents": 2}, key=key, version=version) for key, version in versions)) \
        == [("changed_since", None), ("B", f"{int(versions[1][1] or 0) + 1}")]
    assert database.run("select sku, cents from price order by sku") == [("A", 9), ("B", 2)]
    # Forgetting its state has the next run create it, which takes the row over.
    [(_, version)] = told(prices, "create", create("A", {"cents": 2}))
    assert told(prices, "update", update("A", {"cents": 3}, key="A", version=version))[0][0] == "A"


def test_a_write_whose_answer_was_lost_is_no_change_by_somebody_else(
    database: Database, prices: SQLDestination
) -> None:
    [(_, version)] = told(prices, "create", create("A", {"cents": 1, "extra": {"a": [1]}}))
    again = update("A", {"cents": 2, "extra": {"a": None}}, key="A", version=version)
    [lost] = told(prices, "update", again)
    assert told(prices, "update", again) == [lost]
    assert database.run("select cents from price") == [(2,)]


def test_a_row_that_is_gone_is_no_change_by_somebody_else(database: Database, prices: SQLDestination) -> None:
    [(_, version)] = told(prices, "create", create("A", {"cents": 1}))
    database.run("delete from price")
    assert told(prices, "update", update("A", {"cents": 2}, key="A", version=version))[0][0] == "A"
    number = "integer primary key" if database.is_sqlite else "serial primary key"
    database.run(f"create table person (id {number}, email text, version integer)")
    people = SQLDestination(database.url, "person", match="email", version="version")
    assert told(people, "update", update("77", {"email": "x"}, version="1")) == [(GONE, None)]


def test_a_version_that_a_trigger_keeps(database: Database) -> None:
    """Also one that writes it after the statement has answered."""
    database.run("create table price (sku text primary key, cents integer, version text)")
    if database.is_sqlite:
        for verb in ("insert", "update of cents"):
            database.run(f"create trigger t_{verb[:6]} after {verb} on price begin update price set"
                         " version = coalesce(version, '') || 'x' where sku = new.sku; end")
    else:
        database.run("create function bump() returns trigger language plpgsql as $$ begin update price"
                     " set version = coalesce(version, '') || 'x' where sku = new.sku; return null; end $$",
                     "create trigger t after insert or update of cents on price for each row execute function bump()")
    prices = SQLDestination(database.url, "price", key="sku", version="version")
    assert told(prices, "create", create("A", {"cents": 1})) == [("A", "x")]
    assert told(prices, "update", update("A", {"cents": 2}, key="A", version="x")) == [("A", "xx")]
    assert told(prices, "update", update("A", {"cents": 3}, key="A", version="x")) == [("changed_since", None)]


def test_deleting_and_disabling_ask_for_no_version(database: Database) -> None:
    database.run("create table price (sku text primary key, version integer, is_live boolean)")
    prices = SQLDestination(database.url, "price", key="sku", version="version", active="is_live")
    told(prices, "create", create("A"), create("B"))
    database.run("update price set version = version + 1")
    [(_, version)] = told(prices, "disable", delete("A"))
    assert version == "3"
    assert refused(prices.delete([delete("B")], run_of())) == [None]
    assert database.run("select sku, is_live from price") == [("A", False)]
