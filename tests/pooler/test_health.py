"""A pooler in between is recognised, and said."""

from contextlib import closing

import pytest

from penstock.store.health import examine
from penstock.store.open import open_store
from tests.servers import pgbouncer


def test_a_pooler_is_said(migrated_url: str, postgres_url: str):
    for url, expected in ((migrated_url, "a pooler is in between"), (postgres_url, "none: workers are woken")):
        with closing(open_store(url)) as store:
            found = next(each for each in examine(store, []) if each.about == "pooler")
        assert found.found.startswith(expected)
        assert bool(found.remedy) == (url == migrated_url)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_its_mode_is_seen(migrated_url: str, postgres_url: str, mode: str):
    with pgbouncer.in_front_of(postgres_url, connections=8, mode=mode) as url, closing(open_store(url)) as store:
        found = next(each for each in examine(store, []) if each.about == "pooler")
    assert f"in {mode} mode" in found.found

