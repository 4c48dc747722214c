"""A read holds one connection while it lasts, and no transaction while a page is worked on."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from penstock.connectors import SQLSource
from penstock.domain.errors import SourceError
from tests.connectors.sql.database import Database, read, run_of


@pytest.fixture
def people(database: Database) -> Database:
    database.run("create table person (id integer primary key)")
    database.insert("person", [(number,) for number in range(10)])
    return database


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that is opened from here on."""
    connections: list[Any] = []

    def keeping(connect: Callable[..., Any]) -> Callable[..., Any]:
        def kept(*arguments: Any, **options: Any) -> Any:
            connections.append(connect(*arguments, **options))
            return connections[-1]

        return kept

    monkeypatch.setattr(sqlite3, "connect", keeping(sqlite3.connect))
    monkeypatch.setattr(psycopg, "connect", keeping(psycopg.connect))
    return connections


def is_open(connection: Any) -> bool:
    if isinstance(connection, psycopg.Connection):
        return not connection.closed
    try:
        connection.execute("select 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_nothing_is_opened_before_the_first_page(people: Database, opened: list[Any]):
    generator = SQLSource(people.url, "select id from person", key="id").pages(run_of(), 3)
    assert opened == []
    next(generator)
    assert [is_open(connection) for connection in opened] == [True]
    generator.close()


def test_a_finished_read_is_closed(people: Database, opened: list[Any]):
    read(SQLSource(people.url, "select id from person", key="id"), 3)
    assert [is_open(connection) for connection in opened] == [False]


@pytest.mark.parametrize("query", ["select id from person", "select 1 as id from person"])
def test_a_read_that_is_given_up_is_closed(people: Database, opened: list[Any], query: str):
    generator = SQLSource(people.url, query, key="id").pages(run_of(), 3)
    next(generator)
    generator.close()
    assert [is_open(connection) for connection in opened] == [False]


def test_a_read_that_fails_is_closed(people: Database, opened: list[Any]):
    with pytest.raises(SourceError):
        read(SQLSource(people.url, "select id from person", key="name"), 3)
    assert [is_open(connection) for connection in opened] == [False]


def test_what_fits_a_page_takes_one_statement(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch):
    """Beside the two that only prepare: a heavy query must not run twice for a small answer."""
    sqlite_database.run("create table person (id integer)", "insert into person values (1), (2), (null)")
    statements: list[str] = []
    connect = sqlite3.connect

    def tracing(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", tracing)
    pages, _ = read(SQLSource(sqlite_database.url, "select id from person", key="id"), 3)
    assert [len(page) for page in pages] == [3]
    assert len([text for text in statements if "limit 0" not in text and not text.startswith("explain")]) == 1


# Rows of one key that fill a page exactly are read to their end before the page is given.
@pytest.mark.parametrize("query", ["select id from person", "select null as id from person where id < 5"])
def test_no_transaction_is_open_while_a_page_is_worked_on(people: Database, query: str):
    generator = SQLSource(people.url, query, key="id").pages(run_of(), 4)
    pages = 0
    for _ in generator:
        pages += 1
        if "null" in query and pages == 1:
            continue  # more rows without a key than a page holds: the one case that has to stay open
        if people.is_sqlite:
            with people.connect() as writer:
                writer.execute("pragma busy_timeout = 0")
                writer.execute("begin exclusive")  # fails at once where anybody reads
                writer.execute("rollback")
        else:
            assert any(people.run("select state from pg_stat_activity where application_name = 'penstock'"
                                  " and datname = current_database()") == [("idle",)]
                       for _ in range(1000))  # the next page may be on its way
    assert pages == (2 if "null" in query else 3)
