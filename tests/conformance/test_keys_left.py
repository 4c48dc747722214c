"""A unique key that somebody's open transaction has met keeps nobody else waiting."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, Unique
from penstock.queue.claim import settle
from tests.caller import caller
from tests.clock import Clock
from tests.engine import Engine


@pytest.fixture
def theirs(store_url: str) -> Iterator[Any]:
    """An application's connection; on SQLite an open transaction that writes keeps every writer waiting by itself."""
    with closing(caller(store_url)) as connection:
        yield connection


def test_an_attempt_settles_while_a_transaction_holds_its_key(app: Penstock, clock: Clock, theirs: Any):
    if app.store.dialect == "sqlite":
        return  # there is one writer

    @app.task(name="work", unique=Unique())
    def work(number: int) -> None: ...

    engine = Engine(app, clock)
    first = work.enqueue(1)
    other = work.enqueue(2)
    jobs = engine.claim("default", 2)
    assert work.using(connection=theirs).enqueue(1).skipped
    assert settle(app.store, [engine.execute(job) for job in jobs]) == set()  # the caller has not committed
    assert clock.fetch(f"select state from penstock.jobs where id = {first.id}") == [("completed",)]
    assert work.enqueue(2).id != other.id  # nobody held that key
    theirs.commit()
    again = work.enqueue(1)  # before upkeep has come by
    assert not again.skipped
    app.upkeep().step()
    assert clock.fetch("select count(*) from penstock.keys_left") == [(0,)]
    assert work.enqueue(1).id == again.id


def test_upkeep_frees_what_was_left(app: Penstock, clock: Clock, theirs: Any):
    if app.store.dialect == "sqlite":
        return  # there is one writer

    @app.task(name="work", unique=Unique(states=("scheduled", "pending", "available", "executing", "retryable",
                                                 "completed")))
    def work(number: int) -> None: ...

    engine = Engine(app, clock)
    work.enqueue(1)
    jobs = engine.claim("default", 2)
    assert work.using(connection=theirs).enqueue(1).skipped
    settle(app.store, [engine.execute(job) for job in jobs])
    app.upkeep().step()
    assert clock.fetch("select count(*) from penstock.keys_left") == [(1,)], "the caller holds it still"
    theirs.rollback()
    app.upkeep().step()
    assert clock.fetch("select count(*) from penstock.keys_left") == [(0,)]
    assert work.enqueue(1).skipped, "completed is among its states"
    clock.advance(timedelta(days=2).total_seconds())
    assert not work.enqueue(1).skipped
