"""Migrations: once each, whoever applies them, and the schema is their sum."""

import contextlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from penstock import Penstock
from penstock.domain.errors import CallerHoldsWriteLock, SchemaMissing, SchemaTooNew
from penstock.store import migrate
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.port import Store
from penstock.store.statements import DIALECTS, Dialect
from tests.processes import penstock

LAYERS = [LayerTable("state_people", "directory", "People"), LayerTable("state_people", "directory", "People", True)]
Shape = list[tuple[Any, ...]]

POSTGRES_SHAPE = """
select 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text, a.attidentity::text,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where n.nspname = 'penstock' and c.relkind = 'r'
union all
select 'index', tablename, indexname, indexdef, '', '', '' from pg_indexes where schemaname = 'penstock'
union all
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
from pg_constraint where connamespace = 'penstock'::regnamespace
union all
select 'sequence', sequencename, data_type::text, start_value::text, increment_by::text, '', '' from pg_sequences
where schemaname = 'penstock'
order by 1, 2, 3, 4
"""


@pytest.fixture(params=DIALECTS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("postgres_url"))


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    if url.startswith("sqlite:"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    else:
        connection = psycopg.connect(url, autocommit=True)
    with contextlib.closing(connection):
        yield connection


def run(url: str, script: str) -> None:
    """What a person does with a script."""
    with connected(url) as connection:
        (connection.executescript if url.startswith("sqlite:") else connection.execute)(script)


def shape(url: str) -> Shape:
    """All that a database's catalogue says of Penstock's tables."""
    with connected(url) as connection:
        if not url.startswith("sqlite:"):
            return list(connection.execute(POSTGRES_SHAPE).fetchall())
        found: Shape = [("text", name, re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split())))
                        for name, sql in connection.execute(
                            "select name, sql from sqlite_master where sql is not null").fetchall()]
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            found += [("column", table, *column) for column in connection.execute(f"pragma table_xinfo({table})")]
            found += [("index", table, *index[1:]) for index in connection.execute(f"pragma index_list({table})")]
        return sorted(found, key=repr)


@contextlib.contextmanager
def opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def test_applied_once(empty: str):
    with opened(empty) as store:
        expected = [f"{each.version:03} {each.name}" for each in migrate.migrations(store.dialect)]
        versions = [each.version for each in migrate.migrations(store.dialect)]
        assert versions == sorted(set(versions))
        assert migrate.migrate(store, []) == expected
        before = shape(empty)
        assert migrate.migrate(store, []) == []
        assert len(migrate.migrate(store, LAYERS)) == 2
        assert migrate.migrate(store, LAYERS) == []
        migrate.check(store, LAYERS)
    assert len(shape(empty)) > len(before) > 50


def test_both_dialects_have_the_same_migrations():
    names = [[(each.version, each.name) for each in migrate.migrations(dialect)] for dialect in DIALECTS]
    assert names[0] == names[1] != []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_migration_has_a_number_of_its_own_and_none_is_left_out(dialect: Dialect):
    versions = [each.version for each in migrate.migrations(dialect)]
    assert versions == list(range(1, len(versions) + 1))


def test_many_at_once_apply_each_once(empty: str):
    together = threading.Barrier(6)

    def start(_: int) -> list[str]:
        with opened(empty) as store:
            together.wait(60)
            return migrate.migrate(store, LAYERS)

    with ThreadPoolExecutor(6) as pool:
        done = sorted(pool.map(start, range(6)), key=len)
    assert done[:5] == [[]] * 5
    assert len(done[5]) == len(migrate.migrations("sqlite")) + 2


def test_processes_at_once_apply_each_once(empty: str, tmp_path: Path):
    app = ("--app", "tests.conformance.worker_app", "migrate")
    with penstock(*app, folder=tmp_path, PENSTOCK_URL=empty) as one, \
            penstock(*app, folder=tmp_path, PENSTOCK_URL=empty) as two:
        said = [*one.rest(), *two.rest()]
        assert (one.wait(), two.wait()) == (0, 0), said
    with opened(empty) as store:
        migrate.check(store, [])
    if not empty.startswith("sqlite:"):  # there the app migrates itself as it opens the store
        names = [f"made {each.version:03} {each.name}" for each in migrate.migrations("postgres")]
        assert sorted(said) == [*names, "nothing to do: the store is up to date"]


def test_a_script_applied_by_hand_makes_the_same(empty: str, store_url: str, tmp_path: Path, request: Any):
    if empty.startswith("sqlite:") != store_url.startswith("sqlite:"):
        return  # each dialect once
    with opened(empty) as store:
        script = migrate.script(store, LAYERS)
        assert len(migrate.pending(store)) > 0  # it ran nothing
    run(empty, script)
    with opened(store_url) as store:
        migrate.migrate(store, LAYERS)
    assert shape(empty) == shape(store_url)
    with opened(empty) as store:
        assert migrate.migrate(store, LAYERS) == []
        assert migrate.script(store, LAYERS) == ""


def test_the_command_prints_the_script_and_runs_nothing(empty: str, tmp_path: Path):
    with penstock("--app", "tests.conformance.worker_app", "migrate", "--sql", folder=tmp_path,
                  PENSTOCK_URL=empty) as child:
        script = "\n".join(child.rest())
        assert child.wait() == 0
    with opened(empty) as store:
        assert len(migrate.pending(store)) > 0
    run(empty, script)
    with opened(empty) as store:
        migrate.check(store, [])


