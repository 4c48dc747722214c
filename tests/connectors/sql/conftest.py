"""Every test that takes `database` runs on SQLite and on PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.connectors.sql.database import Database

_WHICH = ("database", "target", "store_url")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the databases that an engine stands between, each is tried with each other; all three at once are not."""
    for item in items:
        if item.path == Path(__file__).parent / "test_into_engine.py":
            params = item.callspec.params  # type: ignore[attr-defined]
            which = [params[name] for name in _WHICH if name in params]
            if which.count("postgres") % 2:
                item.add_marker(pytest.mark.thorough)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/hr.db")
    database.run("pragma user_version = 1")  # writes the file
    return database


@pytest.fixture(scope="session")
def sources_url(postgres_server: str) -> Iterator[str]:
    """One database for all these tests: emptying it takes milliseconds, making another takes a hundred."""
    name = f"penstock_sources_{os.getpid()}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"create database {name}")
        yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def postgres_database(sources_url: str) -> Database:
    database = Database(sources_url)
    database.run("drop schema public cascade", "create schema public")
    return database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found
