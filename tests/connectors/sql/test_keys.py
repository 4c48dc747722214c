"""No row is lost and no read runs for ever, whatever the keys are: missing, repeated, or of any type."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from penstock.connectors import SQLSource
from tests.connectors.sql.database import Database, read, records


def keyed(database: Database, declared: str, keys: list[object]) -> SQLSource:
    """A source over a table with one row per key, numbered so that no two rows are alike."""
    database.run(f"create table item (k {declared}, n integer)")
    database.insert("item", [(key, number) for number, key in enumerate(keys)])
    return SQLSource(database.url, "select k, n from item", key="k")


def expect_every_row(source: SQLSource, keys: list[object], size: int) -> list[object]:
    found = records(source, size)
    assert Counter((record["k"], record["n"]) for record in found) == Counter(
        (key, number) for number, key in enumerate(keys)
    )
    return [record["k"] for record in found]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([1, None, 2, None, 3, None, None, 4], id="some without a key"),
        pytest.param([None] * 8, id="all without a key"),
        pytest.param([None, *range(7)], id="one without a key"),
        pytest.param([1, 2, 2, 3, 4, 5, 5, 6], id="pairs"),
        pytest.param([1, 2, 3, 3, 3, 3, 3, 4], id="one key on many rows"),
        pytest.param([1] * 8, id="one key on all rows"),
        pytest.param([1] * 4 + [2] * 4, id="two keys"),
        pytest.param([None, None, 1, 1, 1, None, 2, 2], id="all at once"),
    ],
)
def test_missing_and_repeated_keys(database: Database, keys: list[object]):
    source = keyed(database, "integer", keys)
    for size in (1, 2, 3, 4, 7, 8, 9, 100):
        order = expect_every_row(source, keys, size)
        assert order == sorted(order, key=lambda key: (key is None, key or 0))  # those without a key come last


def test_a_repeated_key_is_not_torn_apart_by_a_page(database: Database):
    pages, _ = read(keyed(database, "integer", [1, 2, 3, 3, 4]), 3)
    assert [[record["k"] for record in page] for page in pages] == [[1, 2], [3, 3, 4]]


@pytest.mark.parametrize(
    ("declared", "keys"),
    [
        ("text", ["b", "B", "a", "", " ", "ä", "z'", "%s", ":after", "10", "9", "\\", "日本"]),
        ("varchar(20)", ["b", "B", "a", "10", "9"]),
        ("integer", [0, -1, 2147483647, 5, 10, 9]),
        ("bigint", [0, -(2**63), 2**63 - 1, 5, 10, 9]),
        ("double precision", [0.1, -1.5, 1e300, 0.30000000000000004, 0.3]),
    ],
)
def test_keys_of_any_type(database: Database, declared: str, keys: list[object]):
    for size in (1, 2, 4):
        expect_every_row(keyed(database, declared, keys), keys, size)
        database.run("drop table item")


MOMENT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "keys"),
    [
        ("uuid", [UUID(int=value) for value in (5, 2**127, 1, 2**64)]),
        ("timestamptz", [MOMENT + timedelta(microseconds=step) for step in (3, 0, 1, 2)]),
        ("timestamp", [MOMENT.replace(tzinfo=None) + timedelta(hours=step) for step in (3, 0, 1, 2)]),
        ("date", [MOMENT.date() + timedelta(days=step) for step in (3, 0, 1, 2)]),
        ("bytea", [b"\x00", b"\xff\x00", b"a", b""]),
        ("numeric", [1, 2, 10, 100]),
        ("boolean", [False, True]),
        ("text[]", [["b"], ["a", "b"], [], ["a,b"]]),
    ],
)
def test_keys_of_a_type_that_only_postgresql_has(postgres_database: Database, declared: str, keys: list[object]):
    source = keyed(postgres_database, declared, keys)
    for size in (1, 2, 3):
        found = records(source, size)
        assert [record["k"] for record in found] == sorted(keys)


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        # 0.1 as float4 is greater than 0.1 as the float8 that Python has: a page would start with its own end.
        ("float4", ["0.1", "0.2", "0.3", "0.7"]),
        # Python takes a month for 30 days and a year for 365, PostgreSQL a year for 12 × 30.
        ("interval", ["1 year", "361 days", "12 mons", "364 days"]),
        ("char(4)", ["a", "ab", "abc", "b"]),
    ],
)
def test_keys_that_python_cannot_hold_as_they_are(postgres_database: Database, declared: str, written: list[str]):
    keyed(postgres_database, "text", list(written))
    source = SQLSource(postgres_database.url, f"select k::{declared} as k, n from item", key="k")
    for size in (1, 2, 3):
        assert sorted(record["n"] for record in records(source, size)) == [0, 1, 2, 3]


def test_keys_of_an_enumeration_go_in_its_own_order(postgres_database: Database):
    postgres_database.run("create type size as enum ('small', 'medium', 'large')")
    source = keyed(postgres_database, "size", ["large", "small", "medium"])
    assert [record["k"] for record in records(source, 1)] == ["small", "medium", "large"]


def test_a_moment_is_given_in_utc_whatever_the_session_says(postgres_url: str):
    database = Database(postgres_url)
    source = keyed(database, "timestamptz", [MOMENT])
    database.run("do $$ begin execute format('alter database %I set timezone = ''Asia/Kolkata''',"
                          " current_database()); end $$")
    assert database.run("show timezone") == [("Asia/Kolkata",)]
    found = records(source)[0]["k"]
    assert (found, found.utcoffset()) == (MOMENT, timedelta(0))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(
    ("declared", "keys"),
    [
        ("text collate nocase", ["a", "B", "A", "b", "c", "á"]),
        ("text collate rtrim", ["a", "b ", "a  ", "b", "c", "a"]),
        ("text collate nocase", ["a\0b", "B", "A\0c", "b\0", "c", "a"]),
        ("", [1, 2.0, 1.0, 2, 1, 3]),
    ],
)
def test_keys_that_only_sqlite_holds_for_the_same(
    sqlite_database: Database, declared: str, keys: list[object], size: int
):
    expect_every_row(keyed(sqlite_database, declared, keys), keys, size)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("numeric", ["1.0", "2", "1.00", "2.0", "1", "3"]),
        ("interval", ["1 mon", "60 days", "30 days", "2 mons", "720:00:00", "1 year"]),
    ],
)
def test_keys_that_only_postgresql_holds_for_the_same(
    postgres_database: Database, declared: str, written: list[object], size: int
):
    keyed(postgres_database, "text", written)
    source = SQLSource(postgres_database.url, f"select k::{declared} as k, n from item", key="k")
    assert sorted(record["n"] for record in records(source, size)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("staff", [[], [2, 10]])
def test_queries_put_together_from_columns_of_several_types(sqlite_database: Database, staff: list[int], size: int):
    """SQLite would compare '3' with the number 100, and end a read before its last rows."""
    sqlite_database.run("create table staff (k integer)", "create table guest (k text)")
    sqlite_database.insert("staff", [(0,), *[(key,) for key in staff]])
    sqlite_database.insert("guest", [(key,) for key in ("1", "100", "3", "x")])
    query = "select k from staff where k > 0 union all select k from guest"
    sqlite_database.run(f"create view everybody as {query}")
    for text in (query, "select k from everybody", f"select distinct k from ({query})"):
        found = [record["k"] for record in records(SQLSource(sqlite_database.url, text, key="k"), size)]
        assert found == [*staff, "1", "100", "3", "x"]
