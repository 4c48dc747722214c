"""The one writer: groups, lock waits, checkpoints and crashes."""

import os
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.errors import StoreBusy, StoreError
from penstock.store.port import Transaction
from penstock.store.sqlite import SQLiteStore, writer
from penstock.store.sqlite.connection import connect
from tests.processes import python

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("held")
sys.stdin.readline()
connection.execute("rollback")
connection.close()
print("released")
"""


def register(name: str) -> Any:
    return lambda tx: tx.row("worker_start", {"name": name, "lease_ms": 60_000})


def names(store: SQLiteStore) -> list[str]:
    connection = connect(store.path, read_only=True)
    try:
        return [row[0] for row in connection.execute("select name from penstock_workers order by id")]
    finally:
        connection.close()


def group(store: SQLiteStore, *works: Any) -> list[Future[Any]]:
    """Submit works so that they are committed as one group: the writer is busy until all have been submitted."""
    began, go = threading.Event(), threading.Event()

    def first(tx: Transaction) -> None:
        began.set()
        assert go.wait(60)

    store.submit(first)
    assert began.wait(60)
    futures = [store.submit(work) for work in works]
    go.set()
    return futures


def test_one_that_fails_undoes_nothing_of_the_others_in_its_group(sqlite: SQLiteStore):
    def fails(tx: Transaction) -> None:
        register("undone")(tx)
        raise LookupError("mine")

    def breaks(tx: Transaction) -> None:
        register("undone too")(tx)
        tx.execute("worker_start", {"name": None, "lease_ms": 1})

    one, two, three, four = group(sqlite, register("one"), fails, breaks, register("four"))
    assert one.result(60)
    assert isinstance(two.exception(60), LookupError)
    assert isinstance(three.exception(60), StoreError)
    assert four.result(60)
    assert names(sqlite) == ["one", "four"]


def test_a_result_is_told_only_after_the_commit(sqlite: SQLiteStore):
    seen: list[list[str]] = []
    told = threading.Event()
    entered, go = threading.Event(), threading.Event()

    def last(tx: Transaction) -> None:
        entered.set()
        assert go.wait(60)

    one, two = group(sqlite, register("one"), last)
    one.add_done_callback(lambda future: (seen.append(names(sqlite)), told.set()))
    assert entered.wait(60)
    assert not one.done()  # its work is done, its group is not committed
    assert names(sqlite) == []
    go.set()
    assert told.wait(60)
    assert seen == [["one"]]
    two.result(60)


def test_work_that_was_cancelled_before_it_began_is_withdrawn(sqlite: SQLiteStore):
    kept, withdrawn = None, None
    began, go = threading.Event(), threading.Event()

    def first(tx: Transaction) -> None:
        began.set()
        assert go.wait(60)

    sqlite.submit(first)
    assert began.wait(60)
    withdrawn, kept = sqlite.submit(register("withdrawn")), sqlite.submit(register("kept"))
    assert withdrawn.cancel()
    go.set()
    kept.result(60)
    assert names(sqlite) == ["kept"]


def test_a_write_inside_of_a_write_is_refused(sqlite: SQLiteStore):
    with pytest.raises(StoreError, match="no write inside of a write"):
        sqlite.write(lambda tx: sqlite.write(register("nested")))
    sqlite.write(register("next"))
    assert names(sqlite) == ["next"]


def test_a_result_that_comes_just_as_the_wait_ends_is_a_result(sqlite: SQLiteStore, monkeypatch: pytest.MonkeyPatch):
    class Late(Future[Any]):
        """Says that time ran out, and has a result a moment later."""

        def result(self, timeout: float | None = None) -> Any:
            if timeout is not None and not self.done():
                self.set_result("in time")
                raise TimeoutError
            return super().result(timeout)

    monkeypatch.setattr(sqlite, "submit", lambda work: Late())
    assert sqlite.write(register("x")) == "in time"


def test_an_error_of_ones_own_that_looks_like_the_wait_is_told(sqlite: SQLiteStore):
    def work(tx: Transaction) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        sqlite.write(work)


def test_the_wait_for_the_lock_is_bounded_and_names_the_holder(sqlite: SQLiteStore, path: Path):
    with python(HOLD, str(path), folder=path.parent) as holder:
        holder.line("held")
        with pytest.raises(StoreBusy) as caught:
            sqlite.write(register("late"))
        message = str(caught.value)
        assert f"expected the write lock of {path} within 0.3 s" in message
        if Path("/proc/locks").exists():
            assert f"process {holder.process.pid} (" in message
        holder.tell()
        holder.line("released")
    sqlite.write(register("later"))
    assert names(sqlite) == ["later"]


def test_the_writer_outlives_a_failure_that_nobody_foresaw(sqlite: SQLiteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer, "describe_holder", lambda path: 1 / 0)
    holder = sqlite3.connect(sqlite.path, isolation_level=None, check_same_thread=False)
    holder.execute("begin immediate")
    with pytest.raises(Exception):  # noqa: B017, PT011 — any, as long as it comes
        sqlite.submit(register("x")).result(60)
    holder.execute("rollback")
    holder.close()
    sqlite.write(register("alive"))


def test_the_wal_stays_short(sqlite: SQLiteStore, path: Path):
    """More than 20 MB of small writes, and every page of them through the writer's own checkpoints."""
    text = "x" * 100_000
    before = path.stat().st_size
    for _ in range(220):
        sqlite.write(lambda tx: tx.row("worker_start", {"name": text, "lease_ms": 1}))
    assert Path(f"{path}-wal").stat().st_size < 8 * 1024 * 1024
    assert path.stat().st_size - before > 16 * 1024 * 1024


