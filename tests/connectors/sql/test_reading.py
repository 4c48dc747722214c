"""Reading a query: its columns become fields, its parameters come from the run, and it may be written in any way."""

import pytest

from penstock.connectors import SQLSource
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Source
from tests.connectors.sql.database import Database, read, records, run_of

PEOPLE = [("E1", "Åse", "door-1"), ("E2", "Bo: the 2nd", "door-1"), ("E3", "100%", "door-2"), ("E4", "Di", "door-1")]


@pytest.fixture
def people(database: Database) -> Database:
    database.run("create table person (id text primary key, name text, team text)")
    database.insert("person", PEOPLE)
    return database


def test_it_is_a_source(people: Database):
    assert isinstance(SQLSource(people.url, "select id from person", key="id"), Source)


def test_columns_become_fields_in_pages_ordered_by_key(people: Database):
    pages, complete = read(SQLSource(people.url, "select id, name from person", key="id"), size=3)
    assert pages == [
        [{"id": "E1", "name": "Åse"}, {"id": "E2", "name": "Bo: the 2nd"}, {"id": "E3", "name": "100%"}],
        [{"id": "E4", "name": "Di"}],
    ]
    assert complete == Complete(4)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_last_page_that_is_full_is_still_the_last(people: Database, size: int):
    found = records(SQLSource(people.url, "select id from person", key="id"), size)
    assert [record["id"] for record in found] == ["E1", "E2", "E3", "E4"]


def test_a_query_without_rows_is_complete(people: Database):
    assert read(SQLSource(people.url, "select id from person where 1 = 0", key="id")) == ([], Complete(0))


def test_subject_and_account_come_from_the_run(people: Database):
    source = SQLSource(people.url, "select id, :account as customer from person where team = :subject", key="id")
    assert records(source, 2, run_of("door-1", "acme")) == [
        {"id": name, "customer": "acme"} for name in ("E1", "E2", "E4")
    ]
    assert records(source, 2, run_of("door-2", "o'neill")) == [{"id": "E3", "customer": "o'neill"}]


def test_a_subject_fits_an_integer_column(database: Database):
    database.run("create table member (team integer, id integer)", "insert into member values (7, 1), (8, 2)")
    source = SQLSource(database.url, "select id from member where team = :subject", key="id")
    assert records(source, 1, run_of("7")) == [{"id": 1}]


def test_the_source_sets_its_own_page_size(people: Database):
    pages, _ = read(SQLSource(people.url, "select id from person", key="id", page_size=2), size=100)
    assert [len(page) for page in pages] == [2, 2]


@pytest.mark.parametrize(
    "query",
    [
        "select id from person where team = :subject;",
        "select id from person where team = :subject ; -- that is all",
        "select id from person where team = :subject -- that is all",
        "-- first\nselect id from person where team = :subject /* :nobody */",
        "select id from person where team = :subject order by name desc",
        "select id from person where team = :subject order by name desc limit 100",
        "select id from person where team = :subject and name <> ':nobody; --'",
        "select id from person where team = :subject and name not like '100%' and name <> '%s' and name <> '%(after)s'",
        "select id from person where team = :subject and 10 % 3 = 1",
        "with chosen as (select * from person where team = :subject) select id from chosen",
        "select id from person where team = :subject union all select id from person where team = '{}'",
        "select max(id) as id from person where team = :subject group by name",
        "select distinct p.id from person as p join person as q using (team) where team = :subject",
    ],
)
def test_a_query_may_be_written_in_any_way(people: Database, query: str):
    found = records(SQLSource(people.url, query, key="id"), 2, run_of("door-1"))
    assert [record["id"] for record in found] == ["E1", "E2", "E4"]


def test_column_names_that_need_quotes(database: Database):
    database.run(
        'create table "odd table" ("the ""key"" 100%" integer primary key, ":subject" text, "Größe {x}" text)',
        "insert into \"odd table\" values (1, 'a', 'b'), (2, 'c', 'd'), (3, 'e', 'f')",
    )
    source = SQLSource(database.url, 'select * from "odd table"', key='the "key" 100%')
    assert records(source, 2)[2] == {'the "key" 100%': 3, ":subject": "e", "Größe {x}": "f"}


def test_names_in_the_query_may_be_those_that_the_wrapping_uses(database: Database):
    database.run("create table penstock_page (penstock_query integer)",
                 "insert into penstock_page values (1), (2), (3)")
    source = SQLSource(database.url, "select * from penstock_page as penstock_query", key="penstock_query")
    assert records(source, 1) == [{"penstock_query": number} for number in (1, 2, 3)]


def test_one_source_serves_many_runs(people: Database):
    source = SQLSource(people.url, "select id from person where team = :subject", key="id")
    first, second = source.pages(run_of("door-1"), 1), source.pages(run_of("door-2"), 1)
    assert next(first) == [{"id": "E1"}]
    assert next(second) == [{"id": "E3"}]
    assert next(first) == [{"id": "E2"}]
    first.close()
    second.close()


def test_rows_that_come_behind_the_page_are_still_read(people: Database):
    generator = SQLSource(people.url, "select id from person", key="id").pages(run_of(), 1)
    assert next(generator) == [{"id": "E1"}]  # E2 may be on its way
    people.run("insert into person values ('E5', 'Eli', 'door-1')", "delete from person where id = 'E3'")
    assert list(generator) == [[{"id": "E2"}], [{"id": "E4"}], [{"id": "E5"}]]
