"""What an examination finds in real databases that something is wrong with."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from penstock.domain.errors import StoreBusy
from penstock.domain.finding import Finding, Level
from penstock.store import migrate
from penstock.store.expected import indexes
from penstock.store.health import connection, examine
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.health import connections, shares_sessions
from tests.clock import Clock
from tests.processes import python

on_postgres = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def findings(url: str, now: str | None = None, *, patience_seconds: float = 60.0) -> dict[str, Finding]:
    """What is found, by what it is about."""
    with closing(open_store(url, now=now, busy_timeout_seconds=0.1)) as store:
        return {finding.about: finding for finding in examine(store, [], patience_seconds=patience_seconds)}


@contextmanager
def server(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_a_store_as_it_comes_has_nothing_wrong_with_it(store_url: str):
    found = findings(store_url)
    assert {finding.about for finding in found.values()} >= {"store", "durability", "schema", "clock"}
    # The server of the tests does without fsync; which SQLite there is, is not ours to choose.
    rest = {about: finding for about, finding in found.items() if about not in ("durability", "checkpoints")}
    assert {about for about, finding in rest.items() if finding.level is not Level.OK} == set()
    assert "version" in found["schema"].found


@on_sqlite
def test_a_file_is_as_durable_as_we_open_it(store_url: str):
    assert findings(store_url)["durability"].level is Level.OK
    assert sqlite3.sqlite_version in findings(store_url)["store"].found


@on_postgres
def test_a_server_without_fsync_is_a_fault(store_url: str):
    with server(store_url) as connection:
        setting = connection.execute("show fsync").fetchone()
    found = findings(store_url)["durability"]
    assert setting is not None
    assert f"fsync = {setting[0]}" in found.found
    assert found.level is (Level.OK if setting[0] == "on" else Level.FAULT)


def test_a_clock_that_is_off_is_measured(store_url: str, clock: Clock):
    clock.advance(time.time() - clock.now_ms / 1000 - 5)
    found = findings(store_url, clock.expression)["clock"]
    assert found.level is Level.WARNING
    assert " ms behind this machine's" in found.found
    clock.advance(3605)
    found = findings(store_url, clock.expression)["clock"]
    assert "3,59" in found.found or "3,60" in found.found
    assert " ms ahead of this machine's" in found.found
    assert "run_after=" in found.remedy


def test_a_store_that_was_not_migrated_names_the_command(store_url: str):
    with closing(open_store(store_url)) as store:
        layers = [LayerTable("state_people", "directory", "People")]
        found = {finding.about: finding for finding in examine(store, layers)}["schema"]
    assert found.level is Level.FAULT
    assert found.found == "the store lacks layer state_people"
    assert found.remedy == "run `penstock migrate`"


def test_a_store_of_a_newer_penstock_is_a_fault(store_url: str):
    with closing(open_store(store_url)) as store:
        newest = migrate.migrations(store.dialect)[-1].version
        store.write(lambda tx: tx.execute("record_migration", {"version": newest + 1, "name": "from the future"}))
    found = findings(store_url)["schema"]
    assert found.level is Level.FAULT
    assert "upgrade Penstock" in found.remedy


def test_an_empty_database_is_examined_all_the_same(postgres_url: str):
    found = findings(postgres_url)
    assert found["schema"].level is Level.FAULT
    assert found["schema"].found.startswith("the store lacks migrations 001 foundation")
    assert found["writes"].level is Level.OK


@on_sqlite
def test_a_write_lock_that_is_held_says_by_whom(store_url: str, tmp_path: Path):
    holding = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("begin immediate")
print("held")
sys.stdin.readline()
"""
    with python(holding, store_url.removeprefix("sqlite:///"), folder=tmp_path) as child:
        child.line("held")
        with pytest.raises(StoreBusy, match=f"expected the write lock of .* process {child.process.pid} "):
            findings(store_url)


@on_postgres
def test_settings_are_those_that_penstock_gets(store_url: str):
    with server(store_url) as connection:
        for setting in ("synchronous_commit = off", "default_transaction_read_only = on"):
            connection.execute(sql.SQL("alter database {} set " + setting).format(  # type: ignore[arg-type]
                sql.Identifier(connection.info.dbname)))
    found = findings(store_url)
    assert "synchronous_commit = off" in found["durability"].found
    assert found["writes"].level is Level.FAULT
    assert found["writes"].found == "default_transaction_read_only = on for this role and database"


@on_postgres
def test_a_session_that_sits_in_a_transaction_is_named(store_url: str):
    with psycopg.connect(store_url, application_name="forgotten") as idle:
        idle.execute("select 1")
        assert findings(store_url)["transactions"].level is Level.OK  # it has not sat there for long
        found = findings(store_url, patience_seconds=0)["transactions"]
        assert found.level is Level.WARNING
        assert f"session {idle.info.backend_pid} (postgres, forgotten, idle in transaction)" in found.found
        assert "pg_terminate_backend" in found.remedy
        idle.commit()
        assert findings(store_url, patience_seconds=0)["transactions"].level is Level.OK


@on_postgres
def test_an_index_that_could_not_be_built_is_named(store_url: str):
    with server(store_url) as connection:
        connection.execute("create table public.offers (code text)")
        connection.execute("insert into public.offers values ('a'), ('a')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently offers_code on public.offers (code)")
    found = findings(store_url)["indexes"]
    assert (found.level, found.found) == (Level.WARNING, "not valid: offers_code")


