"""A question names the keys that are withheld; the answer is about those, for a while, and about nothing else."""

import pytest

from penstock.domain.errors import UnknownApproval
from penstock.domain.records import Rejected
from penstock.events import DeletesWithheld
from tests.conformance.deleting.conftest import leave
from tests.conformance.sync_app import Directory
from tests.engine import Engine

WEEK = 7 * 86_400


@pytest.fixture
def gone(engine: Engine, directory: Directory) -> list[str]:
    """Twelve people who left, and whose deletes are withheld."""
    engine.sync("people", "g1")
    found = leave(directory, 12)
    engine.sync("people", "g1")
    return found


def only(engine: Engine, sync: str = "people") -> int:
    """The number of the one approval that there is."""
    [approval] = engine.app.approvals(sync)
    return approval.id


def test_while_a_question_is_open_nothing_new_is_asked_about_the_same_records(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld], gone: list[str]) -> None:
    before = engine.app.approvals("people")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld, run.error_class) == (0, 12, "DeletesWithheld")
    assert engine.app.approvals("people") == before
    assert len(heard) == 1


def test_more_records_make_a_new_question_that_names_all(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld], gone: list[str]) -> None:
    old = only(engine)
    leave(directory, 1)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 13)
    [approval] = engine.app.approvals("people")
    assert approval.records == heard[-1].records == 13
    with pytest.raises(UnknownApproval, match=f"got {old}: they were decided, replaced"):
        engine.app.approve("people", old, by="ann")
    keys = engine.clock.fetch("select key from penstock.approval_keys order by key")
    assert [key for (key,) in keys[:12]] == gone
    assert len(keys) == 13


def test_the_next_run_deletes_what_was_approved_and_is_still_absent(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    [approval] = engine.app.approve("people", only(engine), by="ann")
    assert (approval.status, approval.decided_by, approval.decided_at) == ("approved", "ann", engine.clock.now_ms)
    directory.groups["g1"][gone[0]] = "is back"
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted, run.withheld, run.error) == ("succeeded", 11, 0, None)
    assert sorted(directory.people.named("delete")) == gone[1:]
    assert engine.app.approvals("people") == []


def test_who_came_back_and_left_again_is_not_covered_by_the_old_approval(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.app.approve("people", only(engine), by="ann")
    directory.groups["g1"] |= dict.fromkeys(gone, "is back")
    engine.sync("people", "g1")
    assert engine.app.approvals("people") == []
    leave(directory, 12)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 12)


@pytest.mark.parametrize("answer", ["approved", "came back"])
def test_afterwards_small_deletes_go_again(
        engine: Engine, directory: Directory, gone: list[str], answer: str) -> None:
    if answer == "approved":
        engine.app.approve("people", only(engine), by="ann")
    else:
        directory.groups["g1"] |= dict.fromkeys(gone, "is back")
    engine.sync("people", "g1")
    assert engine.app.approvals("people") == []
    leave(directory, 5)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (5, 0)


def test_new_deletes_beside_approved_ones_are_judged_by_themselves(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.app.approve("people", only(engine), by="ann")
    leave(directory, 2)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (14, 0)
    assert engine.clock.fetch("select removed from penstock.removals") == [(2,)]  # what was approved does not count


def test_too_many_new_deletes_beside_approved_ones_are_asked_about(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.app.approve("people", only(engine), by="ann")
    leave(directory, 11)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (12, 11)
    assert sorted(directory.people.named("delete")) == gone


def test_a_question_shrinks_as_records_come_back(engine: Engine, directory: Directory, gone: list[str]) -> None:
    id = only(engine)
    directory.groups["g1"] |= dict.fromkeys(gone[:9], "is back")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 3)  # few as they are by now, somebody is being asked about them
    [approval] = engine.app.approvals("people")
    assert (approval.id, approval.records, approval.first) == (id, 3, gone[9:])


def test_a_run_that_does_not_know_what_is_absent_leaves_questions_alone(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    before = engine.app.approvals("people")
    engine.app.approve("people", only(engine), by="ann")
    directory.proof = False
    [run] = engine.sync("people", "g1")
    assert run.deleted == 0
    directory.groups["g1"].clear()
    directory.proof = True
    engine.sync("people", "g1")
    assert directory.people.named("delete") == []
    assert [each.id for each in engine.app.approvals("people")] == [each.id for each in before]


def test_a_question_that_nobody_answered_is_asked_again(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld], gone: list[str]) -> None:
    id = only(engine)
    directory.groups["g1"] |= dict.fromkeys(gone[:9], "is back")
    engine.clock.advance(WEEK)
    assert engine.app.approvals("people") == []
    with pytest.raises(UnknownApproval):
        engine.app.approve("people", id, by="ann")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 3)  # silence is no consent, however few are left
    assert only(engine) != id
    assert len(heard) == 2


