"""What Penstock does not write through, and the remedy that it names."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import psycopg2.extras
import pytest

from penstock.domain.errors import UnknownConnection
from tests.conformance.connections.callers import DRIVERS, Driver, path_of

SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


class TestRefused:
    def test_what_is_no_connection(self, remind: Any, store_url: str):
        import sqlalchemy
        from sqlalchemy import orm

        engine = sqlalchemy.create_engine("sqlite://")
        cursor = sqlite3.connect(":memory:").cursor()
        for given, remedy in [
                (object(), "got builtins.object: pass the connection or session in whose transaction"),
                ("sqlite:///store.db", "got builtins.str"),
                (5, "got builtins.int"),
                (engine, "an engine has no transaction: pass the Session"),
                (orm.sessionmaker(engine), "pass the Session that it makes"),
                (cursor, "pass the cursor's .connection"),
        ]:
            with pytest.raises(UnknownConnection, match=remedy.replace(".", r"\.")):
                remind.using(connection=given).enqueue(1)
            with pytest.raises(UnknownConnection, match=remedy.replace(".", r"\.")):
                asyncio.run(remind.using(connection=given).aenqueue(1))
        cursor.connection.close()
        engine.dispose()

    def test_another_kind_of_database(
            self, request: pytest.FixtureRequest, tmp_path: Path, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other, kind = request.getfixturevalue("postgres_server"), "postgres"
        else:
            other, kind = f"sqlite:///{tmp_path}/other.db", "sqlite"
        self._refused(other, kind, remind, "a transaction cannot span both; leave out connection=")

    def test_another_database(self, request: pytest.FixtureRequest, tmp_path: Path, store_url: str, remind: Any):
        if store_url.startswith("sqlite:"):
            other, kind, got = f"sqlite:///{tmp_path}/other.db", "sqlite", f"{tmp_path}/other.db"
        else:
            other, kind, got = request.getfixturevalue("postgres_server"), "postgres", "a connection to database "
        self._refused(other, kind, remind, "expected a connection to the store, got", got, "leave out connection=")

    def _refused(self, url: str, kind: str, remind: Any, *said: str) -> None:
        async def transaction(driver: Driver) -> None:
            async with driver(url) as caller:
                with pytest.raises(UnknownConnection) as refused:
                    await caller.enqueue(remind, 1)
                assert [each for each in said if each not in str(refused.value)] == []
                await caller.end("commit")  # it was refused before anything could fail in the transaction

        for driver in DRIVERS[kind].values():
            driver.play(transaction(driver))

    @SQLITE
    def test_a_database_in_memory(self, store_url: str, remind: Any):
        with (contextlib.closing(sqlite3.connect(":memory:")) as connection,
              pytest.raises(UnknownConnection, match="got a connection to a database in memory")):
            remind.using(connection=connection).enqueue(1)

    @SQLITE
    def test_the_store_attached_to_another_file(self, store_url: str, remind: Any, tmp_path: Path):
        """A transaction over two files is not whole after a crash."""
        with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as connection:
            connection.execute(f"attach '{path_of(store_url)}' as store")
            with pytest.raises(UnknownConnection, match="expected a connection to the store"):
                remind.using(connection=connection).enqueue(1)

    @SQLITE
    def test_the_same_file_by_another_name(self, store_url: str, remind: Any, tmp_path: Path, committed: Any):
        (tmp_path / "link.db").symlink_to(path_of(store_url))
        with contextlib.closing(sqlite3.connect(tmp_path / "link.db")) as connection:
            remind.using(connection=connection).enqueue(1)
            connection.commit()
        assert committed()[1] == ['{"offer":1}']

    @POSTGRES
    def test_psycopg2_that_does_not_wait(self, store_url: str, remind: Any):
        with (contextlib.closing(psycopg2.connect(store_url, async_=1)) as connection,
              pytest.raises(UnknownConnection, match="async_=1")):
            remind.using(connection=connection).enqueue(1)
