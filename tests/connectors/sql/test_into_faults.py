"""What fails before the COMMIT was surely not carried out; what fails in it is in doubt, unless the server says so."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from penstock.connectors import SQLDestination
from penstock.domain.errors import Unavailable
from penstock.domain.records import Done
from tests.connectors.sql.changes import create, created, delete, refused, run_of
from tests.connectors.sql.cutter import Cutter
from tests.connectors.sql.database import Database
from tests.connectors.sql.pooler import Pooler


def failure(destination: SQLDestination, *keys: str, **run: Any) -> Unavailable:
    work = run_of()
    for name, value in run.items():
        setattr(work, name, value)
    with pytest.raises(Unavailable) as caught:
        destination.create([create(key) for key in keys], work)
    return caught.value


@pytest.fixture
def table(database: Database) -> Database:
    database.run("create table thing (id text primary key, name text)")
    return database


@pytest.fixture
def postgres_table(postgres_database: Database) -> Database:
    postgres_database.run("create table thing (id text primary key, name text)")
    return postgres_database


@pytest.fixture
def cutter(postgres_table: Database) -> Iterator[Cutter]:
    with closing(Cutter(postgres_table.url)) as cutter:
        yield cutter


def keys_in(database: Database) -> list[str]:
    return [key for (key,) in database.run("select id from thing order by id")]


def test_a_connection_that_is_lost_before_the_commit(postgres_table: Database, cutter: Cutter) -> None:
    cutter.cut(b"insert into", answered=False)
    error = failure(SQLDestination(cutter.url, "thing", key="id"), "1", "2")
    assert (error.sent, cutter.cuts, keys_in(postgres_table)) == (False, 1, [])


def test_a_commit_that_never_arrives_is_in_doubt(postgres_table: Database, cutter: Cutter) -> None:
    cutter.cut(answered=False)
    error = failure(SQLDestination(cutter.url, "thing", key="id"), "1", "2")
    assert (error.sent, error.outcomes, keys_in(postgres_table)) == (True, (), [])


def test_a_commit_whose_answer_is_lost_is_in_doubt(postgres_table: Database, cutter: Cutter) -> None:
    cutter.cut(answered=True)
    error = failure(SQLDestination(cutter.url, "thing", key="id"), "1", "2")
    assert (error.sent, error.outcomes, keys_in(postgres_table)) == (True, (), ["1", "2"])
    assert "It is not known whether it has committed." in str(error)


def test_of_rows_that_are_sent_singly_only_one_is_in_doubt(postgres_table: Database, cutter: Cutter) -> None:
    """Those before it have their outcome, and those behind it were not sent."""
    postgres_table.run("alter table thing add foreign key (name) references thing deferrable initially deferred")
    things = SQLDestination(cutter.url, "thing", key="id")
    cutter.cut(answered=True, skip=2)  # the whole batch, which is refused; then the first row
    with pytest.raises(Unavailable) as caught:
        things.create([create("1"), create("2"), create("3", {"name": "nobody"}), create("4")], run_of())
    assert (caught.value.sent, caught.value.outcomes) == (False, (Done("1"), None))
    assert keys_in(postgres_table) == ["1", "2"]


def test_a_server_process_that_is_ended_in_the_middle_of_a_batch(postgres_table: Database) -> None:
    postgres_table.run("create function die() returns trigger language plpgsql as $$ begin if new.id = '3' then"
                       " perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$",
                       "create trigger t before insert on thing for each row execute function die()")
    things = SQLDestination(postgres_table.url, "thing", key="id")
    error = failure(things, "1", "2", "3", "4")
    assert (error.sent, keys_in(postgres_table)) == (False, [])
    postgres_table.run("drop trigger t on thing")
    assert created(things, create("1"), create("3")) == ["1", "3"]


def test_a_server_that_is_not_there() -> None:
    things = SQLDestination("postgresql://user:secret@127.0.0.1:9/shop", "thing", key="id")
    error = failure(things, "1")
    assert not error.sent
    assert "postgresql://127.0.0.1:9/shop" in str(error)
    assert "secret" not in str(error)
    with pytest.raises(Unavailable):
        things.find(["1"], run_of())


def test_a_lease_that_is_about_to_end_commits_nothing(table: Database) -> None:
    """Another worker may look for what this one makes as soon as it has ended."""
    error = failure(SQLDestination(table.url, "thing", key="id"), "1", remaining=lambda: 0.5)
    assert not error.sent
    assert "its lease is about to end" in str(error)
    assert keys_in(table) == []


def test_locks_of_others_are_not_waited_for_for_ever(table: Database) -> None:
    things = SQLDestination(table.url, "thing", key="id", timeout=0.1)
    with table.connect() as other:
        other.execute("begin immediate" if table.is_sqlite else "begin")
        if not table.is_sqlite:
            other.execute("lock table thing in share mode")
        error = failure(things, "1")
        assert not error.sent
        assert "this is tried again later" in str(error)
        other.execute("rollback")
    assert created(things, create("1")) == ["1"]


def test_a_reader_that_keeps_a_commit_from_happening(sqlite_database: Database) -> None:
    """As it can without a write-ahead log; then nothing is carried out, and nothing in doubt."""
    sqlite_database.run("pragma journal_mode = delete", "create table thing (id text primary key)")
    things = SQLDestination(sqlite_database.url, "thing", key="id", timeout=0.1)
    created(things, create("0"))
    with sqlite_database.connect() as reader:
        reader.execute("begin")
        reader.execute("select * from thing").fetchall()
        assert not failure(things, "1").sent
        reader.execute("commit")
    assert keys_in(sqlite_database) == ["0"]
    assert created(things, create("1")) == ["1"]


def test_a_file_that_is_no_database(sqlite_database: Database) -> None:
    sqlite_database.run("create table thing (id text primary key)")
    things = SQLDestination(sqlite_database.url, "thing", key="id")
    path = sqlite_database.url.removeprefix("sqlite:///")
    with open(path, "r+b") as file:
        file.write(b"no database at all")
    error = failure(things, "1")
    assert not error.sent
    assert "file is not a database" in str(error)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that is opened from here on."""
    connections: list[Any] = []

    def keeping(connect: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*arguments: Any, **options: Any) -> Any:
            connections.append(connect(*arguments, **options))
            return connections[-1]

        return kept

    monkeypatch.setattr(sqlite3, "connect", keeping(sqlite3.connect))
    monkeypatch.setattr(psycopg, "connect", keeping(psycopg.connect))
    return connections


