"""Reading a SQLite file that others write to, and that must not come into being by being read."""

from pathlib import Path

import pytest

from penstock.connectors import SQLSource
from penstock.connectors.sql import sqlite
from penstock.domain.errors import SourceError
from tests.connectors.sql.database import Database, read, records, run_of


@pytest.mark.parametrize("path", ["missing.db", "no/such/folder/hr.db"])
def test_a_missing_file_is_an_error_and_stays_missing(tmp_path: Path, path: str):
    with pytest.raises(SourceError, match="no such file") as caught:
        read(SQLSource(f"sqlite:///{tmp_path}/{path}", "select 1 as id", key="id"))
    assert f"{tmp_path}/{path}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_starts_at_the_current_directory(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sqlite_database.run("create table person (id integer)", "insert into person values (1)")
    source = SQLSource("sqlite:///hr.db", "select id from person", key="id")
    monkeypatch.chdir(tmp_path)
    assert records(source) == [{"id": 1}]
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    with pytest.raises(SourceError, match=f"{tmp_path}/below/hr.db"):
        read(source)


def test_a_path_with_characters_that_mean_something_in_a_uri(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/100% #1 Ü &x=y.db")
    database.run("create table person (id integer)", "insert into person values (1)")
    assert records(SQLSource(database.url, "select id from person", key="id")) == [{"id": 1}]


@pytest.mark.parametrize("content", [b"not a database " * 100, b""])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes):
    (tmp_path / "hr.db").write_bytes(content)
    with pytest.raises(SourceError, match="not a database|no such table"):
        read(SQLSource(f"sqlite:///{tmp_path}/hr.db", "select id from person", key="id"))


def test_a_folder_is_no_database(tmp_path: Path):
    with pytest.raises(SourceError, match=f"{tmp_path}, but sees no such file"):
        read(SQLSource(f"sqlite:///{tmp_path}", "select 1 as id", key="id"))


def test_a_file_whose_neighbours_cannot_be_opened(sqlite_database: Database, tmp_path: Path):
    """As for a reader that may not write to the folder of a database in WAL mode."""
    sqlite_database.run("pragma journal_mode = wal", "create table person (id integer)")
    (tmp_path / "hr.db-wal").mkdir()
    with pytest.raises(SourceError, match="unable to open database file. .* a folder to make them in"):
        read(SQLSource(sqlite_database.url, "select id from person", key="id"))


def test_text_that_is_no_text(sqlite_database: Database):
    sqlite_database.run("create table person (id text)", "insert into person values (cast(x'ff' as text))")
    with pytest.raises(SourceError, match="UTF-8"):
        read(SQLSource(sqlite_database.url, "select id from person", key="id"))


def test_a_query_cannot_write(sqlite_database: Database):
    """Nor could it if SQLite let a query do so: the file is open for reading only."""
    with (
        sqlite.SqliteReader(sqlite_database.url.removeprefix("sqlite:///")) as reader,
        pytest.raises(SourceError, match="readonly"),
    ):
        reader.rows("create table x (y)", {})


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_at_work_is_not_in_the_way(sqlite_database: Database, mode: str):
    sqlite_database.run(f"pragma journal_mode = {mode}", "create table person (id integer primary key)",
                        "insert into person values (1), (2), (3), (4)")
    generator = SQLSource(sqlite_database.url, "select id from person", key="id").pages(run_of(), 2)
    with sqlite_database.connect() as writer:
        writer.execute("begin immediate")
        writer.execute("insert into person values (5)")
        assert next(generator) == [{"id": 1}, {"id": 2}]
        writer.execute("commit")  # between two pages nobody is in the writer's way either
        writer.execute("begin immediate")
        writer.execute("insert into person values (6)")
        assert next(generator) == [{"id": 3}, {"id": 4}]
        writer.execute("rollback")
    assert list(generator) == [[{"id": 5}]]


def test_waiting_for_a_writer_ends(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch):
    sqlite_database.run("create table person (id integer)")
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    with sqlite_database.connect() as writer:
        writer.execute("begin exclusive")
        with pytest.raises(SourceError, match="held the whole file for 0.01 s.*journal_mode = wal"):
            read(SQLSource(sqlite_database.url, "select id from person", key="id"))
