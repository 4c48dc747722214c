"""Databases, servers and proxies of their own for the cases of the kit."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from penstock.testing.connectors import FaultyProxy
from tests.connectors.sql.database import Database

_SOURCES = ("changes", "killed", "page_cut_short")
_DESTINATIONS = ("changes", "killed", "answers_lost")
_USUAL = {
    "test_files.py": _SOURCES,
    "test_sql.py::TestSource": _SOURCES,
    "test_sql.py::TestDestination": _DESTINATIONS,
    "test_scim.py": ("changes", "answers_lost"),  # tests/crash/ kills that sync
    "test_scim_source.py": (),  # tests/connectors/scim/test_source.py
    "test_console.py": ("changes", "answers_lost"),  # what is printed twice was sent twice: tests/testing/kit
    "test_ads.py": ("changes",),  # tests/crash/ kills that sync, tests/examples/ads/ breaks its calls
}
"""The checks that every suite makes of a connector, on SQLite where there is a choice: those that strike at the end
that the connector is, and `changes`, which begins as `first_sync` does and ends as `unchanged_run`."""


_DIES_ALIKE = (
    "bulk",        # as "single", with fewer requests
    "JSON Lines",  # as "CSV": a file is read from its beginning
    "read whole",  # as "in buckets", of which the source remembers something
    "own keys",    # what is created twice is one row, as answers_lost shows
)


def _usual(item: pytest.Item) -> bool:
    checks = next((checks for where, checks in _USUAL.items() if where in item.nodeid), None)
    if checks is None or "postgres" in item.name:
        return False
    name, _, variant = item.name.removeprefix("test_").rstrip("]").partition("[")
    if name == "killed" and any(each in variant for each in _DIES_ALIKE):
        return False
    if name == "answers_lost" and "in buckets" in variant:
        return True  # what a bucket held is known once it is written, and no sooner
    return name in checks or variant in checks


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and not _usual(item):
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


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy() as running:
        yield running
