"""Time that a statement waits for somebody else's lock is credited to it, and nothing is asked where nobody waits."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from penstock import Penstock
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.locks import LockWatch, UnderWay, credit, waits
from penstock.observe.trace import Trace
from tests.unit.observe.instruments.conftest import statements, traced

LOCK = 4711
WAIT = f"select pg_advisory_lock({LOCK})"


@pytest.fixture
def watch(postgres_server: str) -> Iterator[LockWatch]:
    watch = LockWatch(postgres_server)
    watch.start()
    yield watch
    watch.stop()
    uninstrument()
    assert watch.database not in waits.watched
    assert not waits._under_way


@pytest.fixture
def holder(postgres_server: str) -> Iterator[Any]:
    with closing(psycopg.connect(postgres_server, autocommit=True)) as connection:
        yield connection


def released_after(holder: Any, seconds: float) -> threading.Thread:
    """Have the holder's lock released once somebody has waited for it so long, by the server's own clock."""
    holder.execute(WAIT)

    def release() -> None:
        while not holder.execute("select 1 from pg_locks where not granted and clock_timestamp() - waitstart"
                                 " > make_interval(secs => %s)", [seconds]).fetchone():
            pass
        holder.execute(f"select pg_advisory_unlock({LOCK})")

    thread = threading.Thread(target=release)
    thread.start()
    return thread


def waited(url: str) -> Trace:
    with psycopg.connect(url, autocommit=True) as connection, traced() as trace:
        connection.execute("select pg_sleep(0.05)")
        connection.execute(WAIT)
        connection.execute(f"select pg_advisory_unlock({LOCK})")
    return trace


def waited_async(url: str) -> Trace:
    async def main() -> Trace:
        connection = await asyncpg.connect(url)
        with traced() as trace:
            await connection.execute("select pg_sleep(0.05)")
            await connection.execute(WAIT)
        await connection.close()
        return trace

    return asyncio.run(main())


@pytest.mark.parametrize(("library", "work"), [("psycopg", waited), ("asyncpg", waited_async)])
def test_a_statement_that_waits_is_credited(postgres_server: str, watch: LockWatch, holder: Any, library: str,
                                            work: Callable[[str], Trace]) -> None:
    instrument(library)
    thread = released_after(holder, 0.2)
    trace = work(postgres_server)
    thread.join()
    found = {seen.text: seen for seen in statements(trace)}
    assert 50_000 <= found[WAIT].locked_us <= found[WAIT].total_us  # it waited for 0.2 s at least
    assert found["select pg_sleep(0.05)"].locked_us == 0


def threads() -> int:
    return [thread.name for thread in threading.enumerate()].count("penstock-locks")


def test_there_is_a_thread_only_once_there_is_a_statement(postgres_server: str) -> None:
    instrument("psycopg")
    watch = LockWatch(postgres_server)
    watch.stop()
    with psycopg.connect(postgres_server, autocommit=True) as connection, traced():
        for _ in range(2):
            watch.start()
            watch.start()
            LockWatch(postgres_server).start()  # somebody else watches it already
            assert threads() == 0
            connection.execute("select 1")
            assert threads() == 1
            watch.stop()
            watch.stop()
            assert threads() == 0
            connection.execute("select 1")
            assert threads() == 0
    uninstrument()


def test_what_is_over_is_forgotten_also_where_it_cannot_be_told(
        postgres_server: str, watch: LockWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the instrument is out of order")

    instrument("psycopg")
    monkeypatch.setattr(Trace, "statement", broken)
    with psycopg.connect(postgres_server, autocommit=True) as connection, traced():
        connection.execute("select 1")
        connection.cursor().executemany("select %s::int", [(1,), (2,)])
        assert not waits._under_way


def test_a_database_that_nobody_named_is_not_watched(postgres_server: str, watch: LockWatch) -> None:
    assert waits.begin("postgresql://elsewhere:5432/other", object()) is None


def test_a_database_out_of_reach_is_nobodys_error() -> None:
    watch = LockWatch("postgresql://127.0.0.1:1/nowhere")
    watch.start()
    waits._under_way[0] = made = UnderWay(watch.database, object())
    made.began -= 1_000_000_000
    watch.notice()
    watch.stop()
    waits._under_way.clear()


def test_credit_goes_to_those_that_wait_from_look_to_look() -> None:
    waiting, working = UnderWay("", None), UnderWay("", None)
    began = waiting.looked = working.looked = 1000
    credit([waiting, working], [waiting], began + 50)
    credit([waiting, working], [waiting, working], began + 70)
    credit([waiting, working], [], began + 90)
    assert (waiting.locked_ns, working.locked_ns) == (70, 20)


def test_an_app_watches_the_databases_that_it_named(postgres_server: str, tmp_path: Path) -> None:
    with Penstock(f"sqlite:///{tmp_path}/store.db") as app:
        place = app.database("main", postgres_server).place
        app.database("file", f"sqlite:///{tmp_path}/main.db")
        assert place in waits.watched
        assert not any(each.startswith("sqlite") for each in waits.watched)
    assert place not in waits.watched


def test_a_fork_has_none_of_its_parents_threads(postgres_server: str, watch: LockWatch) -> None:
    instrument("psycopg")
    with psycopg.connect(postgres_server, autocommit=True) as connection, traced():
        connection.execute("select 1")
        assert threads() == 1
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.write(write, repr((watch._thread, watch in waits.watched.values())).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 100) == b"(None, True)"
        os.close(read)
        os.close(write)