def test_the_schema_is_the_sum_of_the_migrations(empty: str, store_url: str):
    if empty.startswith("sqlite:") != store_url.startswith("sqlite:"):
        return  # each dialect once
    dialect = "sqlite" if empty.startswith("sqlite:") else "postgres"
    run(empty, files("penstock.store").joinpath("schema", f"{dialect}.sql").read_text("utf-8"))
    assert shape(empty) == shape(store_url)


@pytest.mark.parametrize("verb", [migrate.migrate, migrate.check, migrate.script])
def test_a_newer_schema_is_left_alone(empty: str, verb: Callable[..., Any]):
    with opened(empty) as store:
        migrate.migrate(store, [])
        newest = migrate.migrations(store.dialect)[-1].version
        store.write(lambda tx: tx.execute("record_migration", {"version": newest + 1, "name": "from the future"}))
        with pytest.raises(SchemaTooNew, match=f"at schema version {newest + 1}, this Penstock knows {newest}: "):
            verb(store, [])


def test_a_worker_on_postgresql_names_the_command(empty: str):
    with Penstock(empty) as app:
        if app.store.dialect == "sqlite":
            app.worker()  # the app has migrated itself
            return
        with pytest.raises(SchemaMissing, match="lacks migrations 001 foundation, .*: run `penstock migrate`"):
            app.worker()
        with pytest.raises(SchemaMissing, match="penstock migrate"):
            app.task(lambda: None, name="x").enqueue()


def test_a_migration_that_fails_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch):
    with opened(empty) as store:
        real = migrate.migrations(store.dialect)
        broken = migrate.Migration(99, "broken", "create table penstock_half (id integer);\nselect no_such_thing;")
        monkeypatch.setattr(migrate, "migrations", lambda dialect: [*real, broken])
        with pytest.raises(Exception, match="no_such_thing"):
            migrate.migrate(store, [])
        monkeypatch.undo()
        assert [each.version for each in migrate.pending(store)] == [each.version for each in real]
        assert migrate.migrate(store, [])


def test_a_first_use_inside_the_callers_transaction_says_what_to_do(tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table offers (id integer)")
    connection.execute("insert into offers values (1)")
    with contextlib.closing(connection), Penstock(f"sqlite:///{tmp_path}/store.db") as app:
        task = app.task(lambda: None, name="x")
        with pytest.raises(CallerHoldsWriteLock, match=r"call app.migrate\(\) first"):
            task.using(connection=connection).enqueue()


FIRST_LAYER = """create table penstock.state_people (
    id {id}, scope text not null, key text not null, parent_key text, remote_id text, version text, digest {bytes},
    status text not null, error_class text, error text, changed_at bigint not null, run_id bigint, unclaimed_at bigint,
    unique (scope, key)
);
create table penstock.state_people_claims (
    row_id bigint not null, subject text not null, primary key (subject, row_id)
);
insert into penstock.layers (layer_table, sync, layer, created_at)
values ('state_people', 'directory', 'People', 1), ('state_people_claims', 'directory', 'People', 1);
insert into penstock.state_people (id, scope, key, remote_id, digest, status, changed_at)
values (7, 'acme', 'b', 'r1', {some}, 'synced', 5), (9, 'acme', 'a', 'r2', null, 'failed', 6);
insert into penstock.state_people_claims (row_id, subject) values (7, 'g1');"""


@pytest.mark.parametrize("by_script", [False, True])
def test_a_layer_s_table_of_an_older_version_is_made_anew_with_its_rows(empty: str, by_script: bool):
    types = {"id": "integer primary key autoincrement", "bytes": "blob", "some": "x'0102'"}
    if not empty.startswith("sqlite:"):
        types = {"id": "bigint generated always as identity primary key", "bytes": "bytea", "some": "'\\x0102'"}
    with opened(empty) as store:
        migrate.migrate(store, LAYERS)
        fresh = shape(empty)
        old = "drop table penstock.state_people; drop table penstock.state_people_claims; delete from penstock.layers;"
        text = old + FIRST_LAYER.format(**types)
        if empty.startswith("sqlite:"):
            text = text.replace("penstock.", "penstock_")
        else:
            text = text.replace("\nvalues (7", "\noverriding system value values (7")
        run(empty, text)
        lacking = [stage.what for stage in migrate.missing(store, LAYERS)]
        assert lacking == [f"layer {each.table}" for each in LAYERS]
        if by_script:
            run(empty, migrate.script(store, LAYERS))
        else:
            assert len(migrate.migrate(store, LAYERS)) == 2
        migrate.check(store, LAYERS)
        assert len(shape(empty)) == len(fresh)
        rows = store.look("state_of_keys", {"scope": "acme", "keys": ["a", "b"]}, layer="state_people")
        assert [row[:4] for row in rows] == [(9, "a", None, "r2"), (7, "b", None, "r1")]
        digests = store.read(lambda tx: tx.rows("state_digests", {"scope": "acme", "keys": ["b"]},
                                                layer="state_people"))
        assert [bytes(digest) for _, _, digest in digests] == [b"\x01\x02"]
        claims = store.read(lambda tx: tx.rows("claims_page", {"subject": "g1", "after": 0, "count": 9},
                                               layer="state_people"))
        assert claims == [(7,)]
