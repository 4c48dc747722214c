"""Where an app lives while it is tested: settings that hold for a while, over an app that is opened anew for them."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.store.open import check_url


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
