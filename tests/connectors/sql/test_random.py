"""For any table and any page size, the pages hold exactly the rows."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from penstock.connectors import SQLSource
from tests.connectors.sql.database import Database, records

TYPES = ["integer", "text", "text collate nocase", "numeric", "blob", ""]
# Few values, so that they repeat; such that SQLite would convert from one type to another.
KEYS = st.one_of(
    st.none(), st.integers(0, 12), st.sampled_from(["1", "1.0", "10", "2", "a", "A", "b"]), st.sampled_from([0.5, 2.0])
)
TABLES = st.lists(st.tuples(st.sampled_from(TYPES), st.lists(KEYS, max_size=12)), min_size=1, max_size=3)
WRAPPINGS = [
    "{}",
    "select distinct k, n from ({})",
    "select * from ({}) order by n desc",
    "with w as ({}) select * from w",
]


@pytest.fixture(scope="module")
def scratch() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        yield Database(f"sqlite:///{Path(folder)}/random.db")


@settings(deadline=None, max_examples=300)
@given(tables=TABLES, together=st.sampled_from(["union all", "union"]), wrapping=st.sampled_from(WRAPPINGS),
       indexed=st.booleans(), size=st.integers(1, 14))
@example(tables=[("integer", []), ("text", ["100", "3"])], together="union all", wrapping="{}", indexed=False, size=1)
@example(tables=[("", [None] * 12)], together="union", wrapping="{}", indexed=True, size=4)
def test_pages_hold_exactly_the_rows_on_sqlite(
    scratch: Database, tables: list[tuple[str, list[object]]], together: str, wrapping: str, indexed: bool, size: int
):
    number = 0
    with scratch.connect() as connection:
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        for position, (declared, keys) in enumerate(tables):
            connection.execute(f"drop table if exists t{position}")
            connection.execute(f"create table t{position} (k {declared}, n integer)")
            if indexed:
                connection.execute(f"create index i{position} on t{position} (k)")
            for key in keys:
                number += 1
                connection.execute(f"insert into t{position} values (?, ?)", (key, number))
        connection.execute("commit")
    query = wrapping.format(f" {together} ".join(f"select k, n from t{position}" for position in range(len(tables))))

    found = records(SQLSource(scratch.url, query, key="k"), size)

    assert Counter((type(r["k"]), r["k"], r["n"]) for r in found) == Counter(
        (type(k), k, n) for k, n in scratch.run(query)
    )
    assert len(found) == number


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(declared=st.sampled_from(["text", "numeric", "varchar(5)"]), size=st.integers(1, 14),
       keys=st.lists(st.one_of(st.none(), st.integers(0, 12).map(str)), max_size=30))
def test_pages_hold_exactly_the_rows_on_postgresql(
    postgres_database: Database, declared: str, keys: list[str | None], size: int
):
    postgres_database.run("drop table if exists item", f"create table item (k {declared}, n integer)")
    if keys:
        postgres_database.insert("item", list(zip(keys, range(len(keys)), strict=True)))
    found = records(SQLSource(postgres_database.url, "select k::text as k, n from item", key="k"), size)
    assert Counter((r["k"], r["n"]) for r in found) == Counter(zip(keys, range(len(keys)), strict=True))
