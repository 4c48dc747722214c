"""Every test that takes `database` runs on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest

from tests.connectors.sql.database import Database


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/hr.db")
    database.run("pragma user_version = 1")  # writes the file
    return database


@pytest.fixture
def postgres_database(postgres_url: str) -> Database:
    return Database(postgres_url)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found
