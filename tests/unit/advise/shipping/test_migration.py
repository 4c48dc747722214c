"""Migrations that are written are run here as people would: by the server, by Alembic and by Django."""

import importlib.util
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from msgspec import structs

from penstock.advise.parsing.lexis import words
from penstock.advise.shipping.migration import downgrade, migration, upgrade
from penstock.domain.advice import Candidate, Key, Table

CANDIDATE = Candidate(
    table="records", schema="public", name="records_client_id_id_idx", why="client_id is equal; \"id\" is 'the' order",
    keys=(Key(column="client_id"), Key(column="id", descending=True, nulls_first=False)), include=("amount",),
    predicate="label = 'a:b'", replaces=("records_client_id_idx",))
_STATE = """
select i.indisvalid, pg_get_indexdef(i.indexrelid) from pg_index i
where i.indexrelid = to_regclass('public.records_client_id_id_idx')
"""


def statements(script: str) -> list[str]:
    """The statements of a script, as psql cuts it."""
    found = [""]
    for word in words(script, "postgres"):
        if word.text == ";" and word.kind == "sign":
            found.append("")
        else:
            found[-1] += word.text if word.kind != "comment" else ""
    return [each.strip() for each in found if each.strip()]


@pytest.fixture
def connection(postgres_url: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres_url, autocommit=True) as found:
        found.execute("create table records (id bigint primary key, client_id int, amount int, label text)")
        found.execute("insert into records select i, i % 5, 1, 'a:b' from generate_series(1, 100) i")
        found.execute("create index records_client_id_idx on records (client_id)")
        yield found


def state(connection: "psycopg.Connection[Any]") -> Any:
    return connection.execute(_STATE).fetchone()


def run(connection: "psycopg.Connection[Any]", script: str) -> None:
    for each in statements(script):
        connection.execute(each)


