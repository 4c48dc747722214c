"""A row that the database refuses is one record's trouble: the others of its batch are carried out."""

import re

import pytest

from penstock.connectors import SQLDestination
from penstock.domain.records import Done
from tests.connectors.sql.changes import create, created, delete, refused, run_of, update
from tests.connectors.sql.database import Database


@pytest.fixture
def shop(database: Database) -> Database:
    database.run(
        "create table team (id text primary key)",
        "insert into team values ('t1')",
        "create table person (id text primary key, email text not null constraint one_email unique, age integer"
        " constraint grown_up check (age >= 18), team text constraint its_team references team (id))")
    return database


@pytest.fixture
def people(shop: Database) -> SQLDestination:
    return SQLDestination(shop.url, "person", key="id", match="email")


CONSTRAINTS = [
    ({"email": "a@x"}, "uniqueness", "one_email", "person.email"),
    ({"email": None}, "not_null", "email", "person.email"),
    ({"email": "secret@x", "age": 17}, "check", "grown_up", "grown_up"),
    ({"email": "secret@x", "team": "secret-team"}, "foreign_key", "its_team", "FOREIGN KEY"),
]


@pytest.mark.parametrize(("payload", "code", "name", "sqlite_name"), CONSTRAINTS)
def test_a_constraint_refuses_one_row_and_is_named(
    shop: Database, people: SQLDestination, payload: dict[str, object], code: str, name: str, sqlite_name: str
) -> None:
    created(people, create("1", {"email": "a@x"}))
    changes = [create("2", {"email": "b@x"}), create("3", payload), create("4", {"email": "c@x"})]
    outcomes = people.create(changes, run_of())
    first, second, third = refused(outcomes)
    assert (first, third) == (None, None)
    assert second is not None
    assert second[0] == code
    assert (sqlite_name if shop.is_sqlite else name) in second[1]
    assert "secret" not in second[1]
    assert "a@x" not in second[1]
    assert shop.run("select id from person order by id") == [("1",), ("2",), ("4",)]


def test_many_bad_rows_among_good_ones(shop: Database, people: SQLDestination) -> None:
    """In one call, in whatever places, the first and the last among them."""
    changes = [create(f"{number:03}", {"email": f"{number}@x", "age": 17 if number % 3 == 0 else 18})
               for number in range(100)]
    run = run_of()
    outcomes = people.create(changes, run)
    assert [outcome is not None for outcome in refused(outcomes)] == [number % 3 == 0 for number in range(100)]
    assert shop.run("select count(*) from person") == [(66,)]
    assert run.calls.write == 1


