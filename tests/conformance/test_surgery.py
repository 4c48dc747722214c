"""State surgery: what a person says of records holds, and no window writes over it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest

from penstock.domain.errors import RunAtWork, SurgeryRefused, Unavailable
from penstock.queue.claim import settle
from penstock.store.statements import statement
from penstock.sync.declaring.address import layer_of
from penstock.sync.surgery import Surgery, show
from tests.conformance.sync_app import Directory
from tests.conformance.test_run_options import only, run
from tests.engine import Engine


def surgery(engine: Engine, layer: str = "People", sync: str = "people") -> Surgery:
    definition = engine.app.definition(sync)
    return Surgery(engine.app.store, definition, layer_of(definition, layer))


def keys(directory: Directory) -> list[str]:
    return sorted(record["key"] for record in directory.people.records.values())


def test_a_forgotten_record_is_looked_up_and_not_created_twice(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    surgery(engine).forget("g1", ["p1", "p2"])
    assert engine.state("People")["p1"] == ("in_doubt", None, "forgotten")
    [again] = engine.sync("people", "g1")
    assert (again.created, again.updated, again.skipped) == (0, 2, 5)
    assert keys(directory) == sorted(directory.groups["g1"])
    assert engine.state("People")["p1"] == ("synced", "r2", None)


def test_a_forgotten_record_that_is_not_there_is_created(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    del directory.people.records["r2"]
    surgery(engine).forget("g1", ["p1"])
    assert engine.sync("people", "g1")[0].created == 1
    assert keys(directory) == sorted(directory.groups["g1"])


@pytest.mark.parametrize("finds", [True, False])
def test_what_cannot_or_need_not_be_looked_up_is_created_anew(
    engine: Engine, directory: Directory, finds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.sync("people", "g1")
    if not finds:
        monkeypatch.delattr(type(directory.people), "find")
    surgery(engine).forget("g1", ["p1"], anew=finds)
    assert "p1" not in engine.state("People")
    assert engine.sync("people", "g1")[0].created == 1
    assert len(directory.people.records) == 8  # whoever says so is believed


def test_a_forgotten_record_that_left_the_source_is_left_alone(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    surgery(engine).forget("g1", ["p1"])
    del directory.groups["g1"]["p1"]
    engine.sync("people", "g1")
    assert "p1" not in engine.state("People")
    assert len(directory.people.records) == 7
    assert directory.people.named("delete") == []


def test_adopting_ends_a_doubt(engine: Engine, directory: Directory) -> None:
    directory.people.lost = OSError("connection reset")
    engine.sync("people", "g1")
    directory.people.records["x"] = {"match": "name 0", "key": "p0"}
    engine.clock.advance(60)
    engine.settle_all()
    assert engine.state("People")["p0"] == ("in_doubt", None, "ambiguous")
    surgery(engine).adopt("g1", "p0", "x")
    [again] = engine.sync("people", "g1")
    assert (again.created, again.updated, again.failed) == (0, 1, 0)
    assert directory.people.records["x"]["payload"] == {"name": "name 0"}
    assert engine.state("People")["p0"] == ("synced", "x", None)


def test_a_record_without_a_row_may_be_adopted(engine: Engine, directory: Directory) -> None:
    directory.people.records["x"] = {"match": "name 0", "key": "p0"}
    surgery(engine).adopt("g1", "p0", "x")
    [first] = engine.sync("people", "g1")
    assert (first.created, first.updated) == (6, 1)


def test_a_remote_id_that_another_row_holds_is_not_adopted(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    with pytest.raises(SurgeryRefused, match=r"People 'p2' of subject g1 holds the remote id 'r3': forget it first"):
        surgery(engine).adopt("g2", "p1", "r3")
    surgery(engine).adopt("g1", "p2", "r3")  # its own
    assert engine.sync("people", "g1")[0].updated == 1


def test_a_record_whose_key_changed_stays_the_same_at_the_destination(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    people = directory.groups["g1"]
    people["E1"] = people.pop("p1")
    surgery(engine).move("g1", "p1", to_key="E1")
    [again] = engine.sync("people", "g1")
    assert (again.created, again.updated, again.deleted, again.skipped) == (0, 0, 0, 7)
    assert engine.state("People")["E1"] == ("synced", "r2", None)


def test_a_record_moves_to_another_subject(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.groups["g2"] = {"p1": directory.groups["g1"].pop("p1")}
    surgery(engine).move("g1", "p1", to_scope="g2")
    runs = engine.sync("people", "g1", "g2")
    assert [(run.created, run.updated, run.deleted) for run in runs] == [(0, 0, 0)] * 2
    assert len(directory.people.records) == 7


def test_children_follow_a_parent_whose_key_changed(engine: Engine) -> None:
    engine.sync("directory", "g1")
    surgery(engine, "Rooms", "directory").move("g1", "g1", to_key="G1")
    parents = engine.clock.fetch("select distinct parent_key from penstock.state_directory__members")
    assert parents == [("G1",)]


@pytest.mark.parametrize(("key", "new", "message"), [
    ("p1", {"to_key": "p2"}, "'p2' of subject g1 is there already .synced, remote id r3.: a move would lose it"),
    ("p1", {"to_key": "p1"}, "expected a record of subject g1 and a new key or scope"),
    ("p8", {"to_key": "p9"}, "expected a record of subject g1 and a new key or scope"),
])
def test_a_move_that_cannot_be_is_refused(engine: Engine, key: str, new: dict[str, str], message: str) -> None:
    engine.sync("people", "g1")
    before = engine.state("People")
    with pytest.raises(SurgeryRefused, match=message):
        surgery(engine).move("g1", key, **new)
    assert engine.state("People") == before


def test_a_shared_record_that_moves_to_another_account_is_claimed_by_nobody(engine: Engine) -> None:
    engine.sync("directory", "g1")
    surgery(engine, "Everybody", "directory").move("acme", "p1", to_scope="other")
    assert engine.clock.fetch("select count(*) from penstock.state_directory__everybody_claims") == [(6,)]
    surgery(engine, "Everybody", "directory").forget("acme", ["p2"], anew=True)
    assert engine.clock.fetch("select count(*) from penstock.state_directory__everybody_claims") == [(5,)]


def test_a_key_of_several_scopes_has_to_be_told_apart(engine: Engine, directory: Directory) -> None:
    directory.groups["g2"] = {"p1": "another"}
    engine.sync("people", "g1", "g2")
    with pytest.raises(SurgeryRefused, match=r"'p1' is in several scopes \(g1, g2\): say which with --subject"):
        surgery(engine).find(["p1"])
    assert [row.scope for row in surgery(engine).find(["p1"], "g2")] == ["g2"]
    assert [row.scope for row in surgery(engine).find(["p3", "p2"])] == ["g1", "g1"]
    with pytest.raises(SurgeryRefused, match="the state of People of subject g1 has no 'p9', 'p8': look at"):
        surgery(engine).find(["p9", "p1", "p8"], "g1")


CHANGES: list[Callable[[Surgery], None]] = [
    lambda by_hand: by_hand.forget("g1", ["p1"]), lambda by_hand: by_hand.adopt("g1", "p1", "x"),
    lambda by_hand: by_hand.move("g1", "p1", to_key="E1"), lambda by_hand: by_hand.move("g0", "p1", to_scope="g1"),
]


@pytest.mark.parametrize("change", CHANGES, ids=["forget", "adopt", "move", "move there"])
def test_nothing_is_changed_under_a_window_that_is_at_work(
    engine: Engine, directory: Directory, change: Callable[[Surgery], None]
) -> None:
    engine.sync("people", "g1")
    before = engine.state("People")
    directory.groups["g1"]["p1"] = "changed"
    update = directory.people.update

    def meanwhile(changes: Any, run: Any) -> Any:
        with pytest.raises(RunAtWork, match="run 2 of g1 is at work on subject g1: expected none"):
            change(surgery(engine))
        return update(changes, run)

    directory.people.update = meanwhile  # type: ignore[method-assign]
    assert engine.sync("people", "g1")[0].status == "succeeded"
    assert engine.state("People") == before


def test_another_subject_at_work_is_no_matter_unless_the_account_is_shared(
    engine: Engine, directory: Directory
) -> None:
    directory.groups["g2"] = {"q1": "q"}
    engine.sync("people", "g1")
    engine.sync("directory", "g1")
    engine.app.request([{"sync": "directory", "subject": "g2", "account": "acme", "priority": 0, "reason": ""}])
    engine.dispatch()
    [job] = engine.claim()
    create = directory.rooms.create

    def meanwhile(changes: Any, run: Any) -> Any:
        surgery(engine, "Rooms", "directory").forget("g1", ["g1"])
        surgery(engine).forget("g1", ["p1"])
        with pytest.raises(RunAtWork, match="run 3 of g2 is at work on account acme"):
            surgery(engine, "Everybody", "directory").forget("acme", ["p1"])
        return create(changes, run)

    directory.rooms.create = meanwhile  # type: ignore[method-assign]
    settle(engine.app.store, [engine.execute(job)])
    assert sorted(engine.state("Rooms")) == ["g1", "g2"]
    assert engine.state("Rooms")["g1"] == ("in_doubt", None, "forgotten")


def test_no_window_begins_while_a_change_is_made(
    engine: Engine, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is admitted already cannot be taken up before the change is committed, and none can be admitted."""
    engine.sync("people", "g1")
    engine.app.request([{"sync": "people", "subject": "g1", "account": "acme", "priority": 0, "reason": ""}])
    engine.dispatch()
    begin = "update penstock.sync_runs set lease = 99 where subject = 'g1' and status = 'running'"
    seen: list[str] = []

    def meanwhile(self: Surgery, tx: Any, scope: str) -> None:
        seen.append(scope)
        if store_url.startswith("sqlite:"):
            with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"), timeout=0)) as other, \
                    pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("begin immediate")
            return
        with psycopg.connect(store_url, autocommit=True) as other:
            other.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(begin)
            lock = statement("lock_dispatch", "postgres").sql
            assert other.execute(lock, {"idle_ms": 1000}).fetchone()[0] is False  # type: ignore[index]

    monkeypatch.setattr(Surgery, "_reread", meanwhile)
    surgery(engine).forget("g1", ["p1"])
    assert seen == ["g1"]


