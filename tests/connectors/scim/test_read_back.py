"""A SCIM service that has users already, and one whose users somebody changed: read by the engine, over HTTP."""

from collections.abc import Callable
from typing import Any

from penstock.connectors import scim
from penstock.domain.options import Audit, RunOptions
from penstock.domain.records import Change, ChangeKind
from penstock.sync import Run
from penstock.sync.findings import Findings, audited
from tests.connectors.scim.test_engine import PEOPLE, engine
from tests.engine import Engine

Stored = Callable[[str], list[dict[str, Any]]]
__all__ = ["engine"]


def audit(engine: Engine, repair: bool = False) -> Findings:
    engine.app.request([{"sync": "people", "subject": "all", "account": "acme", "priority": 0, "reason": "test",
                         "options": RunOptions.of(audit=Audit(repair=repair)).text}])
    engine.settle_all()
    [layer] = audited(engine.app.store, engine.app.definition("people"), engine.app.subject("people", "all"))
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
