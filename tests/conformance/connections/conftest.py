"""A task to be enqueued, a table of the application's own, and what of both everybody sees."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.conformance.connections.callers import outsider


@pytest.fixture
def remind(app: Penstock) -> Any:
    @app.task(name="remind")
    def remind(offer: int) -> None: ...

    return remind


@pytest.fixture
def table(store_url: str) -> None:
    """A table of the application's own."""
    with contextlib.closing(outsider(store_url)) as connection:
        connection.execute("create table account (name text)")


@pytest.fixture
def committed(clock: Clock, table: None) -> Callable[[], tuple[list[str], list[str]]]:
    """The application's rows and the arguments of the jobs that everybody sees."""
    def read() -> tuple[list[str], list[str]]:
        names = clock.fetch("select name from account order by name")
        return [row[0] for row in names], [
            row[0] for row in clock.fetch("select arguments from penstock.live_jobs order by id")]

    return read
