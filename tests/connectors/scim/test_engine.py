"""The engine over HTTP that misbehaves: whatever happens, the next runs converge, and nobody exists twice."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.connectors import scim
from penstock.domain.errors import Unavailable
from penstock.domain.records import Change, ChangeKind
from penstock.sync import Complete, Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.engine import Engine
from tests.servers.scim import FaultyProxy, ScimServer


@dataclass
class Person:
    id: str
    email: str


BACK_AFTER = 13
"""Seconds after which a run that met an outage is surely tried again: ten, and at most a fifth more."""
PEOPLE = [Person(f"E{number}", f"e{number}@example.com") for number in range(12)]


@pytest.fixture
def engine(tmp_path: Path, proxy: FaultyProxy, server: ScimServer) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/store.db"
    clock = Clock(url)
    app = Penstock(url, now=clock.expression)

    class People(Layer[Person]):
        key, match, batch_size = "id", "email", 5
        destination = scim.Users

        def source(self, run: Run) -> Any:
            yield from PEOPLE
            return Complete(len(PEOPLE))

        def render(self, person: Person, run: Run) -> dict[str, Any]:
            return {"externalId": person.id, "userName": person.email}

    @app.sync("people")
    class Directory(Sync[str]):
        layers = [People]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="acme")

        def connect(self, account: str) -> Any:
            return scim.connect(proxy.url, token=server.token, timeout=60)

    with app:
        yield Engine(app, clock)
    clock.close()


FAULTS: dict[str, Callable[[FaultyProxy], None]] = {
    "500": lambda proxy: proxy.answer(500, method="POST", path="/Bulk", after=1),
    "503": lambda proxy: proxy.answer(503, method="POST", path="/Bulk", headers={"Retry-After": "3"}),
    "429": lambda proxy: proxy.answer(429, method="POST", path="/Bulk", headers={"Retry-After": "3"}, after=1),
    "garbage": lambda proxy: proxy.garbage(method="POST", path="/Bulk"),
    "dropped before": lambda proxy: proxy.drop_before(method="POST", path="/Bulk", after=1),
    "dropped after": lambda proxy: proxy.drop_after(method="POST", path="/Bulk", after=1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_middle_loses_nothing_and_doubles_nobody(
    engine: Engine, proxy: FaultyProxy, stored: Callable[[str], list[dict[str, Any]]], fault: str
) -> None:
    FAULTS[fault](proxy)
    [run] = engine.sync("people", "all")
    assert (run.status, run.attempt) == ("pending", 0 if fault == "429" else 1)  # to be asked to wait costs nothing
    assert run.error
    engine.clock.advance(BACK_AFTER)
    engine.settle_all()
    assert Counter(user["userName"] for user in stored("Users")) == Counter(person.email for person in PEOPLE)
    [run] = engine.sync("people", "all")
    assert (run.status, run.skipped, run.write_calls) == ("succeeded", 12, 0)


def test_a_destination_that_is_down_is_tried_again_later(
    engine: Engine, proxy: FaultyProxy, server: ScimServer, monkeypatch: pytest.MonkeyPatch,
    stored: Callable[[str], list[dict[str, Any]]],
) -> None:
    nobody = scim.connect("http://127.0.0.1:9", timeout=60)
    definition = engine.app.definition("people")
    monkeypatch.setattr(type(definition.sync), "connect", lambda self, account: nobody)
    [run] = engine.sync("people", "all")
    assert (run.status, run.error_class) == ("pending", "Unavailable")
    assert engine.state("People") == {}
    monkeypatch.setattr(type(definition.sync), "connect", lambda self, account: scim.connect(
        proxy.url, token=server.token, timeout=5))
    engine.clock.advance(BACK_AFTER)
    engine.settle_all()
    assert len(stored("Users")) == 12


def test_no_request_outlasts_the_lease(client: scim.Client, proxy: FaultyProxy) -> None:
    """The destination hangs; the call is given up while the lease still holds, not after the client's own 60 s."""
    proxy.hang(method="POST")
    people = [Change(ChangeKind.CREATE, "E1", {"userName": "e1@example.com"}, match="e1@example.com")]
    run = Run(Subject("all"), client=client, remaining=lambda: 1.0)
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        scim.Users.create(people, run)
    assert raised.value.sent
    assert time.monotonic() - began < 30