def test_a_run_that_waits_for_its_window_is_no_matter_and_sees_the_change(
    engine: Engine, directory: Directory
) -> None:
    engine.sync("people", "g1")
    engine.app.request([{"sync": "people", "subject": "g1", "account": "acme", "priority": 0, "reason": ""}])
    engine.dispatch()
    [job] = engine.claim()  # admitted, and about to begin
    surgery(engine).forget("g1", ["p1"])
    settle(engine.app.store, [engine.execute(job)])
    assert engine.state("People")["p1"] == ("synced", "r2", None)
    assert len(directory.people.records) == 7


def test_a_run_that_is_to_be_tried_again_is_no_matter(engine: Engine, directory: Directory) -> None:
    directory.people.before = Unavailable("down", sent=False)
    engine.sync("people", "g1")
    surgery(engine).adopt("g1", "p0", "x")
    directory.people.records["x"] = {"match": "name 0", "key": "p0"}
    engine.clock.advance(60)
    engine.settle_all()
    assert engine.state("People")["p0"] == ("synced", "x", None)
    assert len(directory.people.records) == 7


def test_the_state_is_shown_in_pages(engine: Engine, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.sync.surgery._PAGE", 3)
    directory.groups["g2"] = {"q1": "q"}
    engine.sync("people", "g1", "g2")
    surgery(engine).forget("g1", ["p1"])
    layer = layer_of(engine.app.definition("people"), "People")

    def shown(**options: Any) -> list[tuple[str, str]]:
        return [(row.scope, row.key) for page in show(engine.app.store, layer, **options) for row in page]

    every = [("g1", f"p{number}") for number in range(7)] + [("g2", "q1")]
    assert shown() == every
    assert shown(after=("g1", "p5")) == every[6:]
    assert shown(scope="g2") == every[7:]
    assert shown(scope="g1", status="synced") == [place for place in every[:7] if place[1] != "p1"]
    [[row]] = show(engine.app.store, layer, status="in_doubt")
    assert (row.key, row.error_class, row.sent, row.run_id, row.changed_at) == (
        "p1", "forgotten", False, None, engine.clock.now_ms)


def test_only_what_was_forgotten_can_be_sent(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    surgery(engine).forget("g1", ["p1", "p2"])
    assert run(engine, "people", only("People:p1")).updated == 1
    assert [engine.state("People")[key][0] for key in ("p1", "p2")] == ["synced", "in_doubt"]


@pytest.mark.parametrize("table", ["buckets", "cursors"])
def test_a_change_has_its_records_read_though_the_source_did_not_change(engine: Engine, table: str) -> None:
    """What says of a scope that it need not be read is forgotten; of another scope, or layer, it stays."""
    engine.sync("directory", "g1")
    columns = {"buckets": "number, row_count, version", "cursors": "cursor"}[table]
    values = {"buckets": "0, 1, 'v'", "cursors": "'1'"}[table]
    for layer, scope in (("rooms", "g1"), ("rooms", "g2"), ("members", "g1"), ("everybody", "acme")):
        params = {"layer_table": f"state_directory__{layer}", "scope": scope, "subject": scope}
        engine.clock.fetch(f"insert into penstock.{table} (layer_table, scope, subject, {columns}) values"
                           f" ('{params['layer_table']}', '{scope}', '{scope}', {values}) returning layer_table")
    surgery(engine, "Rooms", "directory").forget("g1", ["g1"])
    left = engine.clock.fetch(f"select layer_table, scope from penstock.{table} order by layer_table, scope")
    assert left == [("state_directory__everybody", "acme"), ("state_directory__rooms", "g2")]