def test_nobody_can_commit_during_a_checkpoint(sqlite: SQLiteStore, monkeypatch: pytest.MonkeyPatch):
    """A checkpoint runs only while the guard holds the write lock, so nobody can commit meanwhile (ADR 003)."""
    locked: list[bool] = []
    rival = sqlite3.connect(sqlite.path, isolation_level=None, timeout=0, check_same_thread=False)

    def trace(statement: str) -> None:
        if "wal_checkpoint" in statement:
            try:
                rival.execute("begin immediate")
                rival.execute("rollback")
                locked.append(False)
            except sqlite3.OperationalError:
                locked.append(True)

    sqlite._writer._connection.set_trace_callback(trace)
    text = "x" * 1_000_000
    for _ in range(12):
        sqlite.write(lambda tx: tx.row("worker_start", {"name": text, "lease_ms": 1}))
    sqlite._writer._connection.set_trace_callback(None)
    rival.close()
    assert locked
    assert all(locked)


def test_no_checkpoint_while_another_process_writes(sqlite: SQLiteStore, path: Path):
    """Without the guard's lock the writer leaves the WAL alone, however long it is."""
    statements: list[str] = []
    rival = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    sqlite._writer._connection.set_trace_callback(statements.append)
    text = "x" * 6_000_000
    real = sqlite._writer._checkpoint_if_long

    def under_a_rival() -> None:
        rival.execute("begin immediate")
        try:
            real()
        finally:
            rival.execute("rollback")

    sqlite._writer._checkpoint_if_long = under_a_rival  # type: ignore[method-assign]
    sqlite.write(lambda tx: tx.row("worker_start", {"name": text, "lease_ms": 1}))
    sqlite.write(lambda tx: tx.row("now"))
    assert not [each for each in statements if "checkpoint" in each]
    sqlite._writer._checkpoint_if_long = real  # type: ignore[method-assign]
    sqlite.write(lambda tx: tx.row("now"))
    sqlite.write(lambda tx: tx.row("now"))
    assert [each for each in statements if "checkpoint" in each]
    sqlite._writer._connection.set_trace_callback(None)
    rival.close()


CRASH = """
import sys, threading
from penstock.store.open import open_store
store = open_store(sys.argv[1])
def loop(name):
    number = 0
    while True:
        number += 1
        text = f"{name}:{number}:" + "x" * 20_000
        store.write(lambda tx: tx.row("worker_start", {"name": text, "lease_ms": 1}))
        print(f"{name}:{number}")
for name in "abc":
    threading.Thread(target=loop, args=(name,), daemon=True).start()
threading.Event().wait()
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(sqlite: SQLiteStore, path: Path):
    for _ in range(3):
        with python(CRASH, f"sqlite:///{path}", folder=path.parent) as child:
            while len(child.said) < 150:  # about 3 MB, so that some runs die around a checkpoint
                child.line()
            child.process.kill()
            acknowledged = {line for line in [*child.said, *child.rest()] if line.count(":") == 1}
        connection = sqlite3.connect(path)
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        kept = {row[0].rsplit(":", 1)[0] for row in connection.execute("select name from penstock_workers")}
        connection.execute("delete from penstock_workers")
        connection.commit()
        connection.close()
        assert acknowledged
        assert acknowledged - kept == set()


def test_closing_finishes_what_was_submitted(path: Path, sqlite: SQLiteStore):
    futures = [sqlite.submit(register(str(number))) for number in range(50)]
    sqlite.close()
    sqlite.close()
    assert all(future.result(0) for future in futures)
    with pytest.raises(StoreError, match="is closed"):
        sqlite.write(register("after"))
    assert not Path(f"{path}-wal").exists()  # the last one out tidies up
    assert os.path.exists(path)
