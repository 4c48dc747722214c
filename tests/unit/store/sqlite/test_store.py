"""The SQLite store as a whole: locks of the caller's own, forks, other processes."""

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock import Penstock
from penstock.domain.errors import CallerHoldsWriteLock, StoreForked
from penstock.store.open import open_store
from penstock.store.sqlite import SQLiteStore
from tests.processes import python


@pytest.fixture
def app(path: Path) -> Iterator[Penstock]:
    with Penstock(f"sqlite:///{path}", busy_timeout_seconds=20) as app:
        app.migrate()
        yield app


def inserting(path: Path, **options: object) -> sqlite3.Connection:
    """A connection with a write transaction open, as an application has it."""
    connection = sqlite3.connect(path, **options)  # type: ignore[call-overload]
    connection.execute("create table if not exists offers (id integer)")
    connection.execute("insert into offers values (1)")
    assert connection.in_transaction
    return connection  # type: ignore[no-any-return]


AT_ONCE = 10.0
"""Seconds: on a slow machine, and yet not after the twenty for which a store waits for somebody else's lock."""


def timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("options", [{}, {"check_same_thread": False}], ids=["bound", "free"])
def test_a_caller_that_holds_the_lock_itself_is_told_at_once(app: Penstock, path: Path, options: dict[str, object],
                                                             monkeypatch: pytest.MonkeyPatch):
    # A thread of another test that is about to end is none of this application.
    everybody, others = threading.enumerate, set(threading.enumerate()) - {threading.current_thread()}
    monkeypatch.setattr(threading, "enumerate", lambda: [each for each in everybody() if each not in others])

    @app.task
    def remind(offer: int) -> None: ...

    connection = inserting(path, **options)

    def enqueue() -> None:
        with pytest.raises(CallerHoldsWriteLock, match="using\\(connection=…\\), or commit it first"):
            remind.enqueue(1)

    assert timed(enqueue) < AT_ONCE
    job = remind.using(connection=connection).enqueue(2)
    connection.commit()
    connection.close()
    assert remind.enqueue(3).id == job.id + 1  # what was refused was withdrawn


def test_an_asynchronous_caller_is_told_at_once_too(app: Penstock, path: Path):
    @app.task
    def remind(offer: int) -> None: ...

    async def main() -> None:
        connection = inserting(path)
        with pytest.raises(CallerHoldsWriteLock, match="using\\(connection=…\\)"):
            await remind.aenqueue(1)
        connection.rollback()
        connection.close()
        await remind.aenqueue(2)

    assert timed(lambda: asyncio.run(main())) < AT_ONCE


@pytest.mark.parametrize("options", [{}, {"check_same_thread": False}], ids=["bound", "free"])
def test_the_transaction_of_another_thread_only_delays(app: Penstock, path: Path, options: dict[str, object]):
    @app.task
    def remind(offer: int) -> None: ...

    app.store  # noqa: B018 — opened before the lock is taken
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        connection = inserting(path, **options)
        held.set()
        release.wait(60)
        connection.commit()
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        try:
            holding = pool.submit(hold)
            assert held.wait(60)
            delayed = pool.submit(remind.enqueue, 1)
            with pytest.raises(TimeoutError):
                delayed.result(0.4)  # several times as long as the look for one's own lock takes
        finally:
            release.set()
        assert delayed.result(60).id
        holding.result(60)


class Lazy:
    """Something that is made when it is first used, and cannot be: a framework's settings, for instance."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("not configured")


def test_objects_that_must_not_be_touched_are_not(app: Penstock, path: Path):
    @app.task
    def remind(offer: int) -> None: ...

    lazy = Lazy()
    lazy.itself = [lazy]  # and so tracked by the garbage collector
    app.store  # noqa: B018 — opened before the lock is taken
    connection = inserting(path)
    try:
        with pytest.raises(CallerHoldsWriteLock):
            remind.enqueue(1)
    finally:
        connection.rollback()
        connection.close()


def test_readers_and_stores_of_penstock_are_not_taken_for_the_callers(app: Penstock, path: Path):
    """A second store on the file that writes, and a read under way in this thread, are nobody's fault."""

    @app.task
    def remind(offer: int) -> None: ...

    other = open_store(f"sqlite:///{path}")
    began, go = threading.Event(), threading.Event()

    def slow(tx: object) -> None:
        began.set()
        assert go.wait(60)

    future = other.submit(slow)
    assert began.wait(60)
    threading.Timer(0.4, go.set).start()
    try:
        app.store.read(lambda tx: (tx.row("workers_alive"), remind.enqueue(1)))
    finally:
        go.set()
        future.result(60)
        other.close()


def test_the_first_use_may_be_inside_the_callers_transaction(path: Path):
    """Opening a store that needs no migration takes no lock."""
    with Penstock(f"sqlite:///{path}") as app:
        app.migrate()
    connection = inserting(path)
    with Penstock(f"sqlite:///{path}") as app:
        @app.task
        def remind(offer: int) -> None: ...

        remind.using(connection=connection).enqueue(1)
    connection.commit()
    connection.close()


def test_a_store_is_refused_across_a_fork(sqlite: SQLiteStore):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sqlite.write(lambda tx: tx.row("now"))
        except StoreForked:
            try:
                sqlite.read(lambda tx: tx.row("now"))
            except StoreForked:
                sqlite.close()  # harmless: it leaves the parent's connections alone
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sqlite.write(lambda tx: tx.row("worker_start", {"name": "parent", "lease_ms": 1}))


WRITE = """
import sys
from penstock.store.open import open_store
store = open_store(sys.argv[1])
print("ready")
sys.stdin.readline()
store.write(lambda tx: tx.row("worker_start", {"name": "other", "lease_ms": 1}))
store.close()
"""


def test_another_processs_write_is_noticed(sqlite: SQLiteStore, path: Path):
    noticed = threading.Event()
    with python(WRITE, f"sqlite:///{path}", folder=path.parent) as child:
        child.line("ready")
        watch = sqlite.watch(noticed.set)
        assert noticed.wait(60)  # once at the start, for what happened before
        noticed.clear()
        assert not noticed.wait(0.1)
        child.tell()
        assert noticed.wait(60)
    watch.close()


def test_a_file_may_be_opened_for_the_first_time_while_another_writes_it(tmp_path: Path):
    """SQLite says "locked" at once where a file is to be switched to WAL, however long one is willing to wait."""
    with contextlib.closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None,
                                            check_same_thread=False)) as connection:
        connection.execute("create table offers (id integer)")
        connection.execute("begin immediate")
        release = threading.Timer(0.1, connection.rollback)
        release.start()
        try:
            with Penstock(f"sqlite:///{tmp_path}/new.db") as app:
                app.migrate()
        finally:
            release.join()


def test_a_file_may_be_opened_for_the_first_time_by_many_at_once(tmp_path: Path):
    for attempt in range(3):
        barrier = threading.Barrier(6)
        failures: list[BaseException] = []

        def opening(url: str = f"sqlite:///{tmp_path}/{attempt}.db", barrier: threading.Barrier = barrier,
                    failures: list[BaseException] = failures) -> None:
            barrier.wait(60)
            try:
                with Penstock(url) as app:
                    app.migrate()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=opening) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
