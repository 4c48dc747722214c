"""Patterns of work that really did what they name, told by instruments: on a real PostgreSQL and over real HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import psycopg
import pytest

import penstock
from penstock import Penstock
from penstock.observe.summary import Summary


class Users(BaseHTTPRequestHandler):
    """Answers whatever is sent to a user."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def users() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Users) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def instrumented(app: Penstock) -> Iterator[None]:
    app.migrate()
    for name in ("psycopg", "httpx2"):
        penstock.instrument(name)
    yield
    for name in ("psycopg", "httpx2"):
        penstock.uninstrument(name)


@pytest.fixture
def shop(postgres_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table purchase as select n as id, n * 7 % 500 as customer_id, n * 13 % 1000 as cents"
                           " from generate_series(1, 8000) n")
        connection.execute("create table customer as select n as id, 'Customer ' || n as name"
                           " from generate_series(0, 499) n")
        yield connection


def why(app: Penstock, name: str) -> Summary:
    assert app.recorder is not None
    app.recorder.flush()
    return app.why_slow(name)


def test_a_report_by_offset_with_a_query_for_each_row(app: Penstock, shop: psycopg.Connection[tuple[object, ...]]
                                                      ) -> None:
    seen = 0
    with penstock.trace("report", app=app):
        while page := shop.execute("select customer_id from purchase order by cents, id limit 200 offset %s",
                                   (seen,)).fetchall():
            seen += len(page)
            for (customer,) in page[:10]:
                shop.execute("select name from customer where id = %s", (customer,)).fetchone()
    found = why(app, "report")
    named = {each.kind: each for each in found.patterns}
    assert set(named) == {"offset paging", "n+1"}
    assert (named["n+1"].evidence["calls"], named["offset paging"].evidence["calls"]) == (400, 41)
    assert named["n+1"].says.startswith("400 calls, each at most one row")
    assert "test_real_patterns.py:" in (named["n+1"].site or "")
    assert found.next.startswith("penstock advise report")
    assert found.ranked is not None
    assert found.ranked.phases["queried"] > found.ranked.total_us / 2
    assert found.worst is not None
    assert found.worst.database is not None
    assert found.worst.database.startswith("postgresql://")


def test_a_report_that_asks_once_shows_nothing(app: Penstock, shop: psycopg.Connection[tuple[object, ...]]) -> None:
    with penstock.trace("report", app=app):
        shop.execute("select name, cents from purchase join customer on customer.id = customer_id").fetchall()
        for n in range(9):
            shop.execute("select name from customer where id = %s", (n,)).fetchone()
    assert why(app, "report").patterns == []


def test_users_that_are_pushed_one_by_one(app: Penstock, users: str) -> None:
    with httpx2.Client(base_url=users) as client, penstock.trace("push", app=app):  # to make one takes long
        for n in range(25):
            client.put(f"/v2/users/{n}", json={"name": f"User {n}"})
    (found,) = why(app, "push").patterns
    assert found.kind == "chatty calls"
    assert found.route is not None
    assert found.route.startswith("PUT 127.0.0.1")
    assert found.route.endswith("/v2/users/*")
    assert "25 calls of PUT" in found.says


def test_an_update_of_a_row_that_somebody_holds(app: Penstock, postgres_url: str,
                                                shop: psycopg.Connection[tuple[object, ...]]) -> None:
    app.database("shop", postgres_url)
    change = "update customer set name = 'Ada' where id = 7"

    def release() -> None:
        """Once somebody has waited for a quarter of a second, by the server's clock."""
        while not shop.execute("select 1 from pg_locks where not granted and clock_timestamp() - waitstart"
                               " > interval '0.25 s'").fetchone():
            pass
        shop.execute("commit")

    with psycopg.connect(postgres_url, autocommit=True) as mine:
        shop.execute("begin")
        shop.execute(change)
        thread = threading.Thread(target=release)
        thread.start()
        with penstock.trace("rename", app=app):
            mine.execute(change)
        thread.join()
    (found,) = why(app, "rename").patterns
    assert found.kind == "lock wait"
    assert found.took_us >= 150_000
    assert "where id = 7` at" in found.says
    assert "waited for locks of other sessions" in found.says