def broken(connection: "psycopg.Connection[Any]") -> None:
    """Leave behind what a build leaves that was cut off: here by two equal values where none may be."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("create unique index concurrently records_client_id_id_idx on records (client_id)")
    assert state(connection)[0] is False


def test_plain_sql_makes_a_valid_index_under_no_timeout(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("set lock_timeout = '1ms'")
    connection.execute("set statement_timeout = '10s'")
    script = migration(CANDIDATE, "sql", queues=["nightly"])
    run(connection, script)
    valid, definition = state(connection)
    assert valid
    assert definition.endswith("(client_id, id DESC NULLS LAST) INCLUDE (amount) WHERE (label = 'a:b'::text)")
    assert "penstock queues pause nightly" in script
    assert "DROP INDEX CONCURRENTLY public.records_client_id_idx;" in script
    assert script.index("lock_timeout = 0") < script.index("CREATE INDEX CONCURRENTLY records")
    # What it makes superfluous is only named.
    row = connection.execute("select to_regclass('records_client_id_idx') is not null").fetchone()
    assert row == (True,)


def test_what_an_earlier_attempt_left_behind_goes_first(connection: "psycopg.Connection[Any]") -> None:
    broken(connection)
    run(connection, migration(CANDIDATE, "sql"))
    assert state(connection)[0] is True
    row = connection.execute("select count(*) from pg_class where relname like '%left_over%'").fetchone()
    assert row == (0,)


def test_a_valid_index_of_that_name_is_never_dropped(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("create index records_client_id_id_idx on records (amount)")
    with pytest.raises(psycopg.errors.DuplicateTable):
        run(connection, migration(CANDIDATE, "sql"))
    assert state(connection)[1].endswith("(amount)")


def test_an_index_that_is_invalid_in_the_end_is_an_error(connection: "psycopg.Connection[Any]") -> None:
    broken(connection)
    check = next(each for each in upgrade(CANDIDATE) if "$valid$" in each)
    with pytest.raises(psycopg.errors.RaiseException, match="is invalid: its build was cut off"):
        connection.execute(check)


def test_the_way_back_takes_it_away_again(connection: "psycopg.Connection[Any]") -> None:
    run(connection, migration(CANDIDATE, "sql"))
    for each in downgrade(CANDIDATE):
        connection.execute(each)
    assert state(connection) is None


def test_names_of_any_kind_are_quoted(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("""create table "or""der's" (id int, "Sel ect" int)""")
    odd = Candidate(table='or"der\'s', name='it\'s "odd" 100%', keys=(Key(column="Sel ect"),), why="x")
    run(connection, migration(odd, "sql"))
    row = connection.execute("select indisvalid from pg_index where indexrelid = %s::regclass",
                             ['"it\'s ""odd"" 100%"']).fetchone()
    assert row == (True,)


def test_a_partitioned_table_gets_an_index_for_each_partition(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("create table events (id int, day int) partition by range (day)")
    connection.execute("create table events_1 partition of events for values from (0) to (10)")
    connection.execute("create table events_2 partition of events for values from (10) to (20)")
    candidate = Candidate(table="events", schema="public", name="events_day_idx", keys=(Key(column="day"),), why="x")
    table = Table(name="events", schema="public", kind="partitioned", partitions=("public.events_1", "public.events_2"))
    run(connection, migration(candidate, "sql", table=table))
    rows = connection.execute("select indisvalid from pg_index where indexrelid::regclass::text like 'events_day_idx%'")
    assert [valid for valid, in rows] == [True, True, True]


def test_sqlite_gets_what_it_knows(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("create table records (id, client_id, amount, label)")
        connection.executescript(migration(structs.replace(CANDIDATE, schema="main"), "sql", dialect="sqlite"))
        row = connection.execute("select sql from sqlite_master where name = 'records_client_id_id_idx'").fetchone()
    assert "(client_id, id DESC) WHERE label = 'a:b'" in row[0]


def test_alembic_runs_it_both_ways(connection: "psycopg.Connection[Any]", postgres_url: str, tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    url = urlsplit(postgres_url)._replace(scheme="postgresql+psycopg").geturl()
    folder = tmp_path / "alembic"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(
        "from alembic import context\nfrom sqlalchemy import create_engine, pool\n"
        f"engine = create_engine({url!r}, poolclass=pool.NullPool)\n"
        "with engine.connect() as connection:\n    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n")
    (folder / "versions" / "advised.py").write_text(migration(CANDIDATE, "alembic"))
    broken(connection)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
    assert state(connection)[0] is True
    assert state(connection)[1].endswith("WHERE (label = 'a:b'::text)")
    command.downgrade(config, "base")
    assert state(connection) is None
    connection.execute("drop table if exists alembic_version")


def test_django_runs_it_both_ways(connection: "psycopg.Connection[Any]", postgres_url: str, tmp_path: Path) -> None:
    """In a process of its own, since Django takes its settings once."""
    import subprocess

    package = tmp_path / "shop"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "__init__.py").touch()
    (package / "migrations" / "0001_first.py").write_text(
        "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    initial = True\n")
    (package / "migrations" / "0002_advised.py").write_text(migration(CANDIDATE, "django", previous="shop.0001_first"))
    broken(connection)
    parts = urlsplit(postgres_url)
    host = connection.info.host
    (tmp_path / "run.py").write_text(f"""
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["shop"], DATABASES={{"default": {{
    "ENGINE": "django.db.backends.postgresql", "NAME": {parts.path.removeprefix("/")!r}, "HOST": {host!r},
    "PORT": {connection.info.port!r}, "USER": {connection.info.user!r}, "PASSWORD": {connection.info.password!r}}}}})
django.setup()
from django.core.management import call_command
call_command("migrate", "shop", sys.argv[1], verbosity=0)
""")

    def migrate(to: str) -> None:
        done = subprocess.run([sys.executable, "run.py", to], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    migrate("0002_advised")
    assert state(connection)[0] is True
    migrate("0001_first")
    assert state(connection) is None


@pytest.mark.parametrize("style", ["alembic", "django"])
def test_what_people_have_to_fill_in_is_said(style: Any, tmp_path: Path) -> None:
    text = migration(structs.replace(CANDIDATE, why='"""; import os; \\'), style)
    assert "expected" in text
    (tmp_path / "advised.py").write_text(text)
    compile(text, "advised.py", "exec")
    found = importlib.util.spec_from_file_location("advised", tmp_path / "advised.py")
    assert found is not None
    assert '"""' not in text.split('"""', 2)[1]
