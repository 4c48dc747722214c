"""A store behind a transaction-mode pooler. Where pgbouncer is missing the tests skip; under REQUIRE=1 they fail."""

import os
from collections.abc import Iterator

import pytest

from penstock.store import migrate
from penstock.store.open import open_store
from tests.servers import pgbouncer


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    """An empty database through a pooler."""
    if pgbouncer.find() is None:
        if os.environ.get("REQUIRE") == "1":
            pytest.fail("pgbouncer is not installed, and REQUIRE=1")
        pytest.skip("pgbouncer is not installed")
    with pgbouncer.in_front_of(postgres_url) as url:
        yield url


@pytest.fixture
def migrated_url(pooled_url: str) -> str:
    store = open_store(pooled_url)
    migrate.migrate(store, [])
    store.close()
    return pooled_url
