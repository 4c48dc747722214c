"""Deletes that are too many are left out before the first of them, and people are asked; small ones go."""

from typing import Any

import pytest

from penstock.domain.errors import Unavailable
from penstock.domain.records import Counts, RecordState, Rejected
from penstock.events import DeletesWithheld
from penstock.sync.serving.opening import layer_states
from penstock.sync.state.rows import Mark
from tests.conformance.deleting.conftest import leave
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def removals(engine: Engine) -> list[tuple[int, int]]:
    """(removed, about to) of every run that is counted."""
    return [(removed, about_to) for removed, about_to in
            engine.clock.fetch("select removed, about_to from penstock.removals order by run_id")]


def test_too_many_deletes_are_withheld_before_the_first_and_all_else_applies(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld]) -> None:
    engine.sync("people", "g1")
    gone = leave(directory, 12)
    directory.groups["g1"] |= {"p39": "changed", "p99": "new"}
    [run] = engine.sync("people", "g1")
    assert (run.status, run.created, run.updated, run.deleted, run.withheld) == ("succeeded", 1, 1, 0, 12)
    assert run.error_class == "DeletesWithheld"
    assert run.error == ("People: 12 deletes withheld until they are approved (People: 12 deletes of 41 rows of this"
                         " run, more than 20 %); see `penstock approve people`")
    assert directory.people.named("delete") == []
    assert {engine.state("People")[key][0] for key in gone} == {"synced"}
    [asked] = engine.app.approvals("people")
    assert (asked.layer, asked.subject, asked.account, asked.status, asked.records) == (
        "People", "g1", "acme", "asked", 12)
    assert asked.first == gone[:5]
    assert asked.reason == "People: 12 deletes of 41 rows of this run, more than 20 %"
    assert asked.expires_at - asked.asked_at == 7 * 86_400_000
    assert [(event.layer, event.records, event.approval_id) for event in heard] == [("People", 12, asked.id)]


def test_few_deletes_go_without_a_question(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    gone = leave(directory, 8)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (8, 0)
    assert sorted(directory.people.named("delete")) == gone
    assert engine.app.approvals("people") == []


def test_a_run_that_lost_many_records_of_one_layer_deletes_in_none(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    leave(directory, 12)
    engine.clock.advance(60)
    [run] = engine.sync("directory", "g1")
    assert run.deleted == 0
    for remote in (directory.members, directory.rooms, directory.people):
        assert remote.named("delete") == remote.named("disable") == []


@pytest.mark.parametrize("accounts", ["one", "many"])
def test_many_small_groups_that_lose_a_few_each_are_stopped_by_what_a_day_comes_to(
        engine: Engine, directory: Directory, accounts: str, heard: list[DeletesWithheld]) -> None:
    groups = [f"s{number:02}" for number in range(10)]
    directory.groups = {group: {f"{group}-{number}": "x" for number in range(10)} for group in groups}
    account = {group: "acme" if accounts == "one" else group for group in groups}
    for group in groups:
        engine.sync("people", group, account=account[group])
    for group in groups:
        leave(directory, 9, group=group)
    for group in groups:
        engine.sync("people", group, account=account[group])
    deleted = len(directory.people.named("delete"))
    assert deleted == 18  # two groups; with the third it would be 27, more than a fifth of 100 rows
    assert [event.subject for event in heard] == groups[2:]
    assert heard[0].reason == "People: 27 deletes of 100 rows within 24 hours, more than 20 %"
    engine.clock.advance(86_400 + 1)
    [run] = engine.sync("people", groups[5], account=account[groups[5]])
    assert (run.deleted, run.withheld) == (0, 9)  # once asked, always asked
    directory.groups["new"] = {f"new-{number}": "x" for number in range(10)}
    engine.sync("people", "new", account=account[groups[0]])
    leave(directory, 9, group="new")
    [run] = engine.sync("people", "new", account=account[groups[0]])
    assert run.deleted == 9


@pytest.mark.parametrize("directory", [3], indirect=True)
def test_what_a_run_that_was_broken_off_deleted_is_counted_once(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    leave(directory, 8)
    delete, calls = directory.people.delete, []

    def breaks(changes: Any, run: Any) -> Any:
        calls.append(len(changes))
        if len(calls) == 2:
            raise Unavailable("down", sent=False)
        return delete(changes, run)

    directory.people.delete = breaks  # type: ignore[method-assign]
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted) == ("pending", 3)
    assert removals(engine) == [(3, 5)]
    leave(directory, 4)  # nine for this attempt, twelve for the run
    engine.clock.advance(60)
    engine.settle_all()
    assert removals(engine) == [(3, 5)]
    [run] = engine.app.approvals("people")
    assert (run.records, run.reason) == (9, "People: 12 deletes of 40 rows of this run, more than 20 %")


def test_what_a_run_was_about_to_delete_counts_no_more_once_it_has_ended(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    leave(directory, 8)
    for _ in range(5):
        directory.people.before = Unavailable("down", sent=False)
        engine.sync("people", *([] if directory.people.named("delete") else ["g1"]))
        engine.clock.advance(4000)
    assert removals(engine) == [(0, 8)]
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted) == ("succeeded", 8)
    assert removals(engine) == [(8, 0)]  # and the row of the run that failed is gone


def test_counters_are_dropped_after_a_day(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    for _ in range(5):
        leave(directory, 1)
        engine.sync("people", "g1")
        engine.clock.advance(86_401)
    assert removals(engine) == [(1, 0)]


def test_what_the_destination_refused_to_delete_does_not_count(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    for key in leave(directory, 4):
        directory.people.refused[key] = Rejected("locked", "in use")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.failed) == (0, 4)
    assert removals(engine) == [(0, 4)]


def test_what_the_destination_never_had_is_forgotten_and_does_not_count(engine: Engine, directory: Directory) -> None:
    for key in sorted(directory.groups["g1"])[:20]:
        directory.people.refused[key] = Rejected("no", "not today")
    engine.sync("people", "g1")
    leave(directory, 22)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (22, 0)
    assert len(directory.people.named("delete")) == 2
    assert removals(engine) == [(2, 0)]


def observe(engine: Engine, count: int) -> None:
    """Records that were found at the destination, as a first look at it notes them."""
    definition = engine.app.definition("people")
    subject = engine.app.subject("people", "g1")
    state = layer_states(engine.app.store, definition, subject)["People"]
    state.save([Mark(f"x{number}", RecordState.OBSERVED, remote_id=f"hand-made {number}") for number in range(count)],
               Counts())


def test_records_that_were_only_observed_are_not_touched(engine: Engine, directory: Directory) -> None:
    observe(engine, 3)
    for _ in range(3):
        [run] = engine.sync("people", "g1")
        leave(directory, 1)
    assert run.deleted == 1
    assert not [key for key in directory.people.named("delete") if key.startswith("x")]
    assert engine.state("People")["x0"] == ("observed", "hand-made 0", None)


def test_with_prune_unmanaged_they_go_but_not_in_a_first_run(engine: Engine, directory: Directory) -> None:
    engine.app.definition("people").layers[0].layer.__class__.prune_unmanaged = True
    observe(engine, 3)
    [first] = engine.sync("people", "g1")
    assert first.deleted == 0
    [second] = engine.sync("people", "g1")
    assert second.deleted == 3
    assert directory.people.named("delete") == ["x0", "x1", "x2"]


def test_pruning_what_is_unmanaged_is_guarded_like_any_delete(engine: Engine, directory: Directory) -> None:
    engine.app.definition("people").layers[0].layer.__class__.prune_unmanaged = True
    observe(engine, 12)
    engine.sync("people", "g1")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 12)
