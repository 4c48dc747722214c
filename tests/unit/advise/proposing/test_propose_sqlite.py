"""What is proposed for SQLite, from what its own catalogue says, and whether its planner then takes it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.advise.asking.sqlite.catalogue import read_schema
from penstock.advise.parsing.parse import parse
from penstock.advise.proposing.naming import columns_sql, create_sql
from penstock.advise.proposing.propose import propose
from penstock.domain.advice import Proposal

_TABLES = """
create table numbered (id integer primary key, client integer, status text, label text, payload text);
create table lettered (id text primary key, client integer, status text, label text, payload text);
create index numbered_client on numbered (client, status);
create index lettered_client on lettered (client, status);
"""
CASE_Q = "select * from {} where client = ? and status = 'pending' and id > ? order by id limit 100"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path: Path = tmp_path_factory.mktemp("proposals") / "app.db"
    with closing(sqlite3.connect(path)) as found:
        found.executescript(_TABLES)
        rows = [(number, number % 3, "done" if number % 4 == 1 else "pending", f"l{number}", "p" * 50)
                for number in range(40_000)]
        found.executemany("insert into numbered values (?, ?, ?, ?, ?)", rows)
        found.executemany("insert into lettered values (?, ?, ?, ?, ?)", [(f"k{row[0]}", *row[1:]) for row in rows])
        found.execute("analyze")
        found.commit()
        yield found


def proposed(connection: sqlite3.Connection, text: str, parameters: Any = None) -> Proposal:
    return propose(text, read_schema(connection, parse(text, "sqlite").tables), parameters)


def plan(connection: sqlite3.Connection, text: str) -> str:
    return "; ".join(row[3] for row in connection.execute(f"explain query plan {text}", [1, 0][:text.count("?")]))


def test_a_row_number_stands_behind_every_entry_already(connection: sqlite3.Connection) -> None:
    found = proposed(connection, CASE_Q.format("numbered"), [6, 0])
    assert found.candidates == ()
    assert "already served by the index numbered_client" in found.rejections[0].reason


def test_any_other_key_is_appended_and_taken(connection: sqlite3.Connection) -> None:
    text = CASE_Q.format("lettered")
    candidate = proposed(connection, text, [6, "k0"]).candidates[0]
    assert columns_sql(candidate, "sqlite") == "(client, status, id)"
    assert candidate.appends == "lettered_client"
    connection.execute(create_sql(candidate, "sqlite", name="tried"))
    try:
        assert "USING INDEX tried" in plan(connection, text)
        assert "TEMP B-TREE" not in plan(connection, text)
    finally:
        connection.execute("drop index tried")


def test_a_look_up_by_the_row_number_needs_nothing(connection: sqlite3.Connection) -> None:
    found = proposed(connection, "select * from numbered where id = :id", {"id": 7})
    assert found.candidates == ()
    assert found.rejections[0].reason == "it is already served by its primary key"


def test_a_column_without_an_index_gets_one(connection: sqlite3.Connection) -> None:
    candidate = proposed(connection, "select payload from numbered where label = ?", ["l7"]).candidates[0]
    assert columns_sql(candidate, "sqlite") == "(label)"
