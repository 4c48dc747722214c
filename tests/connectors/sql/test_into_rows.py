"""What the verbs of a SQLDestination make of a table's rows, the same on both databases."""

from typing import Any

import pytest

from penstock.connectors import SQLDestination
from penstock.domain.errors import Unavailable
from penstock.domain.records import GONE, Done, Rejected
from tests.connectors.sql.changes import create, created, delete, done, refused, run_of, update
from tests.connectors.sql.database import Database


@pytest.fixture
def numbered(database: Database) -> Database:
    """Rows that the database numbers."""
    number = "integer primary key" if database.is_sqlite else "integer generated always as identity primary key"
    database.run(f"create table person (id {number}, email text not null unique, name text, active boolean)")
    return database


@pytest.fixture
def keyed(database: Database) -> Database:
    """Rows that records bring the key of."""
    database.run("create table price (sku text primary key, cents integer not null, note text)")
    return database


def people(database: Database, **options: Any) -> SQLDestination:
    return SQLDestination(database.url, "person", match="email", **options)


def prices(database: Database, **options: Any) -> SQLDestination:
    return SQLDestination(database.url, "price", key="sku", **options)


def test_rows_that_the_database_numbers(numbered: Database) -> None:
    destination, run = people(numbered), run_of()
    first, second = created(destination, create("k1", {"email": "a@x", "name": "A"}), create("k2", {"email": "b@x"}))
    assert numbered.run("select id, email, name from person order by id") == [
        (int(first), "a@x", "A"), (int(second), "b@x", None)]
    outcomes = destination.update([update(first, {"email": "a@y", "name": "A"}), update(second, {"email": "b@x"})], run)
    assert [done(outcome) for outcome in outcomes] == [first, second]
    assert destination.delete([delete(second)], run) == [Done(second)]
    assert numbered.run("select email, name from person") == [("a@y", "A")]
    assert (run.calls.write, run.calls.read) == (2, 0)


def test_a_row_that_is_gone_is_told_and_not_made_anew(numbered: Database) -> None:
    destination = people(numbered)
    outcome, other = destination.update([update("77", {"email": "a@x"}), update("none", {"email": "b@x"})], run_of())
    assert isinstance(outcome, Rejected)
    assert outcome.code == GONE
    assert isinstance(other, Rejected)  # no number, so the id of no row
    assert destination.delete([delete("77")], run_of()) == [Done("77")]
    assert numbered.run("select * from person") == []


def test_a_record_that_brings_its_key_can_be_created_twice(keyed: Database) -> None:
    destination = prices(keyed)
    assert destination.idempotent
    assert created(destination, create("A1", {"cents": 5}), create("B2", {"cents": 7, "note": "new"})) == ["A1", "B2"]
    assert created(destination, create("A1", {"cents": 6}), create("C3", {"cents": 8})) == ["A1", "C3"]
    assert keyed.run("select * from price order by sku") == [("A1", 6, None), ("B2", 7, "new"), ("C3", 8, None)]


def test_an_update_of_such_a_record_makes_a_row_that_is_gone(keyed: Database) -> None:
    """As it must where a create was recorded with its remote id, and was never carried out."""
    destination = prices(keyed)
    created(destination, create("A1", {"cents": 5}))
    changes = [update("A1", {"cents": 6}, key="A1"), update("B2", {"cents": 7}, key="B2")]
    outcomes = destination.update(changes, run_of())
    assert [done(outcome) for outcome in outcomes] == ["A1", "B2"]
    assert keyed.run("select sku, cents from price order by sku") == [("A1", 6), ("B2", 7)]


def test_the_payload_may_give_the_key_and_another_one_later(keyed: Database) -> None:
    destination = prices(keyed)
    assert created(destination, create("17", {"sku": "A1", "cents": 5})) == ["A1"]
    [outcome] = destination.update([update("A1", {"sku": "A2", "cents": 5}, key="17")], run_of())
    assert done(outcome) == "A2"
    assert keyed.run("select sku from price") == [("A2",)]


