"""Where an app lives while it is tested: its settings for a while, for which it is opened anew; and an empty store."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError, StoreError
from penstock.store.open import check_url
from penstock.store.port import Transaction
from penstock.store.statements import compile_sql

_KEPT = ("migrations", "layers", "sequences", "test_clock")


@contextlib.contextmanager
def stored_at(app: Penstock, url: str) -> Iterator[Penstock]:
    """Keep an app's jobs in another store for as long as the block lasts; its tables are made where they are missing.

    Enter it before a worker of the app is started. Raises `ConfigurationError`, and `StoreError` where the store
    cannot be opened.
    """
    if fault := check_url(url):
        raise ConfigurationError(fault)
    with settings_of(app, url=url):
        app.migrate()
        yield app


def clear(app: Penstock) -> None:
    """Remove every job, request, run and mark from an app's store, and what its syncs know of their destinations.

    For tests that share a database. Raises `StoreError` where a worker is alive: then it is hardly a store for tests.
    """
    def work(tx: Transaction) -> None:
        alive = tx.row("workers_alive")
        assert alive is not None
        if alive[0]:
            raise StoreError(f"expected a store that no worker serves, got {alive[0]} alive: to clear it would remove"
                             " all their jobs; stop them, or give the tests a store of their own")
        for (table,) in tx.rows("tables"):
            if table not in _KEPT:
                tx.script(compile_sql(f"delete from penstock.{table}", app.store.dialect).sql)

    app.check()
    app.store.write(work)


@contextlib.contextmanager
def settings_of(app: Penstock, **changes: Any) -> Iterator[None]:
    """Other settings for an app. It closes its store on the way in and out, so that it opens one that has them."""
    given = app.settings
    app.close()
    app.settings = replace(given, **changes)
    try:
        yield
    finally:
        app.close()
        app.settings = given
