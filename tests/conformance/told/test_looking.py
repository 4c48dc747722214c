"""Plans and records are looked at within a bound; streaks, audits and questions are told page by page."""

from typing import Any

import pytest

from penstock.domain.errors import OutOfTime, UnknownApproval, UnknownSubject
from penstock.domain.records import Rejected
from penstock.sync.telling.previewed import PlannedRecord
from tests.conformance.sync_app import Directory
from tests.conformance.test_history import finish
from tests.engine import Engine


def test_a_plan_of_a_subject_is_what_a_run_would_do(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"] |= {"p1": "changed", "p9": "new"}
    del directory.groups["g1"]["p3"]
    calls = len(directory.people.calls)
    plan = engine.app.plan_subject("people", "g1")
    [layer] = plan.layers
    assert (plan.account, plan.changes, plan.cost.changes) == ("acme", 3, 3)
    assert {kind: [each.key for each in found] for kind, found in layer.first.items()} == {
        "create": ["p9"], "update": ["p1"], "delete": ["p3"]}
    assert layer.first["update"] == [PlannedRecord("p1", ["name"])]
    assert (layer.counts["skip"], layer.complete, layer.withheld) == (5, True, 0)
    assert engine.app.plan_subject("people", "g1", show_values=True).layers[0].first["create"][0].payload == {
        "name": "new"}
    assert len(directory.people.calls) == calls, "the destination was asked nothing"


def test_a_plan_names_a_few_changes_and_counts_them_all(engine: Engine) -> None:
    [layer] = engine.app.plan_subject("people", "g1", first=2).layers
    assert (layer.counts["create"], len(layer.first["create"])) == (7, 2)


def test_a_plan_says_what_would_be_withheld(engine: Engine, directory: Directory) -> None:
    directory.groups["g1"] = {f"p{number:02}": "x" for number in range(40)}
    engine.sync("people", "g1")
    for key in sorted(directory.groups["g1"])[:20]:
        del directory.groups["g1"][key]
    [layer] = engine.app.plan_subject("people", "g1").layers
    assert (layer.counts["delete"], layer.withheld) == (20, 20)
    assert layer.withheld_for is not None
    assert "more than 20 %" in layer.withheld_for


def test_a_source_beyond_the_bound_is_not_read_to_its_end(engine: Engine, directory: Directory,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.app import syncing

    directory.groups["g1"] = {f"p{number:04}": "x" for number in range(2500)}
    monkeypatch.setattr(syncing, "_MOST_RECORDS", 1500)
    with pytest.raises(OutOfTime, match="no more than 1,500.*penstock plan people --subject g1"):
        engine.app.plan_subject("people", "g1")
    found = engine.app.why_record("people", "g1", "People", "p0001")
    assert found.source.error is not None
    assert "2,000 records of the source were read" in found.source.error
    assert found.verdict.would == "unknown"


def test_a_source_is_not_read_for_longer_than_the_bound(engine: Engine) -> None:
    at = iter(range(0, 10_000, 60))
    engine.app.look_monotonic = lambda: float(next(at))
    with pytest.raises(OutOfTime, match="no more than 10 s"):
        engine.app.plan_subject("people", "g1")


def test_a_record_is_told_without_values_unless_they_are_asked_for(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"]["p1"] = "another"
    calls = len(directory.people.calls)
    found = engine.app.why_record("people", "g1", "People", "p1")
    assert (found.verdict.would, found.payload, found.match) == ("update", ["name"], None)
    assert engine.app.why_record("people", "g1", "People", "p1", show_values=True).payload == {"name": "another"}
    assert len(directory.people.calls) == calls
    engine.app.why_record("people", "g1", "People", "p1", remote=True)
    assert directory.people.calls[calls:] == [("find", ["another"])]


def test_a_subject_that_nobody_knows_is_said(engine: Engine) -> None:
    for look in (lambda: engine.app.plan_subject("people", "nobody"),
                 lambda: engine.app.why_record("people", "nobody", "People", "p1")):
        with pytest.raises(UnknownSubject):
            look()


def test_subjects_come_by_their_streak_page_by_page_and_by_name(engine: Engine) -> None:
    for number in range(5):
        for _ in range(number):
            finish(engine, f"s{number}", "failed", error="OSError")
    finish(engine, "t1")
    engine.upkeep()
    app = engine.app
    first = app.run_statistics("people", order="streak", limit=2)
    assert [(each.name, each.streak) for each in first] == [("s4", 4), ("s3", 3)]
    rest = app.run_statistics("people", order="streak", below=(first[-1].streak, first[-1].name))
    assert [each.name for each in rest] == ["s2", "s1"]
    assert [each.name for each in app.run_statistics("people", order="name", below=(0, "s3"))] == ["s3", "s4", "t1"]
    assert [each.name for each in app.run_statistics("people", by="account", order="streak")] == ["acme"]


def test_an_audit_is_remembered_when_it_has_ended(engine: Engine) -> None:
    engine.sync("people", "g1")
    engine.upkeep()
    assert engine.app.run_statistics("people", subject="g1")[0].audited_at is None
    finish(engine, "g1", options='{"audit":{}}')
    engine.upkeep()
    for by in ("subject", "account", "sync"):
        kind: Any = by
        assert engine.app.run_statistics("people", by=kind)[0].audited_at == engine.clock.now_ms, by


def test_questions_and_their_keys_come_page_by_page(engine: Engine, directory: Directory) -> None:
    directory.groups = {group: {f"{group}-{number:02}": "x" for number in range(40)} for group in ("g1", "g2")}
    engine.sync("people", "g1", "g2")
    for group in directory.groups.values():
        for key in sorted(group)[:20]:
            del group[key]
    engine.sync("people", "g1", "g2")
    first, second = engine.app.approvals_page("people")
    assert engine.app.approvals_page("people", after=first.id) == [second]
    assert engine.app.approvals_page("people", limit=1) == [first]
    page = engine.app.approval("people", first.id, limit=15)
    rest = engine.app.approval("people", first.id, after=page.first[-1], limit=15)
    assert (len(page.first), len(rest.first), page.records) == (15, 5, 20)
    assert sorted({*page.first, *rest.first}) == [*page.first, *rest.first]
    assert engine.app.sync_states(["people"])[0].asked == 2
    for sync, id in (("directory", first.id), ("people", 404)):
        with pytest.raises(UnknownApproval):
            engine.app.approval(sync, id)


def test_what_was_refused_before_is_told_of_a_record(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("taken", "somebody has it")
    engine.sync("people", "g1")
    found = engine.app.why_record("people", "g1", "People", "p2")
    assert found.state is not None
    assert (found.state.error_class, found.state.error) == ("taken", "somebody has it")
