"""How databases and routes are told."""

import pytest

from penstock.domain.routes import route
from penstock.domain.traces import TraceSeen, database_name, database_of, is_control


@pytest.mark.parametrize(("url", "told"), [
    ("postgresql://ann:secret@db.example:6543/shop", "postgresql://db.example:6543/shop"),
    ("postgres://db.example/shop", "postgresql://db.example:5432/shop"),
    ("postgresql+psycopg://ann:p%40ss@db.example/shop?sslmode=require", "postgresql://db.example:5432/shop"),
    ("postgresql://ann:secret@/shop?host=/run/pg", "postgresql://%2Frun%2Fpg:5432/shop"),
    ("postgresql://ann@[::1]:5433/shop", "postgresql://%5B%3A%3A1%5D:5433/shop"),
    ("postgresql://ann@db.example", "postgresql://db.example:5432/ann"),
    ("sqlite:////var/lib/shop.db", "sqlite:////var/lib/shop.db"),
    ("sqlite:///shop.db?mode=ro", "sqlite:///shop.db"),
    ("mysql://ann:secret@db.example:3306/shop", "mysql://db.example:3306/shop"),
])
def test_a_database_is_told_without_user_and_password(url: str, told: str):
    assert database_of(url) == told


def test_a_database_is_told_alike_by_url_and_by_what_a_driver_says():
    assert database_name("postgresql", "shop", "/run/pg", "5432") == database_of("postgresql:///shop?host=/run/pg")
    assert database_name("sqlite", "/var/lib/shop.db") == database_of("sqlite:////var/lib/shop.db")


@pytest.mark.parametrize(("path", "told"), [
    ("/v2/groups/17/members/4f1c9a2e-0000-4000-8000-000000000001", "/v2/groups/*/members/*"),
    ("/Users/ann@example.org?count=10", "/Users/*"), ("/Users", "/Users"), ("/", "/"), ("", "/"),
    ("/files/deadbeef/decade", "/files/deadbeef/decade"), ("/files/dead-beef-00", "/files/*"),
    ("/a/" + "x" * 41, "/a/*"), ("/v10/campaigns:mutate", "/v10/campaigns:mutate"),
])
def test_what_looks_like_an_identifier_is_no_part_of_a_route(path: str, told: str):
    assert route(path) == told


def test_each_value_has_phases_of_its_own():
    TraceSeen(kind="task", name="t", since=0).phases[0] = 5
    assert TraceSeen(kind="task", name="t", since=0).phases == [0] * 8


@pytest.mark.parametrize(("text", "control"), [
    ("CONNECT", True), ("EMPTY QUERY", True), ("COMMIT", True), ("ROLLBACK;", True), ("BEGIN;", True),
    (" begin\n", True), ("SAVEPOINT x", True), ("set work_mem = 1", True), ("select 1", False), ("update t", False),
    ("", False), ("connected", False),
])
def test_what_begins_and_ends_connections_and_transactions_has_no_plan(text: str, control: bool):
    assert is_control(text) == control
