"""A run of everything again, or of only some of it: what it sends, what it leaves, and that nothing folds with it."""

import contextlib
import json
import re
import sqlite3
from typing import Any

import psycopg
import pytest

from penstock.domain.errors import ConfigurationError, Unavailable
from penstock.domain.options import RunOptions, Target
from penstock.domain.records import Rejected
from penstock.queue.claim import settle
from penstock.sync.state.runs import RunRow, latest_runs
from tests.conformance.sync_app import Directory
from tests.engine import Engine

FULL = RunOptions.of(full=True)


def only(*targets: str, full: bool = False) -> RunOptions:
    parts = [target.partition(":") for target in targets]
    return RunOptions.of(full, [Target(layer, key if colon else None) for layer, colon, key in parts])


def ask(engine: Engine, sync: str, options: RunOptions | None = None, priority: int = 0, subject: str = "g1") -> None:
    engine.app.request([{"sync": sync, "subject": subject, "account": "acme", "priority": priority, "reason": "test",
                         "options": options.text if options else ""}])


def run(engine: Engine, sync: str, options: RunOptions, subject: str = "g1") -> RunRow:
    ask(engine, sync, options, subject=subject)
    engine.settle_all()
    return latest_runs(engine.app.store, sync, [subject])[0][0]


def kept(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.clock.fetch("select status, priority, options from penstock.sync_runs order by id")


def test_full_sends_every_record_again_and_deletes_nothing(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    del directory.groups["g1"]["p3"]
    directory.groups["g1"]["p9"] = "new"
    again = run(engine, "people", FULL)
    assert (again.status, again.created, again.updated, again.deleted, again.skipped) == ("succeeded", 1, 6, 0, 0)
    assert directory.people.named("delete") == []
    [after] = engine.sync("people", "g1")
    assert (after.updated, after.skipped, after.deleted) == (0, 7, 1)


def test_full_sends_all_fields_though_none_changed(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    told: list[Any] = []
    update = directory.people.update

    def watched(changes: Any, run: Any) -> Any:
        told.extend(change.fields for change in changes)
        return update(changes, run)

    directory.people.update = watched  # type: ignore[method-assign]
    run(engine, "people", FULL)
    assert told == [None] * 7


def test_a_full_run_that_was_stopped_goes_on_from_there(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.people.calls.clear()
    ask(engine, "people", FULL)
    engine.dispatch()
    [job] = engine.claim()
    update = directory.people.update

    def stopped(changes: Any, run: Any) -> Any:
        engine.stopping.set()
        return update(changes, run)

    directory.people.update = stopped  # type: ignore[method-assign]
    settle(engine.app.store, [engine.execute(job)])
    directory.people.update = update  # type: ignore[method-assign]
    engine.stopping.clear()
    engine.settle_all()
    assert sorted(directory.people.named("update")) == sorted(directory.groups["g1"])


def test_full_sends_a_failed_record_though_it_should_wait(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p2"] = Rejected("too_long", "the name is too long")
    engine.sync("people", "g1")
    directory.people.refused.clear()
    assert engine.sync("people", "g1")[0].failed == 1
    assert run(engine, "people", FULL).created == 1


def test_only_a_layer_reads_and_sends_nothing_else(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    directory.groups["g1"]["p1"] = "changed"
    directory.groups["g1"]["p9"] = "new"
    del directory.groups["g1"]["p2"]
    for remote in (directory.people, directory.rooms, directory.members):
        remote.calls.clear()
    one = run(engine, "directory", only("Members"))
    assert (one.created, one.updated, one.deleted, one.blocked) == (0, 0, 1, 1)  # its own layer may delete
    assert directory.people.calls == directory.rooms.calls == []
    assert run(engine, "directory", only("Everybody")).created == 1
    assert run(engine, "directory", only("Members")).created == 1


def test_only_a_layer_on_which_others_hang_deletes_nothing(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    del directory.groups["g1"]["p2"]
    one = run(engine, "directory", only("Everybody"))
    assert (one.deleted, engine.state("Everybody")["p2"][0]) == (0, "synced")
    assert len(directory.members.records) == 7
    engine.clock.advance(1)
    [rest] = engine.sync("directory", "g1")
    assert rest.deleted == 2


def test_only_one_record_leaves_all_others(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    directory.people.calls.clear()
    directory.groups["g1"] |= {"p1": "changed", "p2": "changed too", "p9": "new"}
    del directory.groups["g1"]["p3"]
    one = run(engine, "people", only("People:p1"))
    assert (one.created, one.updated, one.deleted, one.failed) == (0, 1, 0, 0)
    assert directory.people.calls == [("update", ["p1"])]
    [rest] = engine.sync("people", "g1")
    assert (rest.created, rest.updated, rest.deleted) == (1, 1, 1)


def test_only_one_record_that_did_not_change_is_sent_if_asked(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    assert run(engine, "people", only("People:p1")).skipped == 1
    directory.people.calls.clear()
    again = run(engine, "people", only("People:p1", "People:p4", full=True))
    assert (again.updated, directory.people.calls) == (2, [("update", ["p1", "p4"])])


def test_only_a_record_that_is_not_there_says_so_and_deletes_nothing(engine: Engine, directory: Directory) -> None:
    engine.sync("people", "g1")
    del directory.groups["g1"]["p3"]
    one = run(engine, "people", only("People:p3"))
    assert one.deleted == 0
    assert "no record with the key 'p3' in the source" in (one.error or "")


def test_only_one_record_of_a_shared_layer_claims_nothing(engine: Engine, directory: Directory) -> None:
    engine.sync("directory", "g1")
    claims = engine.clock.fetch("select row_id, subject from penstock.state_directory__everybody_claims")
    directory.groups["g1"]["p1"] = "changed"
    assert run(engine, "directory", only("Everybody:p1")).updated == 1
    assert engine.clock.fetch("select row_id, subject from penstock.state_directory__everybody_claims") == claims


def test_requests_with_other_options_become_runs_of_their_own_in_order(engine: Engine, directory: Directory) -> None:
    for options in (None, FULL, None, only("People:p1"), FULL):
        ask(engine, "people", options)
    engine.settle_all()
    assert [(status, options) for status, _, options in kept(engine)] == [
        ("succeeded", ""), ("succeeded", FULL.text), ("succeeded", only("People:p1").text)]
    assert engine.clock.fetch("select count(*) from penstock.sync_requests") == [(0,)]


def test_a_run_tells_its_options(engine: Engine) -> None:
    assert run(engine, "people", FULL).options == FULL.text
    [ordinary] = engine.sync("people", "g1")
    assert ordinary.options == ""


def test_a_request_does_not_fold_into_a_pending_run_of_other_options(engine: Engine, directory: Directory) -> None:
    directory.people.before = Unavailable("down", sent=False)
    ask(engine, "people", only("People:p1"))
    engine.settle_all()
    assert kept(engine) == [("pending", 0, only("People:p1").text)]
    ask(engine, "people", priority=3)
    ask(engine, "people", only("People:p1"), priority=1)
    engine.settle_all()
    assert kept(engine) == [("pending", 3, only("People:p1").text)]  # as urgent as what waits for it
    assert engine.clock.fetch("select priority, options from penstock.sync_requests") == [(3, "")]
    engine.clock.advance(60)
    engine.settle_all()
    assert [(status, options) for status, _, options in kept(engine)] == [
        ("succeeded", only("People:p1").text), ("succeeded", "")]
    assert len(directory.people.records) == 7


def test_many_requests_that_have_to_wait_hold_up_nobody(engine: Engine, directory: Directory) -> None:
    directory.people.before = Unavailable("down", sent=False)
    ask(engine, "people", FULL)
    engine.settle_all()
    engine.app.request([{"sync": "people", "subject": "g1", "account": "acme", "priority": 0, "reason": "",
                         "options": ""}] * 1100)
    directory.groups["g2"] = {"q1": "q"}
    assert engine.app.dispatcher().step() > 0
    assert engine.sync("people", "g2")[0].status == "succeeded"


def options_of(engine: Engine) -> list[str]:
    return [text for (text,) in engine.clock.fetch("select options from penstock.sync_requests order by id")]


def test_code_asks_for_the_same(engine: Engine, directory: Directory) -> None:
    for options in ({"full": True}, {"only": ["People:p1"]}, {"only": [("People", "p1")]}, {"only": "People"}, {}):
        directory.sync.using(**options).request("g1")
    directory.directory_sync.using(only=[("Members", ("g1", "p,1")), "Members:g1,p2"]).request("g1")
    assert options_of(engine) == [
        FULL.text, only("People:p1").text, only("People:p1").text, only("People").text, "",
        only('Members:["g1","p,1"]', 'Members:["g1","p2"]').text]


def test_code_asks_for_it_within_a_transaction_of_its_own(
    engine: Engine, directory: Directory, store_url: str
) -> None:
    sqlite = store_url.startswith("sqlite:")
    connection: Any = sqlite3.connect(store_url.removeprefix("sqlite:///")) if sqlite else psycopg.connect(store_url)
    with contextlib.closing(connection):
        connection.execute("create table offer (id integer)")
        directory.sync.using(full=True, only=["People"], connection=connection).request("g1")
        assert options_of(engine) == []
        connection.commit()
    assert options_of(engine) == [only("People", full=True).text]


@pytest.mark.parametrize(("wanted", "error"), [
    (["Peopel"], "did you mean 'People'"), ([("People", "")], "expected a key"), (["People:"], "expected a key"),
    ([("People", ("a", "b"))], "People: expected the values of id, got ('a', 'b')"),
])
def test_what_is_no_layer_or_key_is_told_when_it_is_asked_for(
    engine: Engine, directory: Directory, wanted: Any, error: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(error)):
        directory.sync.using(only=wanted).request("g1")
    assert options_of(engine) == []


@pytest.mark.parametrize(("options", "error"), [
    (only("Nowhere"), "expected one of its layers, People, got 'Nowhere'"), (only("Peopel"), "did you mean 'People'"),
])
def test_a_run_for_a_layer_that_is_not_there_does_nothing_else(
    engine: Engine, directory: Directory, options: RunOptions, error: str
) -> None:
    row = run(engine, "people", options)
    assert row.status == "pending"
    assert error in (row.error or "")
    assert directory.people.calls == []


def test_options_that_a_later_version_wrote_are_not_overlooked(engine: Engine, directory: Directory) -> None:
    engine.app.request([{"sync": "people", "subject": "g1", "account": "acme", "priority": 0, "reason": "",
                         "options": json.dumps({"gently": True})}])
    engine.settle_all()
    [(status, _, options)] = kept(engine)
    assert (status, json.loads(options)) == ("pending", {"gently": True})
    assert directory.people.calls == []


@pytest.mark.parametrize("options", [FULL, only("People:p1")])
def test_what_failed_in_such_a_run_is_not_hidden_by_a_source_that_did_not_change(
    engine: Engine, directory: Directory, options: RunOptions
) -> None:
    """What tells that records need not be read was true when they were in step; here one of them no longer is."""
    engine.sync("people", "g1")
    place = "'state_people__people', 'g1', 'g1'"
    for table, columns, values in (("buckets", "number, row_count, version", "0, 7, 'v'"),
                                   ("cursors", "cursor", "'1'")):
        engine.clock.fetch(f"insert into penstock.{table} (layer_table, scope, subject, {columns})"
                           f" values ({place}, {values}) returning scope")
    run(engine, "people", options)
    assert engine.clock.fetch("select scope from penstock.buckets union all select scope from penstock.cursors") == []
