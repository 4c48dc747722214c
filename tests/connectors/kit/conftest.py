"""Databases, servers and proxies of their own for the cases of the kit."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from penstock.testing.connectors import FaultyProxy
from tests.connectors.sql.database import Database
from tests.servers.scim import ScimServer, scim_server

_USUAL = ("first_sync", "unchanged_run", "changes", "killed", "answers_lost", "page_cut_short")
"""The checks that every suite makes of a connector, on SQLite where there is a choice."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            name = item.name.removeprefix("test_").partition("[")[0]
            check = item.name.partition("[")[2].rstrip("]") if name not in _USUAL else name
            left_out = "postgres" in item.name or (name == "killed" and "bulk" in item.name) or (
                check == "killed" and "tree" in item.name)  # tests/crash/ kills that sync
            if left_out or not any(each in (name, check) for each in _USUAL):
                item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="module")
def kit_url(postgres_server: str) -> Iterator[str]:
    """One database for the cases of a module; emptying it takes milliseconds."""
    name = f"penstock_kit_{os.getpid()}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"create database {name}")
        yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
        server.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database that is no store, on each of the two in turn."""
    if request.param == "postgres":
        return Database(request.getfixturevalue("kit_url"))
    return Database(f"sqlite:///{tmp_path}/hr.db")


@pytest.fixture(scope="session")
def server() -> Iterator[ScimServer]:
    with scim_server() as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy() as running:
        yield running
