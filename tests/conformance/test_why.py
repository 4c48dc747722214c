"""Why a record was sent, or not: what is told is what the next run does, and nothing is changed by asking."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock.domain.errors import Unavailable
from penstock.domain.records import Rejected, Subject
from penstock.sync.declaring.address import layer_of
from penstock.sync.surgery import Surgery
from penstock.sync.telling.told import Why
from penstock.sync.telling.why import why
from tests.conformance.sync_app import Directory, Person
from tests.engine import Engine


def told(engine: Engine, key: str, layer: str = "People", sync: str = "people", subject: str = "g1",
         **options: Any) -> Why:
    definition = engine.app.definition(sync)
    return why(engine.app.store, definition, Subject(subject, account="acme"), layer_of(definition, layer), key,
               **options)


def would(engine: Engine, key: str, *place: str) -> tuple[str, str]:
    found = told(engine, key, *place).verdict
    return found.would, found.because


def by_hand(engine: Engine, layer: str = "People", sync: str = "people") -> Surgery:
    definition = engine.app.definition(sync)
    return Surgery(engine.app.store, definition, layer_of(definition, layer))


def test_a_record_that_was_never_sent(engine: Engine, directory: Directory) -> None:
    found = told(engine, "p1")
    assert (found.verdict.would, found.verdict.because) == ("create", "it was never sent")
    assert (found.source.present, found.source.read, found.source.complete) == (True, 7, True)
    assert (found.state, found.run, found.payload, found.match) == (None, None, {"name": "name 1"}, "name 1")
    assert directory.people.calls == []
    assert engine.state("People") == {}


def test_a_record_that_is_in_step(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.people.calls.clear()
    found = told(engine, "p1")
    assert (found.verdict.would, found.verdict.because) == ("skip", "what is rendered now is what was sent")
    assert found.state is not None
    assert (found.state.status, found.state.remote_id, found.state.digest) == ("synced", "r2", found.rendered)
    assert found.run is not None
    assert (found.run.id, found.run.subject, found.run.status) == (1, "g1", "succeeded")
    assert directory.people.calls == []


def test_a_record_that_changed_names_its_fields(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g1"]["p1"] = "changed"
    assert would(engine, "p1") == ("update", "what is rendered now is not what was sent: name")
    assert told(engine, "p1").without_values().payload == ["name"]
    assert engine.sync("people", "g1")[0].updated == 1


def test_a_record_that_was_refused(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("too_long", "the name is too long")
    engine.sync("people", "g1")
    found = told(engine, "p2")
    assert found.state is not None
    assert (found.state.error_class, found.state.error, found.state.attempts) == (
        "too_long", "the name is too long", 1)
    assert found.state.retry_at is not None
    assert found.verdict.would == "wait"
    assert found.verdict.because.startswith("it failed 1 times, and is sent again in ")
    directory.groups["g1"]["p2"] = "short"
    assert would(engine, "p2") == ("create", "the destination has not taken it yet: it is failed")


def test_a_record_in_doubt(engine: Engine, directory: Directory) -> None:
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    assert would(engine, "p1") == ("create", "it is in doubt (no_answer), so it is looked up before")
    found = told(engine, "p1")
    assert found.live is not None
    assert (found.live.status, found.live.error_class) == ("pending", "OSError")


def test_what_a_person_said_is_told(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    by_hand(engine).forget("g1", ["p1"])
    by_hand(engine).adopt("g1", "p2", "r77")
    assert would(engine, "p1") == ("create", "it is in doubt (forgotten), so it is looked up before")
    assert would(engine, "p2") == ("update", "it is not known what the destination has")
    found = told(engine, "p2")
    assert found.run is None
    assert found.state is not None
    assert found.state.run_id is None


def test_records_that_are_blocked_name_who_blocks_them_and_why(engine: Engine, directory: Directory) -> None:
    directory.rooms.refused["g1"] = Rejected("no_room", "the building is full")
    engine.sync("directory", "g1")
    found = told(engine, '["g1","p1"]', "Members", "directory")
    assert (found.verdict.would, found.verdict.because) == ("wait", "blocked: Rooms 'g1' is failed")
    room, person = found.links
    assert (room.role, room.layer, room.key, room.status, room.error_class, room.error) == (
        "parent", "Rooms", "g1", "failed", "no_room", "the building is full")
    assert (person.role, person.layer, person.status, person.remote_id) == ("reference", "Everybody", "synced", "r2")


def test_a_record_whose_parents_come_first_is_not_called_blocked(engine: Engine) -> None:
    found = told(engine, '["g1","p1"]', "Members", "directory")
    assert found.verdict.would == "create"
    assert found.verdict.because == "once Rooms g1 and Everybody p1 is created, which the same run does first"
    assert [link.in_source for link in found.links] == [True, True]


def test_a_record_that_left_the_source(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    del directory.groups["g1"]["p1"]
    found = told(engine, "p1")
    assert not found.source.present
    assert found.verdict.would == "delete"
    directory.proof = False
    assert would(engine, "p1") == ("none", "the source did not prove that it was read whole, so nothing is deleted")
    assert would(engine, "p99") == ("none", "neither the source nor the state has it")


def test_a_shared_record_names_who_claims_it(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"p1": directory.groups["g1"]["p1"]}
    engine.sync("directory", "g1", "g2")
    assert told(engine, "p1", "Everybody", "directory").claims == ["g1", "g2"]
    del directory.groups["g1"]["p1"]
    found = told(engine, "p1", "Everybody", "directory")
    assert (found.source.present, found.verdict.would, found.scope) == (False, "wait", "acme")


def test_a_delete_that_is_withheld_names_its_question(engine: Engine, directory: Directory) -> None:
    directory.groups["g1"] = {f"p{number}": f"name {number}" for number in range(40)}
    engine.sync("people", "g1")
    directory.groups["g1"] = {f"p{number}": f"name {number}" for number in range(20)}
    assert engine.sync("people", "g1")[0].withheld == 20
    assert told(engine, "p30").deletion == "asked (question 1)"
    assert told(engine, "p1").deletion is None


def test_records_of_one_key_and_records_that_cannot_be_rendered(engine: Engine, directory: Directory) -> None:
    directory.extra = [Person("p1", "another")]
    directory.groups["g1"]["p2"] = object()
    assert would(engine, "p1") == ("none", "the source has several records with this key; neither is sent")
    kind, because = would(engine, "p2")
    assert kind == "none"
    assert because.startswith("it cannot be rendered: TypeError")


def test_a_source_that_fails_leaves_what_the_state_says(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.fail_after = 2
    found = told(engine, "p1")
    assert (found.verdict.would, found.source.error) == ("unknown", "OSError: the source broke off")
    assert found.state is not None


def test_the_destination_is_asked_only_if_asked_to(
    engine: Engine, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.sync("people", "g1")
    directory.people.calls.clear()
    remote = told(engine, "p1", remote=True).remote
    assert remote is not None
    assert (remote.found, remote.read, remote.error) == (["r2"], False, None)
    assert directory.people.calls == [("find", ["name 1"])]

    async def read(self: Any, run: Any) -> AsyncIterator[Any]:
        for remote_id, record in self.records.items():
            yield remote_id, record["match"], {"name": "by hand" if remote_id == "r2" else record["match"]}, "parent"

    monkeypatch.setattr(type(directory.people), "read", read, raising=False)
    found = told(engine, "p1", remote=True)
    assert found.remote is not None
    assert (found.remote.held, found.remote.differs) == ({"name": "by hand"}, ["name"])
    hidden = found.without_values()
    assert hidden.remote is not None
    assert (hidden.remote.held, hidden.match) == (["name"], None)

    def fetch(self: Any, remote_ids: list[str], run: Any) -> dict[str, Any]:
        self.calls.append(("fetch", remote_ids))
        return {remote_id: {"name": "fetched"} for remote_id in remote_ids}

    monkeypatch.setattr(type(directory.people), "fetch", fetch, raising=False)
    fetched = told(engine, "p1", remote=True).remote
    assert fetched is not None
    assert (fetched.held, directory.people.calls[-1]) == ({"name": "fetched"}, ("fetch", ["r2"]))  # and nothing is read

    def down(self: Any, values: Any, run: Any) -> Any:
        raise Unavailable("down")

    monkeypatch.setattr(type(directory.people), "find", down)
    remote = told(engine, "p1", remote=True).remote
    assert remote is not None
    assert remote.error == "Unavailable: down"
