"""Rows that subjects of an account share: who goes, and whose word it takes."""

from typing import Any

import pytest

from penstock.events import DeletesWithheld
from tests.conformance.deleting.conftest import leave
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def rounds(engine: Engine, count: int, *groups: str) -> None:
    for _ in range(count):
        engine.clock.advance(60)
        engine.sync("directory", *groups)


def approve_all(engine: Engine) -> None:
    engine.app.approve("directory", *[each.id for each in engine.app.approvals("directory")
                                      if each.status == "asked"], by="ann")


def test_many_who_left_every_group_are_disabled_once_they_are_approved(
        engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"q": "somebody else"}
    engine.sync("directory", "g1", "g2")
    gone = leave(directory, 12)
    rounds(engine, 3, "g1", "g2")
    assert {each.layer: each.records for each in engine.app.approvals("directory")} == {"Members": 12, "Everybody": 12}
    assert directory.people.named("disable") == []
    approve_all(engine)
    rounds(engine, 1, "g1", "g2")
    assert sorted(directory.people.named("disable")) == gone
    assert engine.app.approvals("directory") == []
    rounds(engine, 2, "g1", "g2")
    assert len(directory.people.named("disable")) == 12


def test_two_runs_of_an_account_ask_one_question(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld]) -> None:
    directory.groups["g2"] = {"q": "somebody else"}
    engine.sync("directory", "g1", "g2")
    leave(directory, 12)
    rounds(engine, 4, "g1", "g2")
    assert [each.layer for each in engine.app.approvals("directory")].count("Everybody") == 1
    assert [event.layer for event in heard].count("Everybody") == 1


def test_who_moves_to_another_group_while_a_question_is_open_is_taken_off_it(
        engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"q": "somebody else"}
    engine.sync("directory", "g1", "g2")
    gone = leave(directory, 12)
    rounds(engine, 3, "g1", "g2")
    directory.groups["g2"] |= {gone[0]: "name 0"}
    approve_all(engine)
    rounds(engine, 2, "g1", "g2")
    assert sorted(directory.people.named("disable")) == gone[1:]


@pytest.mark.parametrize("spoil", ["no proof", "empty"])
def test_a_run_whose_own_read_proves_nothing_deletes_nobody(
        engine: Engine, directory: Directory, spoil: str) -> None:
    """Who left the other group may just have come to this one."""
    directory.groups["g2"] = {f"q{number}": "x" for number in range(5)}
    engine.sync("directory", "g1", "g2")
    del directory.groups["g2"]["q1"]
    engine.clock.advance(60)
    engine.sync("directory", "g2")
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    assert directory.people.named("disable") == []
    engine.clock.advance(60)
    people = dict(directory.groups["g2"])
    if spoil == "no proof":
        directory.proof = False
    else:
        directory.groups["g2"] = {}
    read_since(engine)
    engine.sync("directory", "g2")
    assert directory.people.named("disable") == []
    directory.proof, directory.groups["g2"] = True, people
    rounds(engine, 1, "g2")
    assert directory.people.named("disable") == ["q1"]


def read_since(engine: Engine) -> None:
    """As though every group had been read completely just now."""
    table = "penstock_sync_reads" if engine.app.store.dialect == "sqlite" else "penstock.sync_reads"
    now = engine.clock.now_ms
    engine.app.store.write(lambda tx: tx.script(f"update {table} set began_at = {now}"))


def test_who_is_claimed_again_before_the_call_is_kept(engine: Engine, directory: Directory) -> None:
    """Another run of the account may claim a row between the plan of this one and its deletes."""
    engine.sync("directory", "g1")
    gone = leave(directory, 2)
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    table = next(item.state for item in engine.app.layer_tables if item.layer == "Everybody")
    name = f"penstock_{table}" if engine.app.store.dialect == "sqlite" else f"penstock.{table}"
    more = leave(directory, 1)  # a membership, whose delete comes before those of people
    delete = directory.members.delete

    def claims(changes: Any, run: Any) -> Any:
        engine.app.store.write(lambda tx: tx.script(f"update {name} set unclaimed_at = null where key = '{gone[0]}'"))
        return delete(changes, run)

    directory.members.delete = claims  # type: ignore[method-assign]
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    assert more
    assert directory.people.named("disable") == gone[1:]


def test_who_was_created_by_a_read_without_proof_and_left_before_the_next_is_not_left_behind(
        engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    directory.groups["g1"]["q1"] = "somebody else"
    directory.proof = False
    rounds(engine, 1, "g1")
    del directory.groups["g1"]["q1"]
    directory.proof = True
    rounds(engine, 2, "g1")
    assert directory.people.named("disable") == ["q1"]


def test_who_was_created_by_a_run_that_broke_off_and_left_before_the_next_is_not_left_behind(
        engine: Engine, directory: Directory) -> None:
    """Rows are claimed once all of a layer is sent: of who was created before that, nobody had said that they are his.
    """
    engine.sync("directory", "g1")
    directory.groups["g1"]["q1"] = "somebody else"
    directory.people.lost = OSError("connection reset")
    engine.sync("directory", "g1")
    del directory.groups["g1"]["q1"]
    rounds(engine, 3, "g1")
    assert directory.people.named("disable") == ["q1"]
    assert engine.state("Everybody")["q1"][0] == "disabled"


def test_a_read_whose_deletes_are_withheld_does_not_show_that_somebody_is_nowhere(
        engine: Engine, directory: Directory) -> None:
    """Who moves to a group whose source is then cut off is not there to be seen, and not gone either."""
    directory.groups["g2"] = {f"q{number:02}": "x" for number in range(40)}
    engine.sync("directory", "g1", "g2")
    moved = leave(directory, 1)[0]
    directory.groups["g2"]["r"] = "somebody else"
    rounds(engine, 1, "g1")
    people = {**directory.groups["g2"], moved: "name 0"}
    directory.groups["g2"] = dict(list(people.items())[:20])
    rounds(engine, 2, "g2", "g1")
    assert directory.people.named("disable") == []
    directory.groups["g2"] = people
    rounds(engine, 2, "g2", "g1")
    assert directory.people.named("disable") == []
    assert engine.app.approvals("directory") == []
