"""Requests in bulk: one statement, inside the caller's transaction where a connection is given, awaited or not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import UnknownConnection
from penstock.sync import Layer, Subject, Sync
from tests.clock import Clock
from tests.conformance.connections.callers import DRIVERS, Driver

_NAMES = {"sqlite": ("sqlite3", "aiosqlite", "SQLAlchemy Session"),
          "postgres": ("psycopg", "asyncpg", "SQLAlchemy Session", "SQLAlchemy AsyncSession")}
EACH = [pytest.param(store, DRIVERS[store][name], id=f"{store}-{name}".replace(" ", "-"))
        for store, names in _NAMES.items() for name in names]
ASKED = [("g1", "acme", 5, "edited"), ("g2", None, 5, "edited"), ("3", "acme", 5, "edited"),
         ("g4", "other", 5, "edited")]
SUBJECTS = [("g1", "acme"), "g2", (3, "acme"), Subject("g4", account="other", size=7)]


@pytest.fixture
def sync(app: Penstock) -> Any:
    """A sync of the app that the callers' connections lead to."""
    class People(Layer[dict[str, Any]]):
        key, mode = "id", "create_only"

        def source(self, run: Any) -> Iterator[dict[str, Any]]:
            yield from ()

        def create(self, changes: Any, run: Any) -> list[Any]:
            return []

    class Crowd(Sync[str]):
        layers = [People]

    declared = app.sync("crowd")(Crowd)
    app.migrate()  # or the first request would, while the caller holds the lock
    return declared


def asked(clock: Clock) -> list[tuple[Any, ...]]:
    return clock.fetch("select subject, account, priority, reason from penstock.sync_requests order by id")


@pytest.mark.parametrize(("store_url", "driver"), EACH, indirect=["store_url"])
def test_many_requests_share_the_fate_of_what_is_written(
        sync: Any, clock: Clock, table: None, store_url: str, driver: Driver):
    async def transaction(how: str) -> None:
        async with driver(store_url) as caller:
            await caller.write("a")
            asking = sync.using(connection=caller.connection, priority=5, reason="edited")
            if driver.waits:
                await asking.arequest_many(SUBJECTS[:-1])
                await asking.arequest("g4", account="other")
            else:
                asking.request_many(iter(SUBJECTS))
            assert asked(clock) == []
            await caller.end(how)

    driver.play(transaction("roll back"))
    assert asked(clock) == []
    driver.play(transaction("commit"))
    assert asked(clock) == ASKED


def test_without_a_connection_in_both_colours(sync: Any, clock: Clock):
    sync.request_many(SUBJECTS)
    sync.request_many([])

    async def later() -> None:
        await sync.arequest_many(f"p{number}" for number in range(2000))
        await sync.arequest("last", account="acme")

    asyncio.run(later())
    assert [row[:2] for row in asked(clock)] == [
        *[row[:2] for row in ASKED], *[(f"p{number}", None) for number in range(2000)], ("last", "acme")]


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_an_asynchronous_connection_wants_the_awaited_form(sync: Any, table: None, store_url: str):
    async def transaction() -> None:
        async with DRIVERS["postgres"]["asyncpg"](store_url) as caller:
            with pytest.raises(UnknownConnection, match="awaited form"):
                sync.using(connection=caller.connection).request_many(["g1"])
            await caller.end("roll back")

    asyncio.run(transaction())
