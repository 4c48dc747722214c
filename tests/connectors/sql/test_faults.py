"""A read that fails is a SourceError, never Complete: what was read before it proves nothing."""

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.connectors import SQLSource
from penstock.domain.errors import ConfigurationError, SourceError
from tests.connectors.sql.database import Database, read, run_of


@pytest.fixture
def people(database: Database) -> Database:
    database.run("create table person (id integer primary key, name text)")
    database.insert("person", [(number, f"name {number}") for number in range(10)])
    return database


def failure(source: SQLSource, subject: str = "s-1") -> str:
    with pytest.raises(SourceError) as caught:
        read(source, 3, run_of(subject))
    return str(caught.value)


def test_a_key_that_the_query_does_not_have(people: Database):
    message = failure(SQLSource(people.url, "select id as person_id, name from person", key="persn_id"))
    assert message == (
        'SQLSource is keyed by "persn_id", but its query has the columns person_id, name. Did you mean "person_id"?'
    )


def test_a_key_that_resembles_no_column(people: Database):
    message = failure(SQLSource(people.url, "select id, name from person", key="zzz"))
    assert message.endswith("Select the key, or name another column as key.")


def test_a_key_in_other_letters(people: Database):
    """SQLite would find the column, but the record would have no field of that name."""
    message = failure(SQLSource(people.url, "select id, name from person", key="ID"))
    assert message.endswith('Did you mean "id"?')


@pytest.mark.parametrize("columns", ["id, p.name, id", "id, id as id, p.name", "p.*, q.id", "id, id, id"])
def test_two_columns_of_one_name(people: Database, columns: str):
    message = failure(SQLSource(people.url, f"select {columns} from person p join person q using (id)", key="id"))
    assert "several called id" in message
    assert "as other_name" in message


def test_columns_that_sqlite_tells_apart_by_a_number_are_told_apart(sqlite_database: Database):
    source = SQLSource(sqlite_database.url, 'select 1 as id, 2 as "name:1", 3 as "10:30"', key="id")
    assert read(source)[0] == [[{"id": 1, "name:1": 2, "10:30": 3}]]
    assert "several called id" in failure(SQLSource(sqlite_database.url, "select 1 as id, 2 as ID", key="id"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select id from persons", "persons"),
        ("select id from", "syntax error"),
        ("delete from person", "syntax error"),
        ("select id from person where (1 = 1", "syntax error"),
        ("select id from person) as a, (select 1 as b", ""),
    ],
)
def test_a_query_that_the_database_refuses(people: Database, query: str, said: str):
    message = failure(SQLSource(people.url, query, key="id"))
    assert said in message
    assert "Correct the query" in message
    assert people.run("select count(*) from person") == [(10,)]


def test_a_subject_that_is_no_text(people: Database):
    failure(SQLSource(people.url, "select id from person where name = :subject", key="id"), "\ud800")


def paused(source: SQLSource) -> Iterator[Any]:
    generator = source.pages(run_of(), 3)
    assert len(next(generator)) == 3
    return generator


def test_a_table_that_goes_away_between_two_pages(people: Database):
    generator = paused(SQLSource(people.url, "select id from person", key="id"))
    people.run("drop table person")
    with pytest.raises(SourceError, match="person"):
        list(generator)  # the next page may have come already
    with pytest.raises(StopIteration) as stopped:
        next(generator)
    assert stopped.value.value is None


def kill_readers(database: Database) -> None:
    killed = database.run(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
        " where application_name = 'penstock' and datname = current_database()"
    )
    assert killed == [(True,)]


def test_a_connection_that_drops_between_two_pages(postgres_database: Database):
    postgres_database.run("create table person as select id from generate_series(1, 10) as id")
    generator = paused(SQLSource(postgres_database.url, "select id from person", key="id"))
    kill_readers(postgres_database)
    with pytest.raises(SourceError, match="terminating connection|server closed the connection"):
        list(generator)


def test_a_connection_that_drops_within_the_rows_of_one_key(postgres_database: Database):
    postgres_database.run("create table person as select null::int as id from generate_series(1, 10)")
    generator = paused(SQLSource(postgres_database.url, "select id from person", key="id"))
    kill_readers(postgres_database)
    with pytest.raises(SourceError):
        list(generator)


def test_a_file_that_is_damaged_between_two_pages(sqlite_database: Database):
    sqlite_database.run("create table person (id integer primary key, name text)")
    sqlite_database.insert("person", [(number, "x" * 2000) for number in range(20)])
    generator = paused(SQLSource(sqlite_database.url, "select id, name from person", key="id"))
    with open(sqlite_database.url.removeprefix("sqlite:///"), "r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(SourceError, match="malformed"):
        list(generator)


PASSWORD = "s3cret/pass"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:s3cret%2Fpass@127.0.0.1:1/hr",
        "postgres://someone@127.0.0.1:1/hr?password=s3cret%2Fpass",
        "postgresql://someone:s3cret%2Fpass@127.0.0.1:1,127.0.0.1:2/hr",
    ],
)
def test_a_server_that_is_not_there(url: str):
    message = failure(SQLSource(url, "select 1 as id", key="id"))
    assert message.startswith("The source at postgresql://127.0.0.1")
    assert "refused" in message
    assert "Check that the server runs" in message
    assert "s3cret" not in message


def test_a_password_that_the_server_repeats_is_hidden(postgres_database: Database):
    """A role called like its password, as in many a first set-up."""
    url = postgres_database.url.replace("postgres:", "hush-hush:hush-hush", 1)
    assert url.count("hush-hush") == 2
    message = failure(SQLSource(url, "select 1 as id", key="id"))
    assert "***" in message
    assert "hush-hush" not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:s3cret@pass@127.0.0.1:1/hr",
        "postgresql://someone:s3cret/pass@127.0.0.1:1/hr",
        "postgresql://someone:5432/s3cret@127.0.0.1:1/hr",
        "postgresql://someone:s3cret%pass@127.0.0.1:1/hr",
        "postgresql://someone:s3cret%00pass@127.0.0.1:1/hr",
        "postgresql://127.0.0.1:1/hr?pasword=s3cret",
    ],
)
def test_a_malformed_url_is_not_repeated(url: str):
    with pytest.raises(ConfigurationError) as caught:
        read(SQLSource(url, "select 1 as id", key="id"))
    assert "%40 for '@'" in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
