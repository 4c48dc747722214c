"""A migrated SQLite store with a file of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.store import migrate
from penstock.store.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def sqlite(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(path, busy_timeout_seconds=0.3)
    migrate.migrate(store, [])
    yield store
    store.close()
