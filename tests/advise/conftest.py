"""Databases that are advised on: one with the trap of case study Q, and an empty one beside it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from penstock.advise.asking.options import Options
from tests.advise.databases import make_trap
from tests.databases import database


@pytest.fixture(scope="session")
def trap_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with case study Q's table in small, to be copied."""
    with database(postgres_server, None) as url:
        make_trap(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def trap_url(postgres_server: str, trap_template: str) -> Iterator[str]:
    """Case study Q's table in small."""
    with database(postgres_server, trap_template) as url:
        yield url


@pytest.fixture
def own_url(postgres_server: str) -> Iterator[str]:
    """Another database of that server: Penstock's own, for scratch schemas."""
    with database(postgres_server, None) as url:
        yield url


@pytest.fixture
def options() -> Options:
    """As usual, but for the role, which is one of the whole server and so of all tests."""
    return Options(role=None)