def test_the_remote_id_is_told_beforehand_where_the_key_alone_tells(keyed: Database) -> None:
    assert prices(keyed).identify(create("17", {"cents": 5})) == "17"
    assert prices(keyed).identify(create("17", {"sku": 3})) == "3"
    assert people(keyed).identify(create("17", {"email": "a@x"})) is None
    pair = SQLDestination(keyed.url, "x", key=("team", "person"), parent="team", references="person")
    assert pair.identify(create("k", parent_id="3", reference_ids=("4",))) == '["3","4"]'
    assert SQLDestination(keyed.url, "x", key=("a", "b"), account="a").identify(create("k", {"b": "1"})) is None


def test_a_record_without_its_key_is_refused_alone(keyed: Database) -> None:
    outcomes = prices(keyed).create([create("1", {"sku": None, "cents": 5}), create("2", {"cents": 5})], run_of())
    assert refused(outcomes) == [("key", "the record gives no value for sku, which identifies its row"), None]


def test_an_update_empties_what_the_record_lacks_now_and_leaves_other_columns_alone(numbered: Database) -> None:
    destination = people(numbered)
    [first] = created(destination, create("k1", {"email": "a@x", "name": "A"}))
    numbered.run("update person set active = true")
    destination.update([update(first, {"email": "b@x"}, fields=("email",))], run_of())
    assert numbered.run("select email, name, active from person") == [("b@x", "A", True)]
    destination.update([update(first, {"email": "b@x"}, fields=("name", "a column that was dropped"))], run_of())
    assert numbered.run("select email, name, active from person") == [("b@x", None, True)]


def test_parent_and_references_go_into_their_columns(database: Database) -> None:
    database.run("create table member (team_id integer, person_id integer, since text,"
                 " primary key (team_id, person_id))")
    destination = SQLDestination(database.url, "member", key=("team_id", "person_id"), parent="team_id",
                                 references="person_id")
    links: dict[str, Any] = {"parent_id": "3", "reference_ids": ("4",)}
    assert created(destination, create("k", **links)) == ['["3","4"]']
    assert created(destination, create("k", **links)) == ['["3","4"]']
    assert database.run("select * from member") == [(3, 4, None)]
    links["parent_id"] = "5"
    [outcome] = destination.update([update('["3","4"]', {"since": "2026"}, **links)], run_of())
    assert done(outcome) == '["5","4"]'
    assert database.run("select * from member") == [(5, 4, "2026")]
    assert destination.delete([delete('["5","4"]')], run_of()) == [Done('["5","4"]')]
    assert database.run("select * from member") == []


def test_a_link_that_its_layer_does_not_have_is_told(database: Database) -> None:
    database.run("create table member (id integer primary key, team_id integer, person_id integer)")
    destination = SQLDestination(database.url, "member", key="id", parent="team_id", references="person_id")
    with pytest.raises(Unavailable, match="its layer has no parent"):
        destination.create([create("1", reference_ids=("4",))], run_of())
    with pytest.raises(Unavailable, match="1 columns for references, but its layer has 2") as caught:
        destination.create([create("1", parent_id="3", reference_ids=("4", "5"))], run_of())
    assert not caught.value.sent


def test_disabling_sets_a_column_and_the_next_update_sets_it_back(numbered: Database) -> None:
    destination = people(numbered, active="active")
    [first] = created(destination, create("k1", {"email": "a@x"}))
    assert numbered.run("select active from person") == [(True,)]
    assert destination.disable([delete(first), delete("77")], run_of()) == [Done(first), Done("77")]
    assert numbered.run("select active from person") == [(False,)]
    destination.update([update(first, {"email": "a@x"})], run_of())
    assert numbered.run("select active from person") == [(True,)]


def test_a_number_can_say_that_a_row_is_active(database: Database) -> None:
    database.run("create table person (id text primary key, active integer)")
    destination = SQLDestination(database.url, "person", key="id", active="active")
    created(destination, create("k1"))
    assert database.run("select active from person") == [(1,)]
    destination.disable([delete("k1")], run_of())
    assert database.run("select active from person") == [(0,)]


