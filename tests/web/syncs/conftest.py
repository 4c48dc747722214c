"""A small directory that is really synced, so that pages have something to show; and whoever may only look."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from penstock import Penstock
from penstock.domain.records import Rejected
from penstock.web.people import new_token
from penstock.web.site import for_this_machine
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine
from tests.web.conftest import Client, browser

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def directory() -> Directory:
    return Directory(groups={"g1": {f"p{number:02}": f"name {number}" for number in range(30)}, "g/2": {"q1": "other"}},
                     batch_size=10)


@pytest.fixture
def engine(directory: Directory, store_url: str, clock: Clock) -> Iterator[Engine]:
    with directory.app(store_url, clock.expression) as app:
        yield Engine(app, clock)


@pytest.fixture
def app(engine: Engine) -> Penstock:
    return engine.app


@pytest.fixture
def synced(engine: Engine, directory: Directory) -> Engine:
    """Two runs of `people`: one record was refused, with a message that means harm."""
    directory.people.refused["p03"] = Rejected("invalid", f"password=hunter2 {HOSTILE}")
    engine.sync("people", "g1", "g/2")
    engine.upkeep()
    return engine


@pytest.fixture
def onlooker(app: Penstock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Somebody whose token lets them read and nothing else."""
    token, entry = new_token("onlooker", ["read"])
    monkeypatch.setattr(app, "settings", replace(app.settings, web_tokens=entry))
    with browser(for_this_machine(app, share_seconds=0)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
