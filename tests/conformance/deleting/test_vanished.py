"""A subject that is gone keeps its claims until a person lets them go, and then its rows go by the rules."""

import pytest

from penstock.domain.errors import SurgeryRefused
from penstock.sync.vanished import Claimed, claimed, unclaim, vanished
from tests.conformance.deleting.test_shared_rows import rounds
from tests.conformance.sync_app import Directory
from tests.engine import Engine


@pytest.fixture
def gone(engine: Engine, directory: Directory) -> None:
    """Three groups, of which the last has gone, with two people of its own and one of another's."""
    directory.groups |= {"g2": {"q": "x"}, "g3": {"q": "x", "r1": "x", "r2": "x"}}
    engine.sync("directory", "g1", "g2", "g3")
    del directory.groups["g3"]


@pytest.mark.usefixtures("gone")
def test_what_it_alone_had_stays_until_it_is_let_go_and_every_subject_was_read_since(
        engine: Engine, directory: Directory) -> None:
    rounds(engine, 3, "g1", "g2")
    assert directory.people.named("disable") == []
    store, definition = engine.app.store, engine.app.definition("directory")
    assert vanished(store, definition) == [Claimed("Everybody", "g3", 3, 2)]
    unclaim(store, definition, "g3")
    assert vanished(store, definition) == claimed(store, definition, ["g3"]) == []
    rounds(engine, 1, "g1")
    assert directory.people.named("disable") == []
    rounds(engine, 1, "g2")
    assert sorted(directory.people.named("disable")) == ["r1", "r2"]


@pytest.mark.usefixtures("gone")
def test_too_many_of_them_wait_for_approval(engine: Engine, directory: Directory) -> None:
    directory.groups["g3"] = {f"r{number:02}": "x" for number in range(30)}
    engine.sync("directory", "g3")
    del directory.groups["g3"]
    unclaim(engine.app.store, engine.app.definition("directory"), "g3")
    rounds(engine, 2, "g1", "g2")
    assert directory.people.named("disable") == []
    assert [(each.layer, each.records) for each in engine.app.approvals("directory")] == [("Everybody", 32)]


def test_one_that_is_still_there_is_refused(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    definition = engine.app.definition("directory")
    with pytest.raises(SurgeryRefused, match="expected a subject that is gone, got 'g1'"):
        unclaim(engine.app.store, definition, "g1")
    assert claimed(engine.app.store, definition, ["g1"]) == [Claimed("Everybody", "g1", 40, 40)]
