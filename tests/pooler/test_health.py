"""A pooler in between is recognised, and said."""

from contextlib import closing

from penstock.store.health import examine
from penstock.store.open import open_store


def test_a_pooler_is_said(migrated_url: str, postgres_url: str):
    for url, expected in ((migrated_url, "a pooler is in between"), (postgres_url, "none: workers are woken")):
        with closing(open_store(url)) as store:
            found = next(each for each in examine(store, []) if each.about == "pooler")
        assert found.found.startswith(expected)
        assert bool(found.remedy) == (url == migrated_url)
