"""Subjects that are loaded: one that is gone, and a loader that fails."""

from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Window
from penstock.sync import Subject, Sync
from penstock.sync.serving.preview import preview
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.conformance.windows.conftest import Hall, Windowed
from tests.engine import Engine


def test_all_that_a_subject_had_is_deleted_when_it_is_gone(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [f"p{number}" for number in range(6)], "g2": ["q"]}
    engine.sync("doors", "g1", "g2")
    hall.loads["g1"] = Gone
    [run] = engine.sync("doors", "g1")
    assert (run.status, run.deleted, run.read) == ("succeeded", 6, 0)
    assert [record["key"] for record in hall.doors.records.values()] == ["g2-q"]
    [run] = engine.sync("doors", "g1")
    assert (run.status, run.deleted) == ("succeeded", 0)


def test_too_many_wait_for_approval(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [f"p{number}" for number in range(12)]}
    engine.sync("doors", "g1")
    hall.loads["g1"] = Gone
    [run] = engine.sync("doors", "g1")
    assert (run.status, run.deleted, run.withheld, run.error_class) == ("succeeded", 0, 12, "DeletesWithheld")
    assert len(hall.doors.records) == 12
    [asked] = engine.app.approvals("doors")
    engine.app.approve("doors", asked.id, by="ann")
    [run] = engine.sync("doors", "g1")
    assert (run.deleted, hall.doors.records) == (12, {})


def test_one_that_comes_back_is_made_again(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": ["p", "q"]}
    engine.sync("doors", "g1")
    hall.loads["g1"] = Gone
    engine.sync("doors", "g1")
    del hall.loads["g1"]
    [run] = engine.sync("doors", "g1")
    assert (run.created, len(hall.doors.records)) == (2, 2)


def test_one_that_never_had_anything_deletes_nothing(engine: Windowed, hall: Hall) -> None:
    hall.loads["g1"] = Gone
    [run] = engine.sync("doors", "g1")
    assert (run.status, hall.doors.calls) == ("succeeded", [])


def test_a_plan_shows_what_would_go(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": ["p", "q"]}
    engine.sync("doors", "g1")
    hall.loads["g1"] = Gone
    with preview(engine.app.store, engine.app.definition("doors"), Subject("g1", "acme")) as [plan]:
        assert plan.summary()["delete"] == 2


Gone = "gone"


@pytest.fixture
def options() -> dict[str, Any]:
    return {"window": Window(total=100, headroom=20)}


@pytest.fixture(autouse=True)
def gone_is_none(engine: Windowed) -> None:
    """A fixture may not tell None from nothing."""
    sync = engine.app.definition("doors").sync
    load = sync.load  # type: ignore[attr-defined]
    sync.load = lambda key: None if (value := load(key)) is Gone else value  # type: ignore[attr-defined]


class TestShared:
    """Rows that subjects share go with the last subject that claims them."""

    @pytest.fixture
    def shared(self, store_url: str, clock: Clock, engine: Windowed) -> Iterator[tuple[Engine, Directory, set[str]]]:
        engine.app.close()
        directory = Directory(groups={"g1": {"a": "x", "b": "x"}, "g2": {"b": "x", "c": "x"}})
        gone: set[str] = set()
        with directory.app(store_url, clock.expression) as app:
            sync: Sync[Any] = app.definition("directory").sync
            sync.load = lambda key: None if key in gone else key  # type: ignore[attr-defined]
            yield Engine(app, clock), directory, gone

    def test_those_that_it_alone_claimed_go_once_every_other_was_read(
            self, shared: tuple[Engine, Directory, set[str]]) -> None:
        engine, directory, gone = shared
        engine.sync("directory", "g1", "g2")
        gone.add("g2")
        del directory.groups["g2"]
        engine.sync("directory", "g2")
        assert engine.state("Members").keys() == {'["g1","a"]', '["g1","b"]'}
        assert directory.people.named("disable") == [], "g1 may have it by now"
        engine.clock.advance(1)
        engine.sync("directory", "g1")
        assert directory.people.named("disable") == ["c"]


def test_a_loader_that_fails_costs_no_attempt_and_holds_up_nobody(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": ["p"], "g2": ["p"]}
    hall.loads["g1"] = OSError("the database of products is away")
    engine.request("g1", "g2")
    for _ in range(8):
        engine.settle_all()
        assert engine.runs["g1"] == ("pending", 0, "LoaderFailed")
        hall.pass_time(300)
    assert engine.runs["g2"][0] == "succeeded"
    [(error,)] = engine.clock.fetch("select error from penstock.sync_runs where subject = 'g1'")
    assert error == "doors: load('g1') failed: OSError: the database of products is away; the run tries again later"
    del hall.loads["g1"]
    hall.pass_time(300)
    engine.settle_all()
    assert engine.runs["g1"] == ("succeeded", 1, None)


def test_it_waits_longer_from_time_to_time(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": ["p"]}
    hall.loads["g1"] = OSError("away")
    engine.request("g1")
    waits = []
    for _ in range(6):
        engine.settle_all()
        [(wait,)] = engine.clock.fetch("select run_at from penstock.sync_runs")
        waits.append((wait - engine.clock.now_ms) / 1000)
        hall.pass_time(waits[-1])
    assert waits[:4] == sorted(waits[:4])
    assert waits[0] < 13
    assert 200 < waits[-1] <= 360