def test_an_approval_expires(engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.clock.advance(WEEK - 1)
    engine.app.approve("people", only(engine), by="ann")
    engine.clock.advance(WEEK)  # it holds for a week from the answer on
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 12)
    assert [each.status for each in engine.app.approvals("people")] == ["asked"]


def test_what_was_refused_stays_and_is_not_asked_about_for_a_while(
        engine: Engine, directory: Directory, heard: list[DeletesWithheld], gone: list[str]) -> None:
    [approval] = engine.app.approve("people", only(engine), by="ann", refuse=True)
    assert approval.status == "refused"
    leave(directory, 2)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld, run.error) == (2, 12, "People: 12 deletes withheld as was decided")
    assert len(heard) == 1
    engine.clock.advance(WEEK)
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 12)
    assert len(heard) == 2


def test_an_answer_is_given_once(engine: Engine, gone: list[str]) -> None:
    id = only(engine)
    engine.app.approve("people", id, by="ann", refuse=True)
    with pytest.raises(UnknownApproval):
        engine.app.approve("people", id, by="bob")
    assert [each.decided_by for each in engine.app.approvals("people")] == ["ann"]


def test_of_several_answers_one_that_is_wrong_stops_all(engine: Engine, gone: list[str]) -> None:
    with pytest.raises(UnknownApproval, match="got 99"):
        engine.app.approve("people", only(engine), 99, by="ann")
    assert [each.status for each in engine.app.approvals("people")] == ["asked"]


def test_an_answer_is_about_its_sync_alone(engine: Engine, gone: list[str]) -> None:
    assert engine.app.approvals("directory") == []
    with pytest.raises(UnknownApproval):
        engine.app.approve("directory", only(engine), by="ann")


def test_what_the_destination_refuses_to_delete_stays_approved(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.app.approve("people", only(engine), by="ann")
    directory.people.refused[gone[0]] = Rejected("locked", "in use")
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.failed) == (11, 1)
    [approval] = engine.app.approvals("people")
    assert (approval.status, approval.first) == ("approved", gone[:1])
    directory.people.refused.clear()
    engine.clock.advance(3600)
    [run] = engine.sync("people", "g1")
    assert run.deleted == 1


def test_an_approval_waits_for_a_read_that_began_after_the_question(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.app.approve("people", only(engine), by="ann")
    later = engine.clock.now_ms + 5000
    engine.app.store.write(lambda tx: tx.script(
        f"update {'penstock_approvals' if engine.app.store.dialect == 'sqlite' else 'penstock.approvals'}"
        f" set asked_at = {later}"))
    [run] = engine.sync("people", "g1")
    assert (run.deleted, run.withheld) == (0, 12)
    engine.clock.advance(5)
    [run] = engine.sync("people", "g1")
    assert run.deleted == 12


def test_every_scope_has_a_question_of_its_own(engine: Engine, directory: Directory, gone: list[str]) -> None:
    directory.groups["g2"] = {f"q{number:02}": "x" for number in range(40)}
    engine.sync("people", "g2")
    leave(directory, 15, group="g2")
    engine.sync("people", "g2")
    found = {each.subject: each.records for each in engine.app.approvals("people")}
    assert found == {"g1": 12, "g2": 15}
    engine.app.approve("people", only_of(engine, "g2"), by="ann")
    runs = engine.sync("people", "g1", "g2")
    assert [run.deleted for run in runs] == [0, 15]


def only_of(engine: Engine, subject: str) -> int:
    return next(each.id for each in engine.app.approvals("people") if each.subject == subject)


def test_questions_long_expired_are_dropped_with_their_keys(
        engine: Engine, directory: Directory, gone: list[str]) -> None:
    engine.clock.advance(WEEK + 31 * 86_400)
    directory.groups["g2"] = {f"q{number:02}": "x" for number in range(40)}
    engine.sync("people", "g2")
    leave(directory, 15, group="g2")
    engine.sync("people", "g2")
    assert engine.clock.fetch("select count(*) from penstock.approvals") == [(1,)]
    assert engine.clock.fetch("select count(*) from penstock.approval_keys") == [(15,)]
