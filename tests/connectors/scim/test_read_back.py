"""A SCIM service that has users already, and one whose users somebody changed: read by the engine, over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.connectors import scim
from penstock.domain.options import Audit, RunOptions
from penstock.domain.records import Change, ChangeKind
from penstock.sync import Complete, Layer, Run, Subject, Sync
from penstock.sync.state.findings import Findings, audited
from tests.clock import Clock
from tests.connectors.scim.test_engine import PEOPLE, Person
from tests.engine import Engine
from tests.servers.scim import FaultyProxy, ScimServer

Stored = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def engine(tmp_path: Path, proxy: FaultyProxy, server: ScimServer) -> Iterator[Engine]:
    """People of an account: what SCIM reads is what all of its subjects have."""
    url = f"sqlite:///{tmp_path}/store.db"
    clock = Clock(url)
    app = Penstock(url, now=clock.expression)

    class People(Layer[Person]):
        scope, key, match, batch_size = "account", "id", "email", 5
        destination = scim.Users

        def source(self, run: Run) -> Any:
            yield from PEOPLE
            return Complete(len(PEOPLE))

        def render(self, person: Person, run: Run) -> dict[str, Any]:
            return {"externalId": person.id, "userName": person.email}

    class OfEach(People):
        scope = "subject"

    @app.sync("people")
    class Directory(Sync[str]):
        layers = [People]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("all", account="acme")

        def connect(self, account: str) -> Any:
            return scim.connect(proxy.url, token=server.token, timeout=60)

    @app.sync("each")
    class Each(Directory):
        layers = [OfEach]

    with app:
        yield Engine(app, clock)
    clock.close()


def audit(engine: Engine, repair: bool = False, sync: str = "people") -> Findings:
    engine.app.request([{"sync": sync, "subject": "all", "account": "acme", "priority": 0, "reason": "test",
                         "options": RunOptions.of(audit=Audit(repair=repair)).text}])
    engine.settle_all()
    [layer] = audited(engine.app.store, engine.app.definition(sync), engine.app.subject(sync, "all"))
    assert layer.findings is not None
    return layer.findings


def test_users_that_are_there_are_adopted_and_who_was_switched_off_is_switched_on(
        engine: Engine, run: Run, stored: Stored) -> None:
    new = [Change(ChangeKind.CREATE, person.id, {"externalId": person.id, "userName": person.email})
           for person in PEOPLE[:3]]
    new.append(Change(ChangeKind.CREATE, "x", {"userName": "by.hand@example.com"}))
    ids = [outcome.remote_id for outcome in scim.Users.create(new, run) if outcome is not None]  # type: ignore[union-attr]
    scim.Users.disable([Change(ChangeKind.DELETE, "E2", remote_id=ids[2])], run)
    [first] = engine.sync("people", "all")
    assert (first.created, first.updated, first.skipped) == (9, 1, 2)
    assert len(stored("Users")) == 13
    assert all(user.get("active", True) for user in stored("Users"))
    assert engine.state("People")["E0"] == ("synced", ids[0], None)
    [again] = engine.sync("people", "all")
    assert (again.skipped, again.write_calls, again.read_calls) == (12, 0, 0)


def test_drift_is_told_from_what_was_sent_and_put_right(engine: Engine, run: Run, stored: Stored) -> None:
    engine.sync("people", "all")
    assert audit(engine).counts == {"in_step": 12}
    state = engine.state("People")
    scim.Users.update([Change(ChangeKind.UPDATE, "E1", {"externalId": "??"}, remote_id=state["E1"][1])], run)
    scim.Users.disable([Change(ChangeKind.DELETE, "E2", remote_id=state["E2"][1])], run)
    scim.Users.delete([Change(ChangeKind.DELETE, "E3", remote_id=state["E3"][1])], run)
    found = audit(engine, repair=True)
    assert found.counts == {"in_step": 9, "drifted": 2, "missing": 1}
    assert sorted(found.first["drifted"]) == [("E1", ["externalId"]), ("E2", ["active"])]
    assert found.first["missing"] == [("E3", [])]
    assert audit(engine).counts == {"in_step": 12}
    assert sorted(user["externalId"] for user in stored("Users")) == sorted(person.id for person in PEOPLE)


def test_what_an_account_has_is_not_read_for_each_of_its_subjects(engine: Engine) -> None:
    [run] = engine.sync("each", "all")
    assert (run.created, run.read_calls) == (12, 1)  # what the service offers
    assert "observed" not in {status for status, _, _ in engine.state("OfEach").values()}


def test_what_a_subject_has_is_asked_for_by_its_ids(engine: Engine, run: Run) -> None:
    engine.sync("each", "all")
    remote_id = engine.state("OfEach")["E1"][1]
    scim.Users.update([Change(ChangeKind.UPDATE, "E1", {"externalId": "??"}, remote_id=remote_id)], run)
    found = audit(engine, sync="each")
    assert (found.counts, found.first["drifted"]) == ({"in_step": 11, "drifted": 1}, [("E1", ["externalId"])])
