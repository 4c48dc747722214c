"""Everything works where each transaction may go to another server connection."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from penstock import Penstock
from penstock.store.postgres import PostgresStore

DEADLINE_SECONDS = 30.0


def test_a_pooler_is_recognised(migrated_url: str, postgres_url: str):
    pooled, direct = PostgresStore(migrated_url), PostgresStore(postgres_url)
    try:
        assert pooled.pooled is True
        assert direct.pooled is False
    finally:
        pooled.close()
        direct.close()


def test_no_statement_is_prepared_where_another_may_get_it(migrated_url: str):
    """psycopg prepares what it runs for the fifth time; on a server connection of somebody else it then fails."""
    store = PostgresStore(migrated_url, pool_size=8)
    together = threading.Barrier(8)

    def run(_: int) -> None:
        together.wait(60)
        for _ in range(50):
            store.read(lambda tx: tx.row("workers_alive"))
            store.write(lambda tx: tx.row("worker_start", {"name": "w", "lease_ms": 60_000}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert store.read(lambda tx: tx.row("workers_alive")) == (400,)
    with store._pool.connection() as connection:
        assert connection.prepare_threshold is None
    store.close()


def test_jobs_run_from_enqueue_to_settle(migrated_url: str, postgres_url: str):
    ran: list[int] = []
    all_ran = threading.Event()
    with Penstock(migrated_url, poll_seconds=0.2) as app:
        @app.task
        def work(number: int) -> None:
            ran.append(number)
            if len(ran) == 103:
                all_ran.set()

        worker = app.worker()
        worker.start()
        app.enqueue_many(work.call(number) for number in range(100))
        asyncio.run(work.aenqueue(100))
        with psycopg.connect(migrated_url, prepare_threshold=None) as connection:
            work.using(connection=connection).enqueue(101)
        asyncio.run(_in_a_transaction(migrated_url, work))
        assert all_ran.wait(DEADLINE_SECONDS)
        worker.stop()
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select state, count(*) from penstock.jobs group by state").fetchall() == [
            ("completed", 103)]
    assert sorted(ran) == list(range(103))


async def _in_a_transaction(url: str, work: Any) -> None:
    async with await psycopg.AsyncConnection.connect(url, prepare_threshold=None) as connection:
        await work.using(connection=connection).aenqueue(102)


def test_nothing_is_left_on_the_server_connections(migrated_url: str, postgres_url: str):
    """No LISTEN, no session lock, no prepared statement for the next user of a server connection to find."""
    with Penstock(migrated_url, poll_seconds=0.05) as app:
        ran = threading.Event()
        task = app.task(ran.set, name="ran")
        worker = app.worker()
        worker.start()
        task.enqueue()
        assert ran.wait(DEADLINE_SECONDS)
        worker.stop()
    with psycopg.connect(migrated_url, autocommit=True, prepare_threshold=None) as connection:
        for _ in range(10):
            assert connection.execute("select count(*) from pg_listening_channels()").fetchone() == (0,)
            assert connection.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)
