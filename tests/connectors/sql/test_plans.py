"""Pages of a plain query come from its index: no page sorts the table, however far the read has come."""

from typing import Any

import pytest

from penstock.connectors.sql.query import Query
from penstock.connectors.sql.sqlite import SqliteReader
from penstock.connectors.sql.statements import Statements, compose
from tests.connectors.sql.database import Database

BINDINGS = {"subject": "s-1", "account": "a-1", "after": "500", "limit": 101}
QUERIES = [
    "select * from person",
    "select id, name from person;",
    "select id, upper(name) as name from person where name <> 'nobody' or number = 7",
    "select p.id, (select count(*) from person q where q.number = p.number) as others from person as p",
]
PAGES = ["first", "next"]


@pytest.fixture
def people(database: Database) -> Database:
    database.run("create table person (id text primary key, name text, number integer)",
                 "create index by_number on person (number)")
    database.insert("person", [(f"{number:05}", f"name {number}", number) for number in range(5000)])
    database.run("analyze")
    return database


def sqlite_statements(database: Database, text: str, key: str) -> Statements:
    with SqliteReader(database.url.removeprefix("sqlite:///")) as reader:
        return reader.statements(Query(text.rstrip(";"), key), BINDINGS)


def plan_of(database: Database, text: str, key: str, page: str) -> list[str]:
    """What the database does to find a page's rows, a step a line."""
    if database.is_sqlite:
        statements = sqlite_statements(database, text, key)
        with database.connect() as connection:
            steps = connection.execute(f"explain query plan {getattr(statements, page)}", BINDINGS)
            return [line for *_, line in steps]
    statements = compose(Query(text.rstrip(";"), key), "postgres")
    with database.connect() as connection:
        (plan,) = connection.execute(f"explain (format json) {getattr(statements, page)}", BINDINGS).fetchone()
    return [
        " ".join(node.get(part, "") for part in ("Node Type", "Index Name", "Index Cond"))
        for node in page_nodes(plan[0]["Plan"])
    ]


def page_nodes(node: dict[str, Any], within: bool = False) -> list[dict[str, Any]]:
    """The nodes that read the page; what is done with its hundred rows afterwards does not count."""
    within = within or node.get("Subplan Name") == "CTE penstock_page"
    below = [found for child in node.get("Plans", []) for found in page_nodes(child, within)]
    return [node, *below] if within else below


def is_sort(step: str) -> bool:
    return "Sort" in step or "TEMP B-TREE" in step


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("text", QUERIES)
def test_a_page_is_read_in_the_order_of_the_index(people: Database, text: str, page: str):
    plan = plan_of(people, text, "id", page)
    assert [step for step in plan if is_sort(step)] == []
    index = "sqlite_autoindex_person_1" if people.is_sqlite else "person_pkey"
    (step,) = [step for step in plan if index in step]
    if page == "next":
        assert "(id>?)" in step if people.is_sqlite else "id > " in step


@pytest.mark.parametrize("page", PAGES)
def test_a_key_that_may_be_missing_is_read_by_its_index_too(people: Database, page: str):
    plan = plan_of(people, "select number, name from person", "number", page)
    assert [step for step in plan if is_sort(step)] == []
    assert any("by_number" in step for step in plan)


def test_these_tests_notice_a_sort(people: Database):
    assert [step for step in plan_of(people, "select * from person", "name", "first") if is_sort(step)]


def test_only_queries_put_together_lose_their_index_on_sqlite(sqlite_database: Database):
    sqlite_database.run("create table person (id text primary key, name text, number integer)")
    for text in (*QUERIES, "with p as (select * from person) select * from p where exists (select 1 from p)"):
        assert sqlite_statements(sqlite_database, text, "id") == compose(Query(text.rstrip(";"), "id"), "sqlite")
    for word in ("union", "union all", "except", "intersect"):
        text = f"select id from person {word} select number from person"
        assert sqlite_statements(sqlite_database, text, "id") == compose(Query(text, "id"), "sqlite", bare=True)


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
def test_no_statement_counts_its_way_to_a_page(dialect: Any):
    statements = compose(Query("select * from person", "id"), dialect)
    for name in Statements.__dataclass_fields__:
        assert "offset" not in getattr(statements, name).lower()
