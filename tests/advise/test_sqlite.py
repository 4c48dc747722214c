"""Advice on a SQLite file, which is only read: a clone of its schema makes likely, a copy of the file confirms."""

import shutil
import sqlite3
from collections import namedtuple
from hashlib import sha256
from pathlib import Path

import pytest

from penstock.advise.asking.database import CannotExplain, Limits
from penstock.advise.asking.opening import open_examined
from penstock.advise.asking.options import Options
from penstock.advise.asking.sqlite.connection import connect
from penstock.advise.session import advise
from penstock.domain.errors import AdviceUnavailable, TrialFailed
from penstock.domain.traces import StatementSeen
from tests.advise.databases import seen

BATCH = "select id, payload from records where client_id = ? and status = 'pending' and id > ? order by id limit 50"
TABLES = """
create table records (id text primary key, client_id integer, status text, payload text);
create index records_client on records (client_id);
create view waiting as select id from records where status = 'pending';
create table log (at integer primary key, what text);
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 records, by keys that are texts: an integer primary key is in every index already."""
    path = tmp_path_factory.mktemp("template") / "app.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES)
        connection.executemany("insert into records values (?, ?, ?, ?)", (
            (f"{number * 7919 % 20_000:05}", number % 8, "pending" if number % 10 else "done", "x" * 50)
            for number in range(20_000)))
        connection.execute("analyze")
    connection.close()
    return path


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    """A file of the test's own."""
    shutil.copy(template, tmp_path / "app.db")
    return tmp_path / "app.db"


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def batches() -> StatementSeen:
    return seen(BATCH, (3, ""), (3, "10000"), (3, "19900"), keeping="all", driver="sqlite3", took_us=20_000)


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def test_a_clone_makes_it_likely_and_a_copy_confirms_it(file: Path, tmp_path: Path):
    before = digest(file)
    copy = tmp_path / "copy.db"
    shutil.copy(file, copy)
    (likely,) = advise([batches()], url(file))
    assert likely.first is not None
    assert (likely.first.confidence, likely.first.by) == ("likely", "clone")
    assert likely.first.candidate is not None
    assert likely.first.candidate.keys[-1].column == "id"
    (found,) = advise([batches()], url(file), copy=url(copy))
    first = found.first
    assert first is not None
    assert (first.confidence, first.by) == ("confirmed", "copy")
    assert first.size
    assert first.write_cost is not None
    assert (digest(file), digest(copy)) == (before, before)
    assert {path.name for path in tmp_path.iterdir()} == {"app.db", "copy.db"}


HOSTILE = [
    "delete from records", "insert into log values (1, 'x')", "update records set payload = ''", "drop table records",
    "attach 'other.db' as other", "pragma user_version = 7", "pragma writable_schema = on", "vacuum",
    "vacuum into 'stolen.db'", "create table x (a)", "select load_extension('evil')", "select writefile('x', 'y')",
    "select 1; delete from records", "with x as (select 1) delete from records", "replace into log values (1, 'y')",
    "reindex", "analyze", "begin immediate", "select * from pragma_journal_mode('delete')", "detach main",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_changes_the_file(file: Path, tmp_path: Path, text: str):
    before = digest(file)
    advise([seen(text, (), driver="sqlite3")], url(file), copy=url(file), options=Options(analyse=True))
    assert digest(file) == before
    assert {path.name for path in tmp_path.iterdir()} == {"app.db"}


@pytest.mark.parametrize("text", HOSTILE)
def test_even_a_connection_alone_would_not_do_it(file: Path, tmp_path: Path, text: str):
    before = digest(file)
    connection = connect(url(file))
    for each in text.split(";"):
        try:
            connection.execute(each).fetchall()
        except sqlite3.Error:
            continue
    connection.close()
    assert digest(file) == before
    assert {path.name for path in tmp_path.iterdir()} == {"app.db"}


def test_tables_are_described(file: Path):
    with open_examined(url(file)) as database:
        schema = database.schema([(None, "waiting"), (None, "log"), (None, "nowhere")])
    records = schema.table("records")
    assert records is not None
    assert (records.rows, records.primary_key) == (20_000, ("id",))
    client = records.column("client_id")
    assert client is not None
    assert client.distinct == 8
    assert {table.name: table.kind for table in schema.tables} == {"waiting": "view", "records": "table",
                                                                   "log": "table"}
    assert "there is no such table in this file" in dict(schema.missing)["nowhere"]


def test_what_takes_too_long_is_interrupted(file: Path):
    from penstock.advise.asking.binding import bind

    slow = bind("select count(*) from records a, records b, records c", None, "sqlite")
    with (open_examined(url(file), Limits(statement_ms=20)) as database,
          pytest.raises(CannotExplain, match="longer than the 20 ms")):
        database.explain(slow, analyse=True)


def test_without_room_for_a_copy_it_says_so_and_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
    with pytest.raises(TrialFailed, match="no room for a copy: expected .* bytes .* nothing was left behind"):
        advise([batches()], url(file), copy=url(file))


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(AdviceUnavailable, match="cannot be read"):
        advise([batches()], url(tmp_path / "missing.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_copy_has_to_be_of_the_same_kind(file: Path):
    with pytest.raises(AdviceUnavailable, match="a database of another kind"):
        advise([batches()], url(file), copy="postgresql://db/app")
