"""Fields of what is sent: adding, removing and reordering them in `render`, and what a change is about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from penstock import Penstock
from penstock.sync import Complete, Layer, Run, Subject, Sync
from penstock.sync.state.runs import RunRow
from tests.clock import Clock
from tests.engine import Engine
from tests.remote import Remote

Render = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class World:
    """One source and one destination, over which versions of an application come and go."""

    url: str
    clock: Clock
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    remote: Remote = field(default_factory=Remote)

    @contextmanager
    def deployed(self, rendered: Render, **options: Any) -> Iterator[Engine]:
        world = self

        class People(Layer[dict[str, Any]]):
            key = "id"
            destination = world.remote

            def source(self, run: Run) -> Iterator[dict[str, Any]]:
                yield from ({"id": key, **record} for key, record in world.records.items())
                return Complete(len(world.records))  # type: ignore[return-value]

        People.render = lambda self, record, run: rendered(record)  # type: ignore[attr-defined]
        for name, value in options.items():
            setattr(People, name, value)
        with Penstock(self.url, now=self.clock.expression) as app:
            @app.sync("people")
            class PeopleSync(Sync[str]):
                layers = [People]

                def subjects(self) -> Iterator[Subject]:
                    yield Subject("g1", account="acme")

            yield Engine(app, self.clock)

    def sync(self, rendered: Render, **options: Any) -> RunRow:
        with self.deployed(rendered, **options) as engine:
            [run] = engine.sync("people", "g1")
        assert run.status == "succeeded", run.error
        return run


@pytest.fixture
def world(store_url: str, clock: Clock) -> World:
    records = {f"p{number}": {"name": f"name {number}", "phone": f"{number}", "team": "a"} for number in range(7)}
    return World(store_url, clock, records)


def both(record: dict[str, Any]) -> dict[str, Any]:
    return {"name": record["name"], "phone": record["phone"]}


def name_only(record: dict[str, Any]) -> dict[str, Any]:
    return {"name": record["name"]}


def with_phone_if_any(record: dict[str, Any]) -> dict[str, Any]:
    given = {"name": record["name"]}
    if record["phone"]:
        given["phone"] = record["phone"]
    return given


def everything_but_team(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("id", "team") and value}


def test_fields_in_another_order_send_nothing(world: World):
    world.sync(both)
    run = world.sync(lambda record: {"phone": record["phone"], "name": record["name"]})
    assert (run.skipped, run.write_calls) == (7, 0)


def test_a_field_that_render_no_longer_gives_sends_nothing_and_what_differs_too_is_sent(world: World):
    world.sync(both)
    world.records["p3"]["name"] = "another"
    run = world.sync(name_only)
    assert (run.skipped, run.updated) == (6, 1)
    assert world.remote.named("update") == ["p3"]
    again = world.sync(name_only)
    assert (again.skipped, again.write_calls) == (7, 0)


def test_a_removed_field_that_comes_back_is_sent(world: World):
    world.sync(both)
    world.sync(name_only)
    assert world.sync(both).updated == 7


def test_a_new_field_sends_the_records_that_carry_it(world: World):
    for key in ("p1", "p2"):
        world.records[key]["phone"] = ""
    world.sync(name_only)
    run = world.sync(with_phone_if_any)
    assert (run.updated, run.skipped) == (5, 2)


@pytest.mark.parametrize("rendered", [with_phone_if_any, everything_but_team])
def test_a_field_that_a_record_lost_is_sent(world: World, rendered: Render):
    world.sync(rendered)
    world.records["p3"]["phone"] = ""
    run = world.sync(rendered)
    assert (run.updated, run.skipped) == (1, 6)
    assert world.remote.records["r4"]["payload"] == {"name": "name 3"}


def test_a_field_that_a_record_lost_while_render_changed_is_sent(world: World):
    """The new code still names the field, or still gives it for others."""
    world.sync(with_phone_if_any)
    world.records["p3"]["phone"] = ""
    assert world.sync(everything_but_team).updated == 1
    for record in world.records.values():
        record["phone"] = ""
    assert world.sync(with_phone_if_any).updated == 6


def test_without_field_digests_a_removed_field_is_a_change(world: World):
    world.sync(both, field_digests=False)
    assert world.sync(name_only, field_digests=False).updated == 7


def test_a_verb_is_told_which_fields_a_change_is_about(world: World, monkeypatch: pytest.MonkeyPatch):
    told: dict[str, tuple[str, ...] | None] = {}
    update = world.remote.update

    def updated(changes: Any, run: Run) -> Any:
        told.update((change.key, change.fields) for change in changes)
        return update(changes, run)

    monkeypatch.setattr(world.remote, "update", updated)
    world.sync(with_phone_if_any)
    world.records["p1"]["name"] = "another"
    world.records["p2"]["phone"] = ""
    world.records["p3"].update(name="another", phone="9")
    world.sync(with_phone_if_any)
    assert told == {"p1": ("name",), "p2": ("phone",), "p3": ("name", "phone")}


def test_modes_do_less_than_a_mirror(world: World):
    world.sync(both)
    world.records["p1"]["name"] = "another"
    world.records["p8"] = {"name": "new", "phone": "8"}
    del world.records["p2"]
    run = world.sync(both, mode="create_only")
    assert (run.created, run.updated, run.deleted, run.skipped) == (1, 0, 0, 6)
    run = world.sync(both, mode="upsert")
    assert (run.created, run.updated, run.deleted) == (0, 1, 0)
    assert world.sync(both).deleted == 1


def test_update_only_changes_what_is_there_and_creates_nothing(world: World):
    world.remote.records = {"x1": {"key": "?", "payload": {}, "match": "p1", "parent": None, "references": (),
                                   "active": True}}
    run = world.sync(name_only, mode="update_only")
    assert (run.created, run.updated, run.skipped) == (0, 1, 6)
    assert world.remote.records["x1"]["payload"] == {"name": "name 1"}
    world.records["p1"]["name"] = "another"
    del world.records["p2"]
    run = world.sync(name_only, mode="update_only")
    assert (run.created, run.updated, run.deleted) == (0, 1, 0)
    assert world.remote.records["x1"]["payload"] == {"name": "another"}


def test_a_number_that_json_cannot_write_fails_alone(world: World):
    world.records["p3"]["phone"] = float("nan")
    run = world.sync(both)
    assert (run.created, run.failed) == (6, 1)
