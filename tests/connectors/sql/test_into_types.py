"""What a payload's values become in columns of many types, the same on both databases as far as they have them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from penstock.connectors import SQLDestination
from tests.connectors.sql.changes import create, created, run_of, update
from tests.connectors.sql.database import Database

PAYLOAD = {
    "text": "Åse 'x' \"y\" %s ? :a \\", "whole": 42, "large": 2**62, "real": 0.1, "yes": True, "no": False,
    "missing": None,
    "born": "1990-01-02", "seen": "2026-11-21T12:00:00+00:00", "price": "12345678901234567890.10",
    "extra": {"a": [1, {"b": None}], "ü": "x"}, "list": [1, 2], "number_as_text": 5, "truth_as_text": True,
    "truth_as_number": True,
}


@pytest.fixture
def things(database: Database) -> SQLDestination:
    moment, document = ("text", "json") if database.is_sqlite else ("timestamptz", "jsonb")
    database.run(
        "create table thing (id text primary key, text text, whole integer, large bigint, real double precision,"
        f" yes boolean, no boolean, missing integer, born date, seen {moment},"
        f" price {'text' if database.is_sqlite else 'numeric'}, extra {document}, list text, number_as_text text,"
        " truth_as_text text, truth_as_number integer)")
    return SQLDestination(database.url, "thing", key="id")


def test_what_is_written_is_read_back(things: SQLDestination) -> None:
    created(things, create("1", PAYLOAD))
    [(remote_id, value, payload)] = things.read(run_of())
    assert (remote_id, value) == ("1", "1")
    seen = payload.pop("seen")
    assert datetime.fromisoformat(seen) == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert payload == {**{name: value for name, value in PAYLOAD.items() if name != "seen"}, "id": "1", "list": "[1,2]",
                       "number_as_text": "5", "truth_as_text": "true", "truth_as_number": 1}


def test_the_database_holds_values_of_its_own_types(postgres_database: Database) -> None:
    postgres_database.run("create table thing (id text primary key, born date, seen timestamptz, price numeric,"
                          " extra jsonb, document json)")
    things = SQLDestination(postgres_database.url, "thing", key="id")
    created(things, create("1", {"born": "1990-01-02", "seen": "2026-11-21T13:00:00+01:00", "price": "1.10",
                                 "extra": {"a": 1}, "document": [1]}))
    assert postgres_database.run("select born, seen at time zone 'utc', price, extra, document from thing") == [
        (date(1990, 1, 2), datetime(2026, 11, 21, 12), Decimal("1.10"), {"a": 1}, [1])]  # noqa: DTZ001


@pytest.mark.parametrize(("given", "kept"), [
    ({"a": 1}, {"a": 1}), ([1, "x"], [1, "x"]), (3, 3), (True, True), ('{"a": 1}', {"a": 1}), (None, None)])
def test_a_column_of_json(database: Database, given: Any, kept: Any) -> None:
    """Text is taken for JSON already, as a SQLite source gives it."""
    database.run(f"create table thing (id text primary key, extra {'json' if database.is_sqlite else 'jsonb'})")
    things = SQLDestination(database.url, "thing", key="id")
    created(things, create("1", {"extra": given}))
    assert [payload["extra"] for _, _, payload in things.read(run_of())] == [kept]


def test_numbers_beyond_what_a_column_holds(sqlite_database: Database) -> None:
    sqlite_database.run("create table thing (id text primary key, number text)")
    things = SQLDestination(sqlite_database.url, "thing", key="id")
    created(things, create("1", {"number": 2**64}))
    assert sqlite_database.run("select number from thing") == [(f"{2**64}",)]


def test_keys_of_many_types(postgres_database: Database) -> None:
    keys = {"integer": "42", "bigint": "-7", "uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "char(5)": "ab",
            "numeric(10,2)": "1.50", "date": "2026-11-21"}
    for number, (column, key) in enumerate(keys.items()):
        postgres_database.run(f"create table thing{number} (id {column} primary key, name text)")
        things = SQLDestination(postgres_database.url, f"thing{number}", key="id")
        assert created(things, create(key, {"name": "x"})) == [key]
        things.update([update(key, {"name": "y"}, key=key)], run_of())
        assert things.find([key, "no key of this type"], run_of()) == {key: [key]}
        assert [(remote_id, payload["name"]) for remote_id, _, payload in things.read(run_of())] == [(key, "y")]