def test_a_batch_in_which_every_row_is_bad(shop: Database, people: SQLDestination) -> None:
    outcomes = people.create([create("1", {"email": None}), create("2", {"email": "a", "age": 3})], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == ["not_null", "check"]
    assert shop.run("select * from person") == []


def test_two_rows_of_one_batch_that_cannot_both_be(shop: Database, people: SQLDestination) -> None:
    outcomes = people.create([create("1", {"email": "a@x"}), create("2", {"email": "a@x"})], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == [None, "uniqueness"]
    assert shop.run("select id from person") == [("1",)]


def test_updates_and_deletes_are_refused_alone_as_well(shop: Database, people: SQLDestination) -> None:
    created(people, create("1", {"email": "a@x", "team": "t1"}), create("2", {"email": "b@x"}))
    outcomes = people.update([update("1", {"email": "c@x"}, key="1"), update("2", {"email": "c@x"}, key="2")], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == [None, "uniqueness"]
    assert shop.run("select id, email from person order by id") == [("1", "c@x"), ("2", "b@x")]
    shop.run("insert into team values ('t2')")
    outcomes = SQLDestination(shop.url, "team", key="id").delete([delete("t1"), delete("t2")], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == ["foreign_key", None]
    assert shop.run("select id from team") == [("t1",)]


def test_a_create_that_meets_the_value_of_match_says_that_it_exists_already(database: Database) -> None:
    """The engine looks such a record up, and adopts it; another constraint is none of that."""
    number = "integer primary key" if database.is_sqlite else "serial primary key"
    database.run(f"create table person (id {number}, email text unique, badge text unique)")
    people = SQLDestination(database.url, "person", match="email")
    before = people.enforces_key  # nobody has looked yet
    created(people, create("1", {"email": "a@x", "badge": "7"}))
    assert people.enforces_key is True
    outcomes = people.create([create("2", {"email": "a@x"}), create("3", {"email": "b@x", "badge": "7"})], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == ["already_exists", "uniqueness"]
    assert not before


def test_a_constraint_that_is_checked_last(database: Database) -> None:
    """The COMMIT is refused, and with it every row of the batch: so each is sent in a transaction of its own."""
    database.run("create table team (id text primary key)",
                 "create table person (id text primary key, team text constraint its_team references team (id)"
                 " deferrable initially deferred)")
    people, run = SQLDestination(database.url, "person", key="id"), run_of()
    outcomes = people.create([create("1"), create("2", {"team": "nowhere"}), create("3")], run)
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == [None, "foreign_key", None]
    assert database.run("select id from person order by id") == [("1",), ("3",)]
    assert run.calls.write == 4


def test_rows_that_only_hold_together(database: Database) -> None:
    database.run("create table person (id text primary key, boss text references person (id)"
                 " deferrable initially deferred)")
    people = SQLDestination(database.url, "person", key="id")
    assert created(people, create("1", {"boss": "2"}), create("2", {"boss": "1"})) == ["1", "2"]


def test_a_row_that_ends_the_whole_transaction(sqlite_database: Database) -> None:
    sqlite_database.run("create table person (id text primary key on conflict rollback, email text unique on conflict"
                        " rollback)", "insert into person values ('0', 'b@x'), ('1', 'old')")
    people = SQLDestination(sqlite_database.url, "person", key="id")
    outcomes = people.update([update("1", {"email": "a@x"}, key="1"), update("2", {"email": "b@x"}, key="2"),
                              update("3", {"email": "c@x"}, key="3")], run_of())
    assert [outcome and outcome[0] for outcome in refused(outcomes)] == [None, "uniqueness", None]
    assert sqlite_database.run("select * from person order by id") == [("0", "b@x"), ("1", "a@x"), ("3", "c@x")]


def test_what_a_trigger_says_is_passed_on_without_values(shop: Database, people: SQLDestination) -> None:
    if shop.is_sqlite:
        shop.run("create trigger rule before insert on person when new.age > 99"
                 " begin select raise(abort, 'nobody is that old'); end")
    else:
        shop.run("create function rule() returns trigger language plpgsql as $$ begin if new.age > 99 then"
                 " raise exception 'nobody called % is that old (%)', new.email, new.age; end if; return new; end $$",
                 "create trigger rule before insert on person for each row execute function rule()")
    outcomes = people.create([create("1", {"email": "secret@x", "age": 104}), create("2", {"email": "b@x"})], run_of())
    first, second = refused(outcomes)
    assert second is None
    assert first is not None
    assert first[0] == "refused"
    assert "is that old" in first[1]
    assert "secret" not in first[1]
    assert "104" not in first[1]


def test_a_value_that_its_column_does_not_take_is_not_repeated(postgres_database: Database) -> None:
    postgres_database.run("create table thing (id text primary key, number integer, born date, short varchar(3),"
                          " extra jsonb)")
    things = SQLDestination(postgres_database.url, "thing", key="id")
    payloads = [{"number": "secret"}, {"number": 1.5}, {"born": "2026-02-30"}, {"short": "secret"},
                {"extra": "{secret"}, {"number": 2**70}, {"short": "a\0b"}, {"number": True}, {"number": 2.0}]
    changes = [create(f"{number}", payload) for number, payload in enumerate(payloads)]
    outcomes = refused(things.create(changes, run_of()))
    assert [outcome and outcome[0] for outcome in outcomes] == ["value"] * 7 + [None, None]
    assert not any("secret" in outcome[1] or "2026-02-30" in outcome[1] for outcome in outcomes if outcome)
    assert postgres_database.run("select id, number from thing order by id") == [("7", 1), ("8", 2)]


def test_half_a_character_is_refused(database: Database) -> None:
    database.run("create table thing (id text primary key)")
    things = SQLDestination(database.url, "thing", key="id")
    assert refused(things.create([create("\ud800"), create("2")], run_of()))[0] is not None
    assert database.run("select id from thing") == [("2",)]
    assert things.find(["\ud800", "2"], run_of()) == {"2": ["2"]}


def test_a_row_that_a_policy_does_not_allow(postgres_database: Database) -> None:
    """It has the code of a missing right, but concerns one row; a right that is missing concerns them all."""
    postgres_database.run("create table thing (id text primary key)", "alter table thing enable row level security",
                          "create policy short on thing using (true) with check (length(id) < 3)",
                          "drop role if exists penstock_writer", "create role penstock_writer login",
                          "grant usage on schema public to penstock_writer",
                          "grant select, insert, update on thing to penstock_writer")
    url = re.sub("//postgres[:@]", "//penstock_writer@", postgres_database.url)
    try:
        things = SQLDestination(url, "thing", key="id")
        outcomes = refused(things.create([create("1"), create("too long"), create("2")], run_of()))
        assert [outcome and outcome[0] for outcome in outcomes] == [None, "refused", None]
        with pytest.raises(Exception, match="permission denied.*Give this user leave"):
            things.delete([delete("1")], run_of())
    finally:
        postgres_database.run("drop owned by penstock_writer", "drop role penstock_writer")


def test_deleting_what_is_gone_is_done(people: SQLDestination) -> None:
    assert people.delete([delete("nobody")], run_of()) == [Done("nobody")]
