"""Reading PostgreSQL: only reading, and leaving nothing in the session, so that a pooler may stand between."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from penstock.connectors import SQLSource
from penstock.domain.errors import SourceError
from tests.connectors.sql.database import Database, read, records, run_of
from tests.connectors.sql.pooler import Pooler


@pytest.mark.parametrize("scheme", ["postgresql://", "postgres://"])
def test_both_schemes(postgres_database: Database, scheme: str):
    url = postgres_database.url.replace("postgresql://", scheme, 1)
    assert records(SQLSource(url, "select 1 as id", key="id")) == [{"id": 1}]


def test_a_query_cannot_write(postgres_database: Database):
    postgres_database.run("create sequence numbers")
    with pytest.raises(SourceError, match="read-only transaction"):
        read(SQLSource(postgres_database.url, "select nextval('numbers') as id", key="id"))
    assert postgres_database.run("select last_value from numbers") == [(1,)]


def test_what_the_url_says_goes_before_what_penstock_would_say(postgres_database: Database):
    separator = "&" if "?" in postgres_database.url else "?"
    url = f"{postgres_database.url}{separator}application_name=hr-reader"
    query = "select current_setting('application_name') as id"
    assert records(SQLSource(url, query, key="id")) == [{"id": "hr-reader"}]
    assert records(SQLSource(postgres_database.url, query, key="id")) == [{"id": "penstock"}]
    url = f"{postgres_database.url}{separator}client_encoding=latin1"
    assert records(SQLSource(url, "select current_setting('client_encoding') as id", key="id")) == [{"id": "LATIN1"}]


def test_text_that_is_no_text(postgres_server: str):
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute("create database penstock_test_ascii template template0 encoding 'SQL_ASCII' locale 'C'")
        try:
            url = urlsplit(postgres_server)._replace(path="/penstock_test_ascii").geturl()
            database = Database(url)
            database.run("create table person (id text)", r"insert into person values ('gr' || e'\xc3\xbc' || 'n')")
            assert records(SQLSource(url, "select id from person", key="id")) == [{"id": "grün"}]
            database.run(r"insert into person values (e'gr\xfcn')")
            with pytest.raises(SourceError, match="invalid byte sequence"):
                read(SQLSource(url, "select id from person", key="id"))
        finally:
            server.execute("drop database penstock_test_ascii with (force)")


@pytest.fixture
def pooler(postgres_database: Database) -> Iterator[Pooler]:
    with closing(Pooler(postgres_database.url)) as pooler:
        yield pooler
        assert pooler.failure is None


def test_behind_a_pooler_that_takes_another_connection_for_every_transaction(
    postgres_database: Database, pooler: Pooler
):
    postgres_database.run("create table person (id integer, name text)",
                          "insert into person select id, 'x' from generate_series(1, 40) as id",
                          "insert into person select 20, 'again' from generate_series(1, 7)",
                          "insert into person select null, 'nobody' from generate_series(1, 7)")
    parts = urlsplit(postgres_database.url)
    url = f"postgresql://{parts.username}@127.0.0.1:{pooler.port}{parts.path}"
    source = SQLSource(url, "select id, name from person where name <> :subject", key="id")
    assert len(records(source, 3, run_of())) == 54
    assert pooler.transactions > 15
