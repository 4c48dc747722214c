"""A server with HypoPG. Where none is installed the tests skip; under REQUIRE=1 they fail."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from bench import installed
from tests.advise.databases import make_trap
from tests.databases import database

_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server that has HypoPG and auto_explain."""
    if installed.find() is None:
        if os.environ.get("REQUIRE") == "1":
            pytest.fail("no PostgreSQL with HypoPG is installed, and REQUIRE=1")
        pytest.skip("no PostgreSQL with HypoPG is installed")
    with installed.started(*_SETTINGS) as url:
        yield url


@pytest.fixture
def trap_url(server: str) -> Iterator[str]:
    """Case study Q's table in small, without the extension."""
    with database(server, None) as url:
        make_trap(url)
        yield url


@pytest.fixture
def hypopg_url(trap_url: str) -> str:
    """The same, with the extension."""
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create schema extensions; create extension hypopg schema extensions")
    return trap_url
