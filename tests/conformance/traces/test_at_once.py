"""Plans are asked for when a trace ends, with parameters of which nothing is kept."""

import threading

import psycopg
import pytest

import penstock
from penstock import Penstock
from penstock.advise.asking.keeping import PlansKept
from penstock.domain.fingerprint import fingerprint
from penstock.domain.traces import database_of

_QUERY = "select id from people where name = %s and id > %s order by id limit 10"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every statement counts as slow."""
    monkeypatch.setattr("penstock.observe.slowness.CALL_NS", 0)


@pytest.fixture
def people(postgres_url: str) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table public.people (id bigint primary key, name text)")
        connection.execute("insert into people select n, 'name' || n %% 100 from generate_series(1, %s) as n", [5000])
        connection.execute("analyze people")
    return postgres_url


@pytest.mark.usefixtures("slow")
def test_a_slow_statement_is_explained_when_its_trace_ends(store_url: str, people: str):
    penstock.instrument("psycopg")
    try:
        with Penstock(store_url) as app:
            app.database("main", people)
            with penstock.trace("nightly", app=app), psycopg.connect(people) as connection:
                connection.execute(_QUERY, ["name7", 0]).fetchall()
            app.close()
            (kept,) = PlansKept(app.store, app.events).of(fingerprint(_QUERY), database_of(people))
    finally:
        penstock.uninstrument("psycopg")
    assert "people" in kept.text
    assert "name7" not in kept.text
    assert not [each for each in threading.enumerate() if each.name == "penstock-plans"]


@pytest.mark.usefixtures("slow")
def test_a_database_that_nobody_named_is_not_asked(store_url: str, people: str):
    penstock.instrument("psycopg")
    try:
        with Penstock(store_url) as app:
            app.database("other", f"{people}_other" if "?" not in people else people.replace("?", "_other?"))
            with penstock.trace("nightly", app=app), psycopg.connect(people) as connection:
                connection.execute(_QUERY, ["name7", 0]).fetchall()
            app.close()
            assert PlansKept(app.store, app.events).of(fingerprint(_QUERY), database_of(people)) == []
    finally:
        penstock.uninstrument("psycopg")
