"""What the suites have in common, on each store: workers that end with their test, and a directory with its engine."""

from collections.abc import Iterator

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.conformance.workers import Workers
from tests.engine import Engine


@pytest.fixture
def workers(app: Penstock, clock: Clock) -> Iterator[Workers]:
    found = Workers(app, clock)
    yield found
    found.close()


@pytest.fixture
def directory() -> Directory:
    return Directory(groups={"g1": {f"p{number}": f"name {number}" for number in range(7)}})


@pytest.fixture
def engine(directory: Directory, store_url: str, clock: Clock) -> Iterator[Engine]:
    with directory.app(store_url, clock.expression) as app:
        yield Engine(app, clock)
