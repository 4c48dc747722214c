"""Finding rows by a value, and reading a whole table back for first contact and audit."""

import pytest

from penstock.connectors import SQLDestination
from penstock.connectors.sql import reading
from penstock.domain.errors import Stopping, Unavailable
from tests.connectors.sql.changes import create, created, run_of
from tests.connectors.sql.database import Database


@pytest.fixture
def people(database: Database) -> SQLDestination:
    number = "integer primary key" if database.is_sqlite else "serial primary key"
    database.run(f"create table person (id {number}, email text, name text, active boolean, team integer)")
    return SQLDestination(database.url, "person", match="email", active="active")


def test_every_row_that_has_a_value_is_found(database: Database, people: SQLDestination) -> None:
    database.insert("person (id, email)", [(1, "a@x"), (2, "b@x"), (3, "b@x"), (4, None)])
    run = run_of()
    found = people.find(["a@x", "b@x", "nobody", "b@x"], run)
    assert {value: sorted(ids) for value, ids in found.items()} == {"a@x": ["1"], "b@x": ["2", "3"]}
    assert (run.calls.read, run.calls.write) == (1, 0)


def test_by_the_key_where_there_is_no_match(database: Database) -> None:
    database.run("create table price (sku text primary key)", "insert into price values ('A'), ('B')")
    assert SQLDestination(database.url, "price", key="sku").find(["A", "C"], run_of()) == {"A": ["A"]}
    database.run("create table pair (a text, b integer, primary key (a, b))", "insert into pair values ('x', 1)")
    pairs = SQLDestination(database.url, "pair", key=("a", "b"))
    assert pairs.find(['["x","1"]', '["x","2"]', "x", '["x"]'], run_of()) == {'["x","1"]': ['["x","1"]']}


def test_a_value_that_the_column_cannot_hold_is_in_no_row(database: Database) -> None:
    database.run("create table thing (id text primary key, number integer)", "insert into thing values ('1', 7)")
    things = SQLDestination(database.url, "thing", key="id", match="number")
    assert things.find(["no number", "7", "a\0b"], run_of()) == {"7": ["1"]}


def test_reading_gives_remote_id_match_and_what_a_payload_may_give(
    database: Database, people: SQLDestination
) -> None:
    database.insert("person", [(2, "b@x", "B", True, 3), (10, None, None, False, None)])
    run = run_of()
    assert list(people.read(run)) == [
        ("2", "b@x", {"email": "b@x", "name": "B", "team": 3, "active": True}),
        ("10", None, {"email": None, "name": None, "team": None, "active": False}),
    ]
    assert run.calls.read == 1
    children = SQLDestination(database.url, "person", match="email", parent="team")
    assert all("team" not in payload for _, _, payload in children.read(run))


def test_a_table_of_many_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.connectors.sql.destination.PAGE", 7)
    database.run("create table pair (a text, b integer, name text, primary key (a, b))")
    pairs = [(f"a{number % 5}", number) for number in range(50)]
    database.insert("pair (a, b)", pairs)
    destination, run = SQLDestination(database.url, "pair", key=("a", "b")), run_of()
    found = list(destination.read(run))
    assert [remote_id for remote_id, _, _ in found] == [f'["{a}","{b}"]' for a, b in sorted(pairs)]
    assert all(value == remote_id for remote_id, value, _ in found)
    assert run.calls.read == 8
    assert reading.PAGE == 1000


def test_a_read_stops_between_pages_and_holds_no_transaction_there(
    database: Database, people: SQLDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.connectors.sql.destination.PAGE", 2)
    database.insert("person (id)", [(number,) for number in range(1, 6)])
    run = run_of()
    rows = people.read(run)
    next(rows)
    with database.connect() as writer:  # a reader's transaction would be in the way of both
        writer.execute("begin exclusive" if database.is_sqlite else "begin")
        if not database.is_sqlite:
            writer.execute("lock person in access exclusive mode nowait")
        writer.execute("rollback")

    def stop() -> None:
        raise Stopping("the worker stops")

    run.check = stop
    next(rows)
    with pytest.raises(Stopping):
        next(rows)


def test_a_read_that_fails_half_way_does_not_end_as_if_it_were_whole(
    database: Database, people: SQLDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.connectors.sql.destination.PAGE", 2)
    database.insert("person (id)", [(number,) for number in range(1, 6)])
    rows = people.read(run_of())
    next(rows)
    database.run("drop table person")
    next(rows)
    with pytest.raises(Unavailable):
        next(rows)


def test_what_was_written_is_what_is_read(people: SQLDestination) -> None:
    ids = created(people, *(create(f"k{number}", {"email": f"{number}@x", "name": None}) for number in range(20)))
    assert [(remote_id, value) for remote_id, value, _ in people.read(run_of())] == [
        (remote_id, f"{number}@x") for number, remote_id in enumerate(ids)]
