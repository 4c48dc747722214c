"""The application's transaction behind a pooler, which hides addresses and may share server connections."""

import asyncio
import contextlib

import psycopg
import pytest

from penstock import Penstock
from penstock.domain.errors import UnknownConnection


def jobs(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from penstock.live_jobs").fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize("store_is_pooled", [True, False])
def test_either_side_may_be_behind_the_pooler(migrated_url: str, postgres_url: str, store_is_pooled: bool):
    import asyncpg

    async def on_asyncpg() -> None:
        connection = await asyncpg.connect(theirs, statement_cache_size=0)
        try:
            async with connection.transaction():
                await work.using(connection=connection).aenqueue(3)
        finally:
            await connection.close()

    ours, theirs = (migrated_url, postgres_url) if store_is_pooled else (postgres_url, migrated_url)
    with Penstock(ours) as app:
        @app.task
        def work(number: int) -> None: ...

        for _ in range(2):
            with psycopg.connect(theirs, prepare_threshold=None) as connection:
                work.using(connection=connection).enqueue(1)
                work.using(connection=connection).enqueue(2)
        asyncio.run(on_asyncpg())
    assert jobs(postgres_url) == 5


def test_a_pooler_hides_no_other_database(migrated_url: str, postgres_server: str):
    with Penstock(migrated_url) as app:
        @app.task
        def work(number: int) -> None: ...

        with (contextlib.closing(psycopg.connect(postgres_server)) as connection,
              pytest.raises(UnknownConnection, match="got a connection to database .*: leave out connection=")):
            work.using(connection=connection).enqueue(1)
