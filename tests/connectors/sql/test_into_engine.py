"""The engine from one database into another: whatever happens, the next runs converge, and no row exists twice."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.connectors.sql.cutter import COMMIT, Cutter
from tests.connectors.sql.database import Database
from tests.connectors.sql.shop import Shop
from tests.engine import Engine


@pytest.fixture
def sqlite_target(tmp_path: Path) -> Database:
    target = Database(f"sqlite:///{tmp_path}/shop.db")
    target.run("pragma journal_mode = wal")
    return target


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest) -> Database:
    fixture = {"sqlite": "sqlite_target", "postgres": "postgres_database"}[request.param]
    found: Database = request.getfixturevalue(fixture)
    return found


@contextmanager
def running(shop: Shop, store_url: str, clock: Clock) -> Iterator[Engine]:
    with shop.app(store_url, clock.expression) as app:
        yield Engine(app, clock)


@pytest.fixture
def shop(sqlite_database: Database, target: Database) -> Shop:
    return Shop(sqlite_database, target)


@pytest.fixture
def engine(shop: Shop, store_url: str, clock: Clock) -> Iterator[Engine]:
    with running(shop, store_url, clock) as engine:
        yield engine


WAITING = "select 1 from penstock.sync_runs where status in ('pending', 'running')"


def converged(engine: Engine, shop: Shop, hours: int = 2) -> None:
    """Runs that waited are served, and then there is nothing left to write."""
    for _ in range(hours * 4):
        engine.clock.advance(900)
        if engine.clock.fetch(WAITING):
            engine.settle_all()
    [run] = engine.sync("shop", "all")
    assert (run.status, run.error) == ("succeeded", None)
    assert shop.differences() == []
    [run] = engine.sync("shop", "all")
    assert (run.status, run.write_calls, run.failed) == ("succeeded", 0, 0)
    assert run.skipped == run.read


def test_source_equals_destination_after_every_change(
    database: Database, target: Database, store_url: str, clock: Clock
) -> None:
    """From either kind of database into either kind."""
    shop = Shop(database, target)
    with running(shop, store_url, clock) as engine:
        [run] = engine.sync("shop", "all")
        assert (run.status, run.created, run.failed, run.blocked) == ("succeeded", 63, 0, 0), run.error
        assert run.write_calls == 2 + 5 + 3  # batches of 2, 7 and 11
        assert shop.differences() == []
        database.run("update hr_team set title = 'renamed' where code = 'a'",
                     "update hr_person set email = 'new@x', name = null where id = 3",
                     "update hr_person set team = 'c' where id = 4",
                     "update hr_badge set team = 'c' where id = 6",
                     "update hr_badge set colour = 'red' where id = 7",
                     "delete from hr_badge where id = 8", "delete from hr_person where id = 8",
                     "insert into hr_team values ('d', 'Team d')",
                     "insert into hr_person values (99, 'p99@x', 'name 99', null, 'd')",
                     "insert into hr_badge values (99, 99, 'd', 'blue')")
        [run] = engine.sync("shop", "all")
        assert (run.status, run.created, run.updated, run.deleted, run.failed) == ("succeeded", 3, 5, 2, 0)
        converged(engine, shop, hours=0)


def test_a_row_that_is_refused_is_one_records_trouble(engine: Engine, shop: Shop) -> None:
    shop.source.run("update hr_person set name = 'nobody' where id = 5")
    [run] = engine.sync("shop", "all")
    assert (run.created, run.failed, run.blocked) == (61, 1, 1)  # a person, and the badge that refers to her
    status, remote_id, error_class = engine.state("People")["5"]
    assert (status, remote_id, error_class) == ("failed", None, "check")
    shop.source.run("update hr_person set name = 'somebody' where id = 5")
    converged(engine, shop)


def test_rows_that_were_there_before_are_adopted(engine: Engine, shop: Shop) -> None:
    """One that has the e-mail of a record becomes its row; a key that is there already needs no adoption."""
    shop.target.run("insert into team values ('a', 'by hand')",
                    "insert into person (team, email, name) values ('a', 'p7@x', 'by hand')")
    [(by_hand,)] = shop.target.run("select id from person")
    [run] = engine.sync("shop", "all")
    assert (run.status, run.failed) == ("succeeded", 0), run.error
    assert engine.state("People")["7"] == ("synced", f"{by_hand}", None)
    converged(engine, shop, hours=0)


def test_a_conflict_that_is_another_records_row_is_left_to_a_person(engine: Engine, shop: Shop) -> None:
    """Two records of the source with one e-mail: the second must not take the row of the first."""
    shop.source.run("update hr_person set email = 'p1@x' where id = 2")
    [run] = engine.sync("shop", "all")
    assert (run.failed, run.blocked) == (1, 1)
    status, remote_id, error_class = engine.state("People")["2"]
    assert (status, remote_id, error_class) == ("in_doubt", None, "ambiguous")
    assert shop.target.run("select name from person where email = 'p1@x'") == [("name 1",)]


@pytest.mark.parametrize("verb", ["create", "update"])
def test_answers_that_were_lost_double_nobody(engine: Engine, shop: Shop, verb: str) -> None:
    """One of each layer, so that three runs break off."""
    destinations = (shop.teams, shop.people, shop.badges)
    if verb == "update":
        engine.sync("shop", "all")
        shop.source.run("update hr_team set title = title || '!'", "update hr_person set name = name || '!'",
                        "update hr_badge set colour = 'red'")
    for destination in destinations:
        destination.lost = verb
    [run] = engine.sync("shop", "all")
    assert (run.status, run.error) == ("pending", "the answer was lost")
    assert "in_doubt" in {status for status, *_ in engine.state("Teams").values()}
    converged(engine, shop)
    assert [destination.lost for destination in destinations] == [None] * 3


def test_a_row_that_somebody_removed_is_made_anew(engine: Engine, shop: Shop) -> None:
    engine.sync("shop", "all")
    shop.target.run("delete from badge", "delete from person where email = 'p5@x'")
    shop.source.run("update hr_person set name = 'x' where id = 5", "update hr_badge set colour = 'red'")
    engine.sync("shop", "all")
    converged(engine, shop)


CUTS: dict[str, Callable[[Cutter], None]] = {
    "before the first row": lambda cutter: cutter.cut(b"insert into", answered=False),
    "in the middle": lambda cutter: cutter.cut(b"insert into", answered=False, skip=3),
    "before a commit": lambda cutter: cutter.cut(COMMIT, answered=False, skip=3),
    "behind the first commit": lambda cutter: cutter.cut(COMMIT, answered=True),
    "behind a commit of people": lambda cutter: cutter.cut(COMMIT, answered=True, skip=3),
    "behind a commit of badges": lambda cutter: cutter.cut(COMMIT, answered=True, skip=8),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_connection_that_is_cut_loses_nothing_and_doubles_nobody(
    sqlite_database: Database, postgres_database: Database, store_url: str, clock: Clock, cut: str
) -> None:
    with closing(Cutter(postgres_database.url)) as cutter:
        shop = Shop(sqlite_database, postgres_database, through=cutter.url)
        with running(shop, store_url, clock) as engine:
            CUTS[cut](cutter)
            [run] = engine.sync("shop", "all")
            assert (run.status, run.error_class, cutter.cuts) == ("pending", "Unavailable", 1)
            converged(engine, shop)