@on_postgres
def test_a_table_that_nobody_vacuums_is_named(store_url: str):
    with server(store_url) as connection:
        connection.execute("alter table penstock.workers set (autovacuum_enabled = off)")
    found = findings(store_url)["vacuum"]
    assert (found.level, found.found) == (Level.WARNING, "autovacuum is off for penstock.workers")


@on_postgres
def test_a_role_is_told_what_it_cannot_see(store_url: str):
    with server(store_url) as connection:
        role = sql.Identifier(f"{connection.info.dbname}_plain")
        connection.execute(sql.SQL("create role {}").format(role))
        try:
            connection.execute(sql.SQL("grant usage on schema penstock to {}").format(role))
            connection.execute(sql.SQL("grant select on all tables in schema penstock to {}").format(role))
            options = f"options=-c%20role%3D{connection.info.dbname}_plain"
            found = findings(f"{store_url}{'&' if '?' in store_url else '?'}{options}")
        finally:
            connection.execute(sql.SQL("drop owned by {}").format(role))
            connection.execute(sql.SQL("drop role {}").format(role))
    assert found["transactions"].level is Level.OK
    assert "sessions of other roles cannot be seen" in found["transactions"].found
    assert "pg_monitor" in found["transactions"].remedy


@pytest.mark.parametrize(("name", "level"), [("live_jobs_due", Level.WARNING), ("sync_runs_live", Level.FAULT)])
def test_an_index_of_ours_that_is_missing_is_named_with_what_makes_it(store_url: str, name: str, level: Level):
    whole = "penstock_" + name if store_url.startswith("sqlite:") else name
    with closing(open_store(store_url)) as store:
        schema = "" if store.dialect == "sqlite" else "penstock."
        store.write(lambda tx: tx.script(f"drop index {schema}{whole}"))
    found = findings(store_url)["own indexes"]
    assert (found.level, found.found) == (level, f"missing: {whole}")
    with closing(open_store(store_url)) as store:
        store.write(lambda tx: tx.script(found.remedy.partition(": ")[2].partition(";")[0]))
    assert findings(store_url)["own indexes"].level is Level.OK


def test_every_index_that_the_schema_names_is_looked_for(store_url: str):
    with closing(open_store(store_url)) as store:
        known = {index.name for index in indexes(store.dialect)}
        there = {name for (name,) in store.read(lambda tx: tx.rows("health_own_indexes"))}
    # Keys of tables have indexes that go with the table, and so have the parts that finished jobs lie in.
    assert known <= there
    assert {name for name in there - known if not name.endswith(("_pkey", "_key", "_idx"))} == set()


def test_a_store_that_is_far_away_is_a_warning(store_url: str):
    assert findings(store_url)["connection"].about == "connection"
    assert (connection(0.4).level, connection(80.0).level) == (Level.OK, Level.WARNING)
    assert "80.0 ms" in connection(80.0).found


@on_postgres
def test_a_server_that_has_no_room_for_a_worker_is_a_warning(store_url: str):
    found = findings(store_url)["connections"]
    assert "a worker takes up to 22" in found.found
    assert connections(20, 97, 22).level is Level.OK
    assert connections(76, 97, 22).level is Level.WARNING
    assert "raise max_connections" in connections(76, 97, 22).remedy


@on_postgres
def test_two_connections_straight_to_a_server_share_no_session(store_url: str):
    with closing(open_store(store_url)) as store:
        assert isinstance(store, PostgresStore)
        assert not shares_sessions(store)


@on_postgres
def test_more_slots_than_connections_can_serve_is_a_warning(store_url: str):
    with closing(open_store(store_url, pool_size=2)) as store:
        for slots, level in ((10, Level.OK), (11, Level.WARNING)):
            found = {each.about: each for each in examine(store, [], slots=slots)}["pool size"]
            assert (found.level, found.found.startswith(f"{slots} slots, pool_size = 2")) == (level, True)


@on_postgres
def test_a_role_that_may_only_read_is_a_fault(store_url: str):
    with psycopg.connect(store_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(
            sql.Identifier(name)))
        try:
            found = findings(store_url)["writes"]
        finally:
            connection.execute(sql.SQL("alter database {} reset default_transaction_read_only").format(
                sql.Identifier(name)))
    assert (found.level, found.remedy) == (Level.FAULT, "alter role … set default_transaction_read_only = off")


@on_sqlite
def test_a_second_sqlite_in_the_process_is_a_warning(store_url: str, tmp_path: Path):
    """A library of its own, as a module brings it along: closing a file in one drops the locks of the other."""
    code = f"""
import ctypes, re, shutil
from contextlib import closing
from penstock.store.health import examine
from penstock.store.open import open_store

with closing(open_store({store_url!r})) as store:
    def told():
        return next(each for each in examine(store, []) if each.about == "libraries")

    print(told().level)
    found = re.findall(r"(?m) (/\\S*libsqlite3\\S*)$", open("/proc/self/maps").read())
    if found:
        shutil.copy(found[0], {str(tmp_path / "libsqlite3-other.so")!r})
        other = ctypes.CDLL({str(tmp_path / "libsqlite3-other.so")!r})
    else:
        print("none")
    if found:
        print(told().level, told().remedy.startswith("open the store's file with Python's sqlite3 only"))
"""
    with python(code, folder=tmp_path) as child:
        assert child.line() == "ok"
        if (second := child.line()) == "none":
            pytest.skip("this Python has SQLite within itself: there is no library of which to load another copy")
        assert second == "warning True"
