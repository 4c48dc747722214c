"""A directory and an engine over it, on each store."""

from collections.abc import Iterator

import pytest

from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine


@pytest.fixture
def directory() -> Directory:
    return Directory(groups={"g1": {f"p{number}": f"name {number}" for number in range(7)}})


@pytest.fixture
def engine(directory: Directory, store_url: str, clock: Clock) -> Iterator[Engine]:
    with directory.app(store_url, clock.expression) as app:
        yield Engine(app, clock)
