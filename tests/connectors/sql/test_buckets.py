"""Buckets: what did not change in the source is not read, and everything that did is."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from penstock import Penstock
from penstock.connectors import SQLSource
from penstock.domain.errors import ConfigurationError
from penstock.domain.records import GONE, Bucket, Rejected
from penstock.sync import Guard, Layer, Run, Subject, Sync
from penstock.sync.state.runs import RunRow
from tests.clock import Clock
from tests.connectors.sql.database import Database
from tests.engine import Engine
from tests.remote import Remote

TEAMS = "select id, name from team where account = :account"
PEOPLE = "select id, team_id, name from person"
one_store = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # the source is what these are about


class World:
    """Teams and people in PostgreSQL, ten people to a bucket, and a destination."""

    def __init__(self, database: Database, url: str, clock: Clock, key_type: str = "integer") -> None:
        self.database, self.url, self.clock = database, url, clock
        self.teams, self.people = Remote(), Remote()
        self.query = PEOPLE
        self.render: Callable[[Any], dict[str, Any]] = lambda person: {"name": person["name"]}
        database.run("create table team (id integer primary key, account text not null, name text not null)",
                     "insert into team values (1, 'acme', 'one'), (2, 'acme', 'two')",
                     f"create table person (id {key_type} primary key, team_id integer not null, name text not null)")

    def hire(self, *rows: tuple[Any, int, str]) -> None:
        self.database.run(*(f"insert into person values ('{key}', {team}, '{name}')" for key, team, name in rows))

    @contextmanager
    def deployed(self, **options: Any) -> Iterator[Engine]:
        world = self

        class Teams(Layer[dict[str, Any]]):
            key = "id"
            source = SQLSource(world.database.url, TEAMS, key="id", buckets=10)
            destination = world.teams

            def render(self, team: dict[str, Any], run: Run) -> dict[str, Any]:
                return {"name": team["name"]}

        class People(Layer[dict[str, Any]]):
            key, parent, guard = "id", Teams.by("team_id"), Guard(at_least=1000)  # deletes are another matter
            source = SQLSource(world.database.url, world.query, key="id", buckets=10)
            destination = world.people

        rendered = self.render
        People.render = lambda self, person, run: rendered(person)  # type: ignore[attr-defined]
        for name, value in options.items():
            setattr(People, name, value)
        with Penstock(self.url, now=self.clock.expression) as app:
            @app.sync("staff")
            class Staff(Sync[str]):
                layers = [Teams, People]

                def subjects(self) -> Iterator[Subject]:
                    yield Subject("all", account="acme")

            yield Engine(app, self.clock)

    def sync(self, **options: Any) -> RunRow:
        with self.deployed(**options) as engine:
            [run] = engine.sync("staff", "all")
        assert run.status == "succeeded", run.error
        return run

    def in_step(self) -> bool:
        """Whether the destination holds what the source has."""
        held = sorted((record["key"], record["payload"]["name"]) for record in self.people.records.values())
        return held == sorted((str(key), name) for key, name in self.database.run("select id, name from person"))


@pytest.fixture
def world(postgres_database: Database, store_url: str, clock: Clock) -> World:
    found = World(postgres_database, store_url, clock)
    found.hire(*((number, number % 2 + 1, f"name {number}") for number in range(55)))
    assert found.sync().read == 57
    return found


@one_store
def test_a_run_without_changes_reads_nothing(world: World):
    run = world.sync()
    assert (run.read, run.skipped, run.write_calls) == (0, 57, 0)
    assert world.in_step()


@one_store
def test_a_run_without_changes_asks_for_no_bucket_by_itself(world: World, monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []
    monkeypatch.setattr(SQLSource, "bucket_digests", lambda *given: asked.append(given))
    assert world.sync().read == 0
    assert asked == []


def test_only_the_bucket_of_a_change_is_read(world: World):
    world.database.run("update person set name = 'another' where id = 23")
    run = world.sync()
    assert (run.read, run.updated, run.skipped) == (10, 1, 56)
    assert world.in_step()
    assert world.sync().read == 0


@one_store
def test_new_rows_within_and_behind_are_found(world: World):
    world.database.run("update person set id = 1000 where id = 30")
    world.sync()
    world.hire((30, 1, "back"), (2000, 1, "last"))
    run = world.sync()
    assert (run.created, run.deleted) == (2, 0)
    assert world.in_step()


def test_who_left_is_deleted(world: World):
    world.database.run("delete from person where id in (7, 30)")
    assert world.sync().deleted == 2
    assert world.in_step()
    assert world.sync().read == 0


@one_store
def test_a_whole_bucket_that_left_is_deleted(world: World):
    world.database.run("delete from person where id between 20 and 28")
    run = world.sync()
    assert run.deleted == 9
    assert world.in_step()


@one_store
def test_an_empty_source_deletes_nothing(world: World):
    world.database.run("delete from person")
    assert world.sync().deleted == 0
    assert len(world.people.records) == 55


def test_what_failed_keeps_its_bucket_among_those_that_are_read(world: World):
    world.database.run("update person set name = 'another' where id = 23")
    world.people.refused["23"] = Rejected("no", "not today")
    assert world.sync().failed == 1
    world.people.refused.clear()
    world.clock.advance(86_400)
    run = world.sync()
    assert (run.read, run.updated) == (10, 1)
    assert world.in_step()
    assert world.sync().read == 0


def test_another_render_or_query_reads_everything(world: World):
    world.render = lambda person: {"name": person["name"], "team": person["team_id"]}
    run = world.sync()
    assert (run.read, run.updated) == (55, 55)
    world.query += " where id < 1000"
    run = world.sync()
    assert (run.read, run.updated) == (55, 0)
    assert world.sync().read == 0


@one_store
def test_what_a_lesser_mode_left_out_is_made_up_for(world: World):
    world.database.run("update person set name = 'another' where id = 23")
    assert world.sync(mode="create_only").updated == 0
    assert world.sync().updated == 1
    assert world.in_step()


@one_store
def test_children_of_a_parent_that_was_made_anew_are_sent(world: World):
    old = set(world.teams.records)
    world.teams.refused["1"] = Rejected(GONE, "who?")
    world.database.run("update team set name = 'another' where id = 1")
    world.sync()
    world.teams.refused.clear()
    world.sync()
    assert set(world.teams.records) - old
    held = {record["payload"]["name"]: remote_id for remote_id, record in world.teams.records.items()
            if remote_id not in old or record["payload"]["name"] == "two"}
    assert {record["parent"] for record in world.people.records.values()} == set(held.values())
    assert world.sync().read == 0


@one_store
def test_buckets_that_have_grown_are_divided_again(world: World):
    world.hire(*((number, 1, f"name {number}") for number in range(100, 160)))
    world.sync()
    world.sync()
    world.database.run("update person set name = 'another' where id = 150")
    assert world.sync().read == 10
    assert world.in_step()


@one_store
def test_a_row_that_changes_after_its_digest_was_taken_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch):
    world.database.run("update person set name = 'first' where id = 23")
    digests = SQLSource.bucket_digests

    def then_changed(self: SQLSource, run: Run, bounds: list[str]) -> list[Bucket]:
        found = digests(self, run, bounds)
        world.database.run("update person set name = 'second' where id in (23, 44)")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(SQLSource, "bucket_digests", then_changed)
        world.sync()
    world.sync()
    assert world.in_step()
    assert world.sync().read == 0


@one_store
@pytest.mark.parametrize(("key_type", "keys"), [
    ("text", ["a,b", 'quo"te', "back\\slash", "{brace}", "NULL", "ü", " space", "Z", "a", "10", "9", "''x"]),
    ("uuid", [f"00000000-0000-0000-0000-{number:012}" for number in range(25)]),
    ("bigint", [str(number) for number in (-5, 2**62, 0, *range(100, 120))]),
    ("date", [f"2026-01-{day:02}" for day in range(1, 29)]),
    ("numeric", ["1.5", "-2.25", *(str(number) for number in range(3, 25))]),
])
def test_keys_of_every_kind(postgres_database: Database, store_url: str, clock: Clock, key_type: str, keys: list[str]):
    world = World(postgres_database, store_url, clock, key_type)
    world.hire(*((key, 1, "someone") for key in keys))
    assert world.sync().created == len(keys) + 2
    assert world.sync().read == 0
    world.database.run(f"update person set name = 'another' where id = '{keys[-1]}'")
    assert world.sync().updated == 1
    assert world.sync().read == 0


@one_store
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 8))])
def test_whatever_changes_the_destination_follows(world: World, seed: int):
    chance = random.Random(seed)
    for _ in range(8):
        for _ in range(chance.randrange(4)):
            first, last = sorted(chance.randrange(90) for _ in range(2))
            world.database.run(chance.choice([
                f"delete from person where id between {first} and {min(last, first + 12)} and id > 5",
                f"update person set name = name || '!' where id between {first} and {last}",
                f"insert into person select n, 1, 'new' from generate_series({first}, {last}) n on conflict do nothing",
                f"update person set team_id = 2 where id = {first}",
            ]))
        world.sync()
        assert world.in_step()
    run = world.sync()
    assert (run.read, run.write_calls) == (0, 0)


def test_what_is_declared_wrongly():
    with pytest.raises(ConfigurationError, match="buckets to be a number of rows from 2, but got 1"):
        SQLSource("postgresql:///x", "select 1 as id", key="id", buckets=1)


def test_on_sqlite_everything_is_read(sqlite_database: Database):
    assert SQLSource(sqlite_database.url, "select 1 as id", key="id", buckets=10).buckets is None
