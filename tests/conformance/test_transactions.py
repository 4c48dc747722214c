"""Transactions of a store: whole or not at all, seen when they are over, by one clock."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.domain.errors import SchemaMissing, StoreError, StoreForked
from penstock.store.open import open_store
from penstock.store.port import Store, Transaction
from tests.clock import START_MS, Clock


def register(name: str) -> Any:
    return lambda tx: tx.row("worker_start", {"name": name, "lease_ms": 60_000})


def names(clock: Clock) -> list[str]:
    return [row[0] for row in clock.fetch("select name from penstock.workers order by id")]


def test_an_error_undoes_all_of_its_own_work_and_reaches_its_caller(store: Store, clock: Clock):
    def work(tx: Transaction) -> None:
        register("undone")(tx)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        store.write(work)
    store.write(register("kept"))
    assert names(clock) == ["kept"]


def test_an_error_of_the_database_is_one_of_penstocks(store: Store, clock: Clock):
    with pytest.raises(StoreError):
        store.write(register(None))  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.submit(register(None)).result(60)  # type: ignore[arg-type]
    store.write(register("kept"))
    assert names(clock) == ["kept"]


def test_nothing_is_seen_before_the_commit(store: Store, clock: Clock):
    began, go = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        register("slow")(tx)
        began.set()
        assert go.wait(60)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.write, work)
        assert began.wait(60)
        assert store.read(lambda tx: tx.row("workers_alive")) == (0,)
        go.set()
        writing.result(60)
    assert names(clock) == ["slow"]
    assert store.read(lambda tx: tx.row("workers_alive")) == (1,)


def test_a_read_sees_one_state_from_beginning_to_end(store: Store):
    def work(tx: Transaction) -> list[Any]:
        before = tx.row("workers_alive")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(store.write, register("meanwhile")).result(60)
        return [before, tx.row("workers_alive")]

    assert store.read(work) == [(0,), (0,)]
    assert store.read(lambda tx: tx.row("workers_alive")) == (1,)


def test_a_read_cannot_write(store: Store, clock: Clock):
    with pytest.raises(StoreError):
        store.read(register("sneaked in"))
    assert names(clock) == []
    assert store.read(lambda tx: tx.row("workers_alive")) == (0,)


def test_a_write_inside_of_a_write_is_refused(store: Store, clock: Clock):
    with pytest.raises(StoreError, match="no write inside of a write"):
        store.write(lambda tx: store.write(register("nested")))
    store.write(register("next"))
    assert names(clock) == ["next"]


def test_writes_of_many_threads_are_all_kept(store: Store, clock: Clock):
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: store.write(register(f"w{number}"))[0], range(100)))
    assert len(set(ids)) == 100
    assert sorted(names(clock)) == sorted(f"w{number}" for number in range(100))


def test_time_is_the_databases_and_can_be_set(store: Store, clock: Clock):
    assert store.read(lambda tx: tx.row("now")) == (START_MS,)
    clock.advance(12.5)
    assert store.write(lambda tx: tx.row("now")) == (START_MS + 12_500,)
    id = store.write(register("w"))[0]
    assert clock.fetch(f"select started_at, expires_at from penstock.workers where id = {id}") == [
        (START_MS + 12_500, START_MS + 72_500)]


def test_the_real_clock_counts_milliseconds_since_1970(store_url: str):
    import time

    store = open_store(store_url)
    before = time.time() * 1000
    row = store.read(lambda tx: tx.row("now"))
    after = time.time() * 1000
    store.close()
    assert row is not None
    assert type(row[0]) is int
    assert before - 2 <= row[0] <= after + 2


def test_closing_is_for_good_and_may_be_said_twice(store_url: str):
    store = open_store(store_url)
    watch = store.watch(lambda: None)
    store.close()
    store.close()
    watch.close()
    for verb in (store.write, store.read):
        with pytest.raises(StoreError, match="is closed"):
            verb(lambda tx: tx.row("now"))  # type: ignore[operator]


def test_a_store_is_refused_across_a_fork(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "_pid", -1)
    for verb in (store.write, store.read, store.watch):
        with pytest.raises(StoreForked, match="open the app after the fork"):
            verb(lambda tx: tx.row("now"))  # type: ignore[operator]


def test_tables_that_are_missing_name_the_command(request: pytest.FixtureRequest, store_url: str, tmp_path: Any):
    url = f"sqlite:///{tmp_path}/empty.db"
    if not store_url.startswith("sqlite:"):
        url = request.getfixturevalue("postgres_url")
    store = open_store(url)
    with pytest.raises(SchemaMissing, match="penstock migrate"):
        store.write(register("x"))
    store.close()
