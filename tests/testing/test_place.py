"""An app on another store for a while, and a store that tests have emptied."""

from pathlib import Path

import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError, StoreError
from penstock.testing import FakeClock, all_enqueued, clear, drain, stored_at
from tests.conformance.sync_app import Directory


def test_an_app_lives_elsewhere_for_a_while(shop: Penstock, tmp_path: Path):
    task = shop.task(name="task")(lambda: None)
    task.enqueue()
    own = shop.settings
    with stored_at(shop, f"sqlite:///{tmp_path}/other.db"):
        assert all_enqueued(shop) == []
        task.enqueue()
        task.enqueue()
        assert len(all_enqueued(shop)) == 2
    assert shop.settings is own
    assert len(all_enqueued(shop)) == 1


def test_its_tables_are_made(postgres_url: str, tmp_path: Path):
    with Penstock(f"sqlite:///{tmp_path}/no/such/folder.db") as app:
        app.task(name="task")(lambda: None)
        with stored_at(app, postgres_url):
            app.tasks["task"].enqueue()
            assert drain(app).completed == 1


def test_a_url_that_cannot_be_one_changes_nothing(shop: Penstock):
    own = shop.settings
    with pytest.raises(ConfigurationError, match="did you mean postgresql://"), stored_at(shop, "postgresq://x"):
        pass
    with pytest.raises(StoreError), stored_at(shop, "sqlite:////no/such/folder/store.db"):
        pass
    assert shop.settings is own


def test_a_store_is_cleared_of_all_but_its_tables(store_url: str):
    directory = Directory(groups={"g1": {"p1": "Ada"}})
    with directory.app(store_url, None) as app:
        app.migrate()
        task = app.task(name="task")(lambda: None)
        before = task.enqueue().id
        task.using(tags="offer:7").enqueue()
        app.invalidate("offer:7")
        app.pause("default")
        directory.sync.request("g1")
        assert drain(app).completed == 1
        with FakeClock(app) as clock:
            frozen = clock.now
            clear(app)
            assert clock.now == frozen
        assert all_enqueued(app) == app.counts() == []
        assert task.enqueue().id > before
        directory.sync.request("g1")
        assert drain(app).completed == 2


def test_a_store_with_a_worker_is_not_cleared(shop: Penstock):
    shop.task(name="task")(lambda: None).enqueue()
    shop.check()
    shop.store.write(lambda tx: tx.row("worker_start", {"name": "busy", "lease_ms": 60_000}))
    with pytest.raises(StoreError, match="that no worker serves, got 1 alive"):
        clear(shop)
    assert len(all_enqueued(shop)) == 1
