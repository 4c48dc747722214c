"""One job enqueued without the driver's cursor is what the driver would have made of it."""

import _thread
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from penstock import Penstock
from penstock.domain.errors import SchemaMissing
from penstock.store.port import Row

TEXT = "naïve \\ \"quotes\" 'single' \t\n {x,y} %s $1 𝄞 \0 end"


@pytest.fixture
def app(postgres_url: str) -> Iterator[Penstock]:
    with Penstock(postgres_url) as app:
        app.task(name="take")(take)
        app.migrate()
        yield app


@pytest.fixture
def admin(postgres_url: str) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def take(text: str) -> None: ...


def live(admin: "psycopg.Connection[Any]") -> list[Row]:
    return admin.execute("select id, arguments, tags, state, run_at - enqueued_at, deadline_at from penstock.live_jobs"
                         " order by id").fetchall()


def test_texts_arrive_as_they_are(app: Penstock, admin: "psycopg.Connection[Any]"):
    tags = ['quoted "x"', "back\\slash", "{braces},comma", "NULL", "über"]
    job = app.tasks["take"].using(tags=tags).enqueue(TEXT)
    [(id, arguments, found, state, wait, deadline)] = live(admin)
    assert (id, json.loads(arguments), found) == (job.id, {"text": TEXT}, tags)
    assert (state, wait, deadline) == ("available", 0, None)


def test_times_reach_far(app: Penstock, admin: "psycopg.Connection[Any]"):
    at = datetime(2101, 2, 3, tzinfo=UTC)
    app.tasks["take"].using(run_after=timedelta(days=400), deadline=at).enqueue("")
    [(_, _, tags, state, wait, deadline)] = live(admin)
    assert (tags, state, wait, deadline) == (None, "scheduled", 400 * 86_400_000, int(at.timestamp() * 1000))


def test_a_database_that_is_not_in_utf_8(postgres_url: str, admin: "psycopg.Connection[Any]"):
    admin.execute("create database penstock_latin encoding 'LATIN1' locale 'C' template template0")
    try:
        url = postgres_url.replace(f"/{admin.info.dbname}", "/penstock_latin")
        with Penstock(url) as app, psycopg.connect(url, client_encoding="utf8") as other:
            app.task(name="take")(take)
            app.migrate()
            app.tasks["take"].enqueue("naïve")
            assert live(other)[0][1] == '{"text":"naïve"}'
    finally:
        admin.execute("drop database penstock_latin with (force)")


def test_a_connection_whose_statements_were_discarded(app: Penstock, admin: "psycopg.Connection[Any]"):
    for _ in range(2):
        app.tasks["take"].enqueue("")
        app.store.write(lambda tx: tx.script("deallocate all"))
    app.tasks["take"].enqueue("")
    assert len(live(admin)) == 3


def test_a_schema_that_is_gone(app: Penstock, admin: "psycopg.Connection[Any]"):
    app.tasks["take"].enqueue("")
    admin.execute("drop schema penstock cascade")
    with pytest.raises(SchemaMissing, match="run `penstock migrate`"):
        app.tasks["take"].enqueue("")


def test_whoever_waits_for_the_server_can_be_interrupted(app: Penstock, admin: "psycopg.Connection[Any]"):
    app.tasks["take"].enqueue("")
    admin.execute("begin; lock table penstock.live_jobs in exclusive mode")

    def interrupt() -> None:
        waiting = "select exists (select from pg_locks where not granted and relation = 'penstock.live_jobs'::regclass)"
        while admin.execute(waiting).fetchone() != (True,):
            pass
        _thread.interrupt_main()

    with ThreadPoolExecutor() as threads:
        done = threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            app.tasks["take"].enqueue("")
        done.result()
    admin.execute("rollback")
    app.tasks["take"].enqueue("")
    assert len(live(admin)) == 2
