"""Layers over layers: parents, references, and rows that subjects of an account share."""

from penstock.domain.records import Rejected
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def test_parents_are_created_before_children_and_their_remote_ids_are_sent(
    engine: Engine, directory: Directory
) -> None:
    [run] = engine.sync("directory", "g1")
    assert (run.status, run.created) == ("succeeded", 15)
    [room] = directory.rooms.records
    assert {record["parent"] for record in directory.members.records.values()} == {room}
    references = {record["references"] for record in directory.members.records.values()}
    assert references == {(remote_id,) for remote_id in directory.people.records}


def test_children_are_deleted_before_their_parents(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    del directory.groups["g1"]["p1"]
    [run] = engine.sync("directory", "g1")
    assert run.deleted == 1
    assert len(directory.members.records) == 6


def test_children_of_a_failed_parent_are_blocked_until_it_succeeds(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("no", "not today")
    [run] = engine.sync("directory", "g1")
    assert (run.created, run.failed, run.blocked) == (13, 1, 1)
    assert engine.state("Members")['["g1","p2"]'] == ("blocked", None, "parent_failed")
    directory.people.refused.clear()
    engine.clock.advance(60)
    [run] = engine.sync("directory", "g1")
    assert (run.created, run.blocked) == (2, 0)


def test_a_parent_that_does_not_exist_blocks_and_says_so(engine: Engine, directory: Directory) -> None:
    directory.fail_after = None
    people = dict(directory.groups["g1"])
    engine.sync("directory", "g1")
    directory.groups["g1"] = people
    table = next(item.state for item in engine.app.layer_tables if item.layer == "Everybody")
    engine.app.store.write(lambda tx: tx.execute("state_remove", {"scope": "acme", "keys": ["p3"]}, layer=table))
    everybody = next(layer for layer in engine.app.syncs["directory"].layers if layer.name == "Everybody")
    everybody.layer.__class__.source = lambda self, run: iter(())
    [run] = engine.sync("directory", "g1")
    assert run.blocked == 1
    assert engine.state("Members")['["g1","p3"]'][::2] == ("blocked", "parent_missing")


def test_a_person_in_two_groups_is_created_once(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"p1": "name 1", "p8": "name 8"}
    first, second = engine.sync("directory", "g1", "g2")
    assert (first.created, second.created) == (15, 4)
    assert len(directory.people.records) == 8


def test_a_person_who_leaves_one_of_two_groups_stays(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"p1": "name 1"}
    engine.sync("directory", "g1", "g2")
    del directory.groups["g1"]["p1"]
    for _ in range(3):
        engine.clock.advance(60)
        engine.sync("directory", "g1", "g2")
    assert directory.people.named("disable") == []


def test_a_person_who_left_every_group_is_disabled_after_every_group_was_read_since(
    engine: Engine, directory: Directory
) -> None:
    directory.groups["g2"] = {"p8": "name 8"}
    engine.sync("directory", "g1", "g2")
    del directory.groups["g1"]["p1"]
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    assert directory.people.named("disable") == []  # g2 was last read before the claim was dropped
    engine.clock.advance(60)
    engine.sync("directory", "g2")
    assert directory.people.named("disable") == ["p1"]
    assert engine.state("Everybody")["p1"][0] == "disabled"
    engine.clock.advance(60)
    engine.sync("directory", "g1", "g2")
    assert directory.people.named("disable") == ["p1"]


def test_a_person_who_moves_to_a_group_that_was_read_too_early_is_not_disabled(
    engine: Engine, directory: Directory
) -> None:
    directory.groups["g2"] = {"p8": "name 8"}
    engine.sync("directory", "g1", "g2")
    engine.clock.advance(60)
    engine.sync("directory", "g2")
    directory.groups["g2"]["p1"] = directory.groups["g1"].pop("p1")
    engine.clock.advance(60)
    engine.sync("directory", "g1")
    engine.clock.advance(60)
    engine.sync("directory", "g2")
    engine.clock.advance(60)
    engine.sync("directory", "g1", "g2")
    assert directory.people.named("disable") == []


def test_a_person_who_comes_back_is_enabled_again(engine: Engine, directory: Directory) -> None:
    name = directory.groups["g1"].pop("p1")
    directory.groups["g1"]["p1"] = name
    engine.sync("directory", "g1")
    del directory.groups["g1"]["p1"]
    for _ in range(2):
        engine.clock.advance(60)
        engine.sync("directory", "g1")
    assert directory.people.named("disable") == ["p1"]
    directory.groups["g1"]["p1"] = name
    engine.clock.advance(60)
    [run] = engine.sync("directory", "g1")
    assert run.updated == 1
    assert all(record["active"] for record in directory.people.records.values())


def test_an_unread_group_keeps_everybody(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"p8": "name 8"}  # never synced
    engine.sync("directory", "g1")
    del directory.groups["g1"]["p1"]
    for _ in range(3):
        engine.clock.advance(60)
        engine.sync("directory", "g1")
    assert directory.people.named("disable") == []
