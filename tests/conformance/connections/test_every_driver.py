"""Penstock inside of the application's transaction, through every driver and framework."""

import asyncio
import json
from typing import Any

import pytest

from penstock import Penstock, Unique
from penstock.domain.errors import UnknownConnection
from penstock.queue.enqueue import plan
from penstock.store.adapters import ainsert, insert
from penstock.store.adapters.recognise import kind_of
from tests.clock import Clock
from tests.conformance.connections.callers import DRIVERS, Caller, Driver

EACH = [pytest.param(store, driver, id=f"{store}-{name}".replace(" ", "-"))
        for store, drivers in DRIVERS.items() for name, driver in drivers.items()]
each_driver = pytest.mark.parametrize(("store_url", "driver"), EACH, indirect=["store_url"])


@each_driver
def test_what_is_enqueued_shares_the_fate_of_what_is_written(
        app: Penstock, remind: Any, committed: Any, store_url: str, driver: Driver):
    async def transaction(number: int, how: str) -> None:
        async with driver(store_url) as caller:
            await caller.write(f"a{number}")
            await caller.enqueue(remind, number)
            await caller.write(f"b{number}")
            assert committed() == before
            await caller.end(how)

    before: tuple[list[str], list[str]] = ([], [])
    driver.play(transaction(1, "commit"))
    before = (["a1", "b1"], ['{"offer":1}'])
    assert committed() == before
    driver.play(transaction(2, "roll back"))
    assert committed() == before
    assert remind.enqueue(3).id  # and no lock is left


@each_driver
def test_an_enqueue_begins_the_transaction_that_it_joins(remind: Any, committed: Any, store_url: str, driver: Driver):
    """Where it is the first that happens: some drivers and frameworks begin only with what they recognise."""
    async def transaction(how: str) -> None:
        async with driver(store_url) as caller:
            await caller.enqueue(remind, 1)
            assert committed() == ([], [])
            await caller.write("a")
            assert committed() == ([], [])
            await caller.end(how)

    driver.play(transaction("roll back"))
    assert committed() == ([], [])
    driver.play(transaction("commit"))
    assert committed() == (["a"], ['{"offer":1}'])


@each_driver
def test_every_verb_takes_every_connection(app: Penstock, clock: Clock, committed: Any, store_url: str, driver: Driver):
    """All forms of parameters: numbers, text and their absence, arrays of both, with absences among them."""
    @app.task(name="once", unique=Unique())
    def once(text: str) -> None: ...

    @app.task(name="often")
    def often(text: str) -> None: ...

    @app.task(name="keyed", serial="text", unique=Unique(args=()))
    def keyed(text: str) -> None: ...

    odd = "100% :not %(not)s $1 ' \" \\ \x01 ☃ %%"
    waiting = often.using(tags=["offer:7", odd]).enqueue(odd)

    async def transaction(how: str) -> None:
        async with driver(store_url) as caller:
            calls = [once.call(odd), often.call(odd), once.call("other"), once.call(odd), often.call("")]
            rows = await caller.run(app, *plan(calls))
            assert [bool(row[1]) for row in rows] == [False, False, False, True, False]
            assert rows[3][0] == rows[0][0]
            rows = await caller.run(app, *plan([often.call(f"{number}{odd}") for number in range(300)]))
            assert len({row[0] for row in rows}) == 300
            rows = await caller.run(app, *plan([often.call("0"), keyed.call(odd), keyed.call("1")]))
            assert [bool(row[1]) for row in rows] == [False, False, True]
            assert await caller.run(app, "invalidate", {"tags": ["offer:7", odd]})
            cancelled = await caller.run(app, "cancel", {"id": waiting.id, "keep_ms": 5_000, "reason": odd,
                                                          "state": "cancelled"})
            assert cancelled == [("cancelled",)]
            requests = json.dumps([{"sync": "s", "subject": odd, "account": "a", "priority": -1, "reason": "why"}] * 3)
            assert len(await caller.run(app, "request", {"requests": requests})) == 3
            await caller.end(how)

    driver.play(transaction("roll back"))
    assert committed()[1] == [json.dumps({"text": odd}, ensure_ascii=False, separators=(",", ":"))]
    assert clock.fetch("select count(*) from penstock.sync_requests union all"
                       " select count(*) from penstock.tag_marks") == [(0,), (0,)]
    driver.play(transaction("commit"))
    assert len(committed()[1]) == 306
    assert clock.fetch("select error from penstock.finished_jobs") == [(odd,)]
    [(line, also)] = clock.fetch("select p.line, j.also from penstock.pending_jobs p"
                                 " join penstock.live_jobs j on j.line = p.line and j.id = p.id")
    assert (line, also) == (f"serial:keyed:{json.dumps(odd, ensure_ascii=False)}", None)
    assert clock.fetch("select line, freed, most from penstock.line_news") == [(line, 0, 1)]
    assert sorted(clock.fetch("select tag from penstock.tag_marks")) == [(odd,), ("offer:7",)]
    assert clock.fetch("select subject, reason from penstock.sync_requests") == [(odd, "why")] * 3


@each_driver
def test_what_is_met_is_replaced_through_every_connection(
        app: Penstock, clock: Clock, table: None, store_url: str, driver: Driver):
    @app.task(name="latest", unique=Unique(args=(), conflict="replace"))
    def latest(number: int) -> None: ...

    waiting = latest.enqueue(1)

    async def transaction(number: int, how: str) -> None:
        async with driver(store_url) as caller:
            await caller.enqueue(latest, number)
            assert clock.fetch("select arguments from penstock.live_jobs") == before
            await caller.end(how)

    before = [('{"number":1}',)]
    driver.play(transaction(2, "roll back"))
    assert clock.fetch("select arguments from penstock.live_jobs") == before
    driver.play(transaction(3, "commit"))
    assert clock.fetch("select id, arguments from penstock.live_jobs") == [(waiting.id, '{"number":3}')]


@each_driver
def test_a_connection_is_asked_once(app: Penstock, remind: Any, table: None, store_url: str, driver: Driver):
    """Where it leads is asked over the network only once; a file is looked at again, which costs nothing."""
    async def transaction() -> None:
        async with driver(store_url) as caller:
            await caller.enqueue(remind, 1)
            link = callers_link(caller)
            link = await link if asyncio.iscoroutine(link) else link
            assert (app.store.owns(link.driver) is None) == (app.store.dialect == "postgres")
            await caller.end("roll back")

    driver.play(transaction())


def callers_link(caller: Caller) -> Any:
    return kind_of(caller.connection).open(caller.connection)


@pytest.mark.parametrize(("store_url", "driver"), [each for each in EACH if each.values[1].waits],
                         indirect=["store_url"])
def test_an_asynchronous_connection_is_not_used_without_await(remind: Any, table: None, store_url: str, driver: Driver):
    async def transaction() -> None:
        async with driver(store_url) as caller:
            with pytest.raises(UnknownConnection, match="use `await ….aenqueue"):
                remind.using(connection=caller.connection).enqueue(1)
            await caller.end("roll back")

    driver.play(transaction())


def test_without_a_connection_both_colours_use_the_stores_own(app: Penstock, committed: Any):
    tags = {"tags": ["offer:7"]}
    assert insert(app.store, "invalidate", tags) == [("offer:7",)]
    assert asyncio.run(ainsert(app.store, "invalidate", tags)) == [("offer:7",)]