def is_open(connection: Any) -> bool:
    if isinstance(connection, psycopg.Connection):
        return not connection.closed
    try:
        connection.execute("select 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_every_call_closes_its_connection(table: Database, opened: list[Any]) -> None:
    things = SQLDestination(table.url, "thing", key="id", active=None)
    assert opened == []
    created(things, create("1"), create("2"))
    things.create([create("3", {"name": "x"}), create("")], run_of())
    things.delete([delete("1")], run_of())
    things.find(["2"], run_of())
    list(things.read(run_of()))
    rows = things.read(run_of())
    next(rows)
    rows.close()
    failure(things, "4", remaining=lambda: 0.0)
    with pytest.raises(Unavailable):
        things.create([create("5", {"nam": 1})], run_of())
    assert len(opened) == 8
    assert not any(map(is_open, opened))


def test_what_the_table_is_like_is_asked_once(table: Database) -> None:
    things = SQLDestination(table.url, "thing", key="id")
    runs = [run_of(), run_of()]
    for run in runs:
        created(things, create("1"), run=run)
    assert [run.calls.write for run in runs] == [1, 1]
    assert [run.calls.read for run in runs] == [0, 0]


def test_behind_a_pooler_that_takes_another_connection_for_every_transaction(postgres_table: Database) -> None:
    with closing(Pooler(postgres_table.url)) as pooler:
        parts = urlsplit(postgres_table.url)
        url = f"postgresql://{parts.username}@127.0.0.1:{pooler.port}{parts.path}"
        things = SQLDestination(url, "thing", key="id")
        changes = [create(f"{number:02}", {"name": "\0" if number == 7 else "x" * number}) for number in range(30)]
        changes.append(create("31", {"name": {"a": 1}}))
        outcomes = refused(things.create(changes, run_of()))
        assert [number for number, outcome in enumerate(outcomes) if outcome] == [7]
        assert things.find(["03", "07"], run_of()) == {"03": ["03"]}
        assert len(list(things.read(run_of()))) == 30
        things.delete([delete("03")], run_of())
        assert pooler.failure is None
    assert len(keys_in(postgres_table)) == 29