def test_rows_of_other_accounts_are_not_touched(database: Database) -> None:
    database.run("create table price (sku text primary key, cents integer, account text)")
    destination = prices(database, account="account")
    mine, other = run_of(account="mine"), run_of(account="other")
    created(destination, create("A1", {"cents": 1}), run=mine)
    [outcome] = destination.create([create("A1", {"cents": 2})], other)
    assert isinstance(outcome, Rejected)
    assert "belongs to another account" in outcome.message
    [outcome] = destination.update([update("A1", {"cents": 2}, key="A1")], other)
    assert isinstance(outcome, Rejected)
    destination.delete([delete("A1")], other)
    assert destination.find(["A1"], other) == {}
    assert list(destination.read(other)) == []
    assert database.run("select * from price") == [("A1", 1, "mine")]
    assert destination.find(["A1"], mine) == {"A1": ["A1"]}
    destination.delete([delete("A1")], mine)
    assert database.run("select * from price") == []


def test_an_account_may_be_part_of_the_key(database: Database) -> None:
    database.run("create table price (account text, sku text, cents integer, primary key (account, sku))")
    destination = SQLDestination(database.url, "price", key=("account", "sku"), account="account")
    for account in ("mine", "other"):
        [remote_id] = created(destination, create("k", {"sku": "A1", "cents": 1}), run=run_of(account=account))
        assert remote_id == f'["{account}","A1"]'
    destination.delete([delete('["mine","A1"]')], run_of(account="mine"))
    assert database.run("select account from price") == [("other",)]


def test_a_record_without_any_payload(database: Database) -> None:
    number = "integer primary key" if database.is_sqlite else "serial primary key"
    database.run(f"create table thing (id {number}, name text default 'unnamed')")
    destination = SQLDestination(database.url, "thing", match="name")
    [remote_id] = created(destination, create("k"))
    assert [done(outcome) for outcome in destination.update([update(remote_id)], run_of())] == [remote_id]
    [outcome] = destination.update([update("77")], run_of())
    assert isinstance(outcome, Rejected)
    assert outcome.code == GONE
    assert database.run("select name from thing") == [("unnamed",)]


def test_names_that_need_quotes(database: Database) -> None:
    database.run('create table "the ""100%"" table" ("order" text primary key, "a % b" text, "c?" text)')
    destination = SQLDestination(database.url, 'the "100%" table', key="order", match="a % b")
    payload = {"a % b": "x %s ?", "c?": "'; drop table person --"}
    assert created(destination, create("1", payload)) == ["1"]
    destination.update([update("1", payload, key="1")], run_of())
    assert destination.find(["x %s ?"], run_of()) == {"x %s ?": ["1"]}
    assert [record[2] for record in destination.read(run_of())] == [{"order": "1", **payload}]
    destination.delete([delete("1")], run_of())
    assert list(destination.read(run_of())) == []


@pytest.mark.parametrize(("column", "key", "spelled"), [
    ("integer", "7", "007"), ("numeric(10, 2)", "7.50", "7.5"), ("text collate nocase", "abc", "ABC")])
def test_a_key_that_differs_in_spelling_only_takes_nobodys_row(
    database: Database, column: str, key: str, spelled: str
) -> None:
    if ("nocase" in column and not database.is_sqlite) or ("numeric" in column and database.is_sqlite):
        pytest.skip("a type of the other database")
    database.run(f"create table price (sku {column} primary key, cents integer)")
    destination = prices(database)
    assert created(destination, create(key, {"cents": 1})) == [key]
    outcomes = destination.create([create(spelled, {"cents": 2}), create("10.00", {"cents": 3})],
                                  run_of(held=(key, spelled)))
    assert next(outcome[0] for outcome in refused(outcomes) if outcome) == "uniqueness"
    assert database.run("select cents from price where sku = '" + key + "'") == [(1,)]


def test_a_key_that_the_database_spells_its_own_way(postgres_database: Database) -> None:
    postgres_database.run("create table thing (id uuid primary key, name text)")
    destination = SQLDestination(postgres_database.url, "thing", key="id")
    spelled, kept = "6F9619FF8B86D011B42D00CF4FC964FF", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    assert created(destination, create(spelled), run=run_of(held=(spelled,))) == [kept]
    [outcome] = destination.update([update(kept, {"name": "x"}, key=spelled)], run_of(held=(kept,)))
    assert done(outcome) == kept
