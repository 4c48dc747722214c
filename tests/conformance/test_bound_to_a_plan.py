"""A run that is bound to a plan applies what the plan names, as it was then; and says what is otherwise by now."""

import io
import json
from typing import Any

import pytest

from penstock.domain.errors import PlanRefused
from penstock.domain.records import Rejected, Subject
from penstock.sync.restricting.plan_file import Loaded, Writer, load
from penstock.sync.restricting.planned import Plans, bound_to
from penstock.sync.serving.preview import preview
from penstock.sync.state.runs import RunRow, latest_runs
from tests.conformance.deleting.conftest import leave
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def planned(engine: Engine, sync: str = "people", subject: str = "g1") -> str:
    """A plan's file."""
    text = io.StringIO()
    writer = Writer(text.write)
    writer.begin(sync, engine.clock.now_ms)
    definition = engine.app.definition(sync)
    with preview(engine.app.store, definition, Subject(subject, account="acme")) as plans:
        writer.subject(subject, "acme", [({}, plan) for plan in plans])
    writer.end()
    return text.getvalue()


def loaded(engine: Engine, file: str, sync: str = "people") -> Loaded:
    return load(Plans(engine.app.store), engine.app.definition(sync), io.StringIO(file), "plan.json")


def ask(engine: Engine, plan: Loaded, sync: str = "people", subject: str = "g1") -> None:
    engine.app.request([{"sync": sync, "subject": subject, "account": "acme", "priority": 0, "reason": "test",
                         "options": bound_to(plan.plan_id).text}])


def apply(engine: Engine, file: str, sync: str = "people", subject: str = "g1") -> RunRow:
    ask(engine, loaded(engine, file, sync), sync, subject)
    engine.settle_all()
    return latest_runs(engine.app.store, sync, [subject])[0][0]


def change(directory: Directory) -> None:
    """One update, one create and one delete."""
    directory.groups["g1"] |= {"p1": "changed", "p9": "new"}
    del directory.groups["g1"]["p2"]


def counts(run: RunRow) -> tuple[str, int, int, int, str | None]:
    return run.status, run.created, run.updated, run.deleted, run.error


