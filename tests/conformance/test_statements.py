"""The catalogue on real databases: each statement runs, and both give the same columns."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from penstock.store import migrate
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.statements import DIALECTS, Dialect, catalogue, statement
from tests.databases import database

LAYERS = [LayerTable("state_x", "s", "X"), LayerTable("state_x", "s", "X", True)]
SLOTS = {"slot_": "finished_jobs_00", "layer_rows_": "sync_reads"}
"""What stands for a table of statements that are about one of several, other than a layer's."""
Connections = dict[Dialect, Any]


@pytest.fixture(scope="module")
def connections(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connections]:
    """A migrated database of each kind."""
    path: Path = tmp_path_factory.mktemp("statements") / "store.db"
    with database(postgres_server, None) as url:
        for each in (f"sqlite:///{path}", url):
            store = open_store(each)
            migrate.migrate(store, LAYERS)
            store.close()
        one, two = sqlite3.connect(path, isolation_level=None), psycopg.connect(url, autocommit=True)
        yield {"sqlite": one, "postgres": two}
        one.close()
        two.close()


def columns(connections: Connections, name: str, dialect: Dialect) -> list[str] | None:
    """The names of the columns that a statement gives; it runs with nulls for parameters and is rolled back."""
    compiled = statement(name, dialect, layer=next((table for start, table in SLOTS.items() if name.startswith(start)),
                                                   "state_x"))
    connection = connections[dialect]
    connection.execute("begin")
    try:
        try:
            for part in compiled.parts:
                cursor = connection.execute(part, nulls(compiled.names))
        except (psycopg.errors.IntegrityError, sqlite3.IntegrityError, psycopg.errors.DuplicateTable,
                psycopg.errors.DuplicateSchema):
            if len(compiled.parts) == 1:
                return returned(compiled.sql)
            cursor = connection.execute(compiled.parts[-1], nulls(compiled.names))
        return [column[0] for column in cursor.description] if cursor.description else None
    finally:
        connection.execute("rollback")


def nulls(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: 1 if name == "count" else None for name in names}


def returned(sql: str) -> list[str] | None:
    """The columns of a statement that nulls cannot satisfy: those of its RETURNING clause."""
    last = sql.rpartition("\nselect ")[2].partition("\nfrom ")[0].partition(" from ")[0]
    clause = last if sql.startswith("with ") else sql.rpartition("returning ")[2] if "returning " in sql else ""
    return [part.strip().rpartition(".")[2] for part in clause.split(",")] if clause else None


SCRIPTS = {"create_layer", "create_claims", "set_layer_aside", "bring_layer_back", "bring_claims_along",
           "bring_claims_along_again", "layer_bring", "claims_bring"}
"""What makes tables, or fills them from former ones, once each: the tests of migrations and of renaming run it."""


def test_each_statement_runs_on_both_with_the_same_columns(connections: Connections):
    """All in one test: there are hundreds, and each takes less than it takes to run a test."""
    names = sorted({name for name, _ in catalogue()} - SCRIPTS)
    assert len(names) > 400
    found = {name: {dialect: columns(connections, name, dialect) for dialect in DIALECTS} for name in names}
    assert {name: both for name, both in found.items() if not alike(name, both)} == {}


def alike(name: str, found: dict[Dialect, list[str] | None]) -> bool:
    if any(statement(name, dialect, layer="state_x").sql in ("select 1", "select true") for dialect in DIALECTS):
        return True  # there is nothing to do on one of the two, and nobody reads the answer
    one, two = (found[dialect] or [] for dialect in DIALECTS)
    return len(one) == len(two) and (len(one) == 1 or not [
        (a, b) for a, b in zip(one, two, strict=True) if a != b and plain(a) and plain(b)])


def plain(column: str) -> bool:
    """Whether this is the name of a column, rather than what a database calls an expression."""
    return column.isidentifier() and column not in ("case", "count", "max", "min")