def left(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.clock.fetch("select count(*) from penstock.planned_changes union all"
                              " select count(*) from penstock.sync_plans")


def test_the_plan_is_applied_exactly_and_gone_afterwards(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    change(directory)
    run = apply(engine, planned(engine))
    assert counts(run) == ("succeeded", 1, 1, 1, None)
    assert left(engine) == [(0,), (0,)]
    [rest] = engine.sync("people", "g1")
    assert (rest.created, rest.updated, rest.deleted, rest.skipped) == (0, 0, 0, 7)


def test_children_of_parents_that_the_plan_creates_are_applied_with_them(
        engine: Engine, directory: Directory) -> None:
    """When it was planned nobody had a remote id."""
    run = apply(engine, planned(engine, "directory"), "directory")
    assert counts(run) == ("succeeded", 15, 0, 0, None)
    assert len(directory.members.records) == 7


def test_a_shared_row_that_nobody_has_goes_if_the_plan_names_it(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    before = planned(engine, "directory")
    del directory.groups["g1"]["p2"]
    engine.sync("directory", "g1")
    engine.clock.advance(1)
    file = planned(engine, "directory")
    run = apply(engine, before, "directory")
    assert (run.deleted, run.error) == (0, "1 new changes not in the plan left for a later run")
    run = apply(engine, file, "directory")
    assert counts(run) == ("succeeded", 0, 0, 1, None)
    assert directory.people.named("disable") == ["p2"]


def test_what_moved_is_left_alone_and_said(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    change(directory)
    directory.groups["g1"] |= {"p3": "changed as well", "p8": "new as well"}
    file = planned(engine)
    directory.groups["g1"] |= {"p1": "changed again", "p2": "is back", "p4": "changed later", "p5": "changed later"}
    del directory.groups["g1"]["p9"]
    directory.people.calls.clear()
    run = apply(engine, file)
    assert (run.status, run.created, run.updated, run.deleted, run.error_class) == ("succeeded", 1, 1, 0, "PlanMoved")
    assert run.error == (
        "3 of 5 changes moved since the plan was made: People p1 is to be updated otherwise now; People p2 is in the"
        " source again; People p9 is not in the source any more; 2 new changes not in the plan left for a later run")
    assert directory.people.calls == [("create", ["p8"]), ("update", ["p3"])]
    [rest] = engine.sync("people", "g1")
    assert (rest.created, rest.updated, rest.deleted) == (0, 4, 0)


def test_records_that_are_new_or_gone_since_are_left_for_a_later_run(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"]["p1"] = "changed"
    file = planned(engine)
    directory.groups["g1"]["p9"] = "new"
    del directory.groups["g1"]["p2"]
    run = apply(engine, file)
    assert counts(run) == ("succeeded", 0, 1, 0, "2 new changes not in the plan left for a later run")
    [rest] = engine.sync("people", "g1")
    assert (rest.created, rest.updated, rest.deleted) == (1, 0, 1)


def test_what_another_run_did_otherwise_meanwhile_has_moved(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"] |= {"p1": "changed", "p2": "changed", "p9": "new"}
    file = planned(engine)
    directory.groups["g1"]["p1"] = "changed again"
    del directory.groups["g1"]["p9"]
    engine.sync("people", "g1")
    run = apply(engine, file)
    assert run.error == ("2 of 3 changes moved since the plan was made: People p1 was sent otherwise since; People p9"
                         " is not in the source any more")


def test_the_same_plan_again_changes_nothing_and_has_nothing_to_say(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    change(directory)
    file = planned(engine)
    apply(engine, file)
    directory.people.calls.clear()
    assert counts(apply(engine, file)) == ("succeeded", 0, 0, 0, None)
    assert directory.people.calls == []


def test_what_is_planned_for_one_remote_record_is_not_done_to_another(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    change(directory)
    file = planned(engine)
    engine.clock.fetch("update penstock.state_people__people set remote_id = 'r77' where key = 'p2' returning key")
    run = apply(engine, file)
    assert (run.updated, run.deleted) == (1, 0)
    assert "People p2 is another remote record now" in (run.error or "")


def test_a_plan_is_no_approval(engine: Engine, directory: Directory) -> None:
    """The guard sees all that would go, also what the plan does not name."""
    directory.groups["g1"] = {f"p{number:02}": "name" for number in range(40)}
    engine.sync("people", "g1")
    leave(directory, 5)
    file = planned(engine)
    leave(directory, 7)
    run = apply(engine, file)
    assert (run.deleted, run.withheld) == (0, 12)
    engine.clock.advance(1)
    [approval] = engine.app.approvals("people")
    engine.app.approve("people", approval.id, by="ann")
    engine.clock.advance(1)
    run = apply(engine, file)
    assert (run.deleted, run.withheld) == (5, 0)
    assert run.error == "7 new changes not in the plan left for a later run"
    [rest] = engine.app.approvals("people")
    assert (rest.status, rest.records) == ("approved", 7)


def test_a_planned_record_that_is_refused_fails_as_always(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("too_long", "the name is too long")
    run = apply(engine, planned(engine))
    assert (run.created, run.failed, run.error) == (6, 1, None)
    assert engine.state("People")["p2"][2] == "too_long"


def test_a_run_whose_worker_was_killed_in_the_middle_goes_on_and_nothing_of_it_has_moved(
        engine: Engine, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"] = {"p2": "name 2", "p3": "changed"} | {f"q{n}": f"new {n}" for n in range(5)}
    file = planned(engine)
    ask(engine, loaded(engine, file))
    engine.dispatch()
    [job] = engine.claim()
    create = directory.people.create
    calls: list[Any] = []

    def dies(changes: Any, run: Any) -> Any:
        calls.append(changes)
        directory.people.lost = KeyboardInterrupt() if len(calls) == 2 else None
        return create(changes, run)

    monkeypatch.setattr(directory.people, "create", dies)
    engine.execute(job)  # and nobody hears of it: the second call was carried out, and its answer lost
    monkeypatch.undo()
    engine.clock.advance(31)
    engine.app.upkeep().step()
    engine.register()
    engine.settle_all()
    [run] = latest_runs(engine.app.store, "people", ["g1"])[0]
    assert (run.status, run.failed, run.withheld, run.error) == ("succeeded", 0, 0, None)
    assert sorted(record["key"] for record in directory.people.records.values()) == sorted(directory.groups["g1"])
    assert left(engine) == [(0,), (0,)]


def test_what_is_not_applied_is_not_hidden_by_a_source_that_did_not_change(
        engine: Engine, directory: Directory) -> None:
    """What tells that records need not be read was true when they were in step; by now they may not be."""
    engine.sync("people", "g1")
    directory.groups["g1"]["p1"] = "changed"
    file = planned(engine)
    engine.clock.fetch("insert into penstock.buckets (layer_table, scope, subject, number, row_count, version) values"
                       " ('state_people__people', 'g1', 'g1', 0, 7, 'v') returning scope")
    apply(engine, file)
    assert engine.clock.fetch("select scope from penstock.buckets") == []


def test_plans_that_nobody_wants_any_more_are_pruned(engine: Engine, directory: Directory) -> None:
    plan = loaded(engine, planned(engine))
    wanted = loaded(engine, planned(engine))
    engine.clock.advance(2 * 86_400)
    ask(engine, wanted)
    engine.app.upkeep().prune()
    assert engine.clock.fetch("select id from penstock.sync_plans") == [(wanted.plan_id,)]
    assert engine.clock.fetch("select distinct plan_id from penstock.planned_changes") == [(wanted.plan_id,)]
    ask(engine, plan)
    engine.settle_all()
    assert engine.clock.fetch("select status, error_class from penstock.sync_runs order by id") == [
        ("succeeded", None), ("failed", "PlanRefused")]


def test_a_plan_of_another_renderer_says_so_and_is_judged_by_its_changes(
        engine: Engine, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.sync("people", "g1")
    change(directory)
    file = planned(engine)
    layer = engine.app.definition("people").layers[0]

    def render(self: Any, person: Any, run: Any) -> dict[str, Any]:
        return {"name": person.name.replace("changed", "edited")}

    monkeypatch.setattr(type(layer.layer), "render", render)
    object.__setattr__(layer, "render", layer.layer.render)
    plan = loaded(engine, file)
    assert plan.notes == ["the renderer of People changed since the plan was made, or its key, match or mode"]
    ask(engine, plan)
    engine.settle_all()
    [run] = latest_runs(engine.app.store, "people", ["g1"])[0]
    assert (run.created, run.updated, run.deleted) == (1, 0, 1)
    assert "People p1 is to be updated otherwise now; the renderer of People changed since" in (run.error or "")


REFUSED: list[tuple[str, str, str]] = [
    ('{"format"', 'hello{"format"', "expected '{' at character 1, got 'hello"),
    ('"format":"penstock plan"', '"format":"other"', 'it does not begin with "format":"penstock plan"'),
    ('"version":1', '"version":2', "expected a plan of format version 1, got 2"),
    ('"sync":"people"', '"sync":"others"', "expected a plan of the sync people, got one of others"),
    ('"key":"p6"', '"key"', "expected a JSON value at character"),
    ('"kind":"create"', '"kind":"drop"', "Invalid enum value 'drop'"),
    ('"layer":"People"', '"layer":"Peopel"', "got some of Peopel; did you mean 'People'"),
    ('"digest":"', '"digest":"0', "non-hexadecimal number found"),
    ('"key":"p1"', '"key":"p2"', "it names a record twice"),
]


def test_a_file_that_is_no_plan_of_this_sync_is_refused(engine: Engine, directory: Directory) -> None:
    file = planned(engine)
    assert len(json.loads(file)["subjects"][0]["layers"][0]["changes"]) == 7
    for text, instead, fault in [*REFUSED, (file[-30:], "", "expected a JSON value at character")]:
        with pytest.raises(PlanRefused) as caught:
            loaded(engine, file.replace(text, instead, 1))
        assert fault in f"{caught.value}"
        assert "nothing was requested. Use `penstock" in f"{caught.value}"
        assert left(engine) == [(0,), (0,)]
