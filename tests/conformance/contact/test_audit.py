"""An audit tells what changed in the source from what somebody changed at the destination, or what that rewrites."""

from typing import Any

import pytest

from penstock.domain.options import Audit, RunOptions
from penstock.sync.state.findings import Audited, Findings, audited
from penstock.sync.state.runs import RunRow, latest_runs
from tests.conformance.contact.conftest import Answering, Askable, Fetchable, Opened, Post, Readable

KINDS = pytest.mark.parametrize("kind", [Readable, Fetchable, Askable])


def audit(post: Post, **options: Any) -> tuple[RunRow, Findings]:
    asked = RunOptions.of(audit=Audit(**options))
    post.app.request([{"sync": "parcels", "subject": "depot", "account": "acme", "priority": 0, "reason": "audit",
                       "options": asked.text}])
    post.settle_all()
    [run] = latest_runs(post.app.store, "parcels", ["depot"])[0]
    found = place(post).findings
    return run, found if found is not None else Findings()


def place(post: Post) -> Audited:
    [layer] = audited(post.app.store, post.app.definition("parcels"), post.app.subject("parcels", "depot"))
    return layer


def sent(post: Post, *keys: str) -> str:
    """Synchronise some keys; the remote id of the first."""
    post.parcels.put(*keys)
    post.run()
    post.depot.calls.clear()
    return str(post.state("Post")[keys[0]][1])


@KINDS
def test_each_verdict_is_told_and_nothing_is_sent(post: Opened, kind: type[Readable]) -> None:
    engine = post(kind())
    sent(engine, "a", "b", "c", "d")
    ids = {key: str(id) for key, (_, id, _) in engine.state("Post").items()}
    engine.depot.records[ids["a"]]["weight"] = 7
    del engine.depot.records[ids["b"]]
    engine.parcels.put("c", weight=2)
    engine.depot.hold("z street")
    run, found = audit(engine)
    unmanaged = {"unmanaged": 1} if kind is not Askable else {}
    assert found.counts == {"drifted": 1, "missing": 1, "source_changed": 1, "in_step": 1, **unmanaged}
    assert found.first["drifted"] == [("a", ["weight"])]
    assert found.fields == {"drifted": {"weight": 1}}
    assert found.first["missing"] == [("b", [])]
    assert found.first.get("unmanaged", [("z street", [])]) == [("z street", [])]
    assert (run.status, run.write_calls, engine.depot.writes, found.wrong) == ("succeeded", 0, [], 2)
    assert place(engine).audited_at == engine.clock.now_ms
    assert engine.run().updated == 1  # what drifted is left for whoever repairs it


@KINDS
def test_a_repair_sends_again_what_drifted_and_creates_what_is_missing(post: Opened, kind: type[Readable]) -> None:
    engine = post(kind())
    sent(engine, *(f"p{number:02}" for number in range(30)))
    ids = {key: str(id) for key, (_, id, _) in engine.state("Post").items()}
    engine.depot.records[ids["p03"]]["weight"] = 7
    del engine.depot.records[ids["p05"]]
    engine.parcels.put("p07", weight=2)
    engine.depot.hold("z street")
    run, found = audit(engine, repair=True)
    assert (engine.depot.sent("update"), engine.depot.sent("create"), engine.depot.deleted) == (["p03"], ["p05"], [])
    assert (run.updated, run.created, found.repaired, found.wrong) == (1, 1, 2, 0)
    assert engine.depot.records[ids["p03"]]["weight"] == 1
    _, found = audit(engine)
    assert found.counts == {"in_step": 29, "source_changed": 1, **({"unmanaged": 1} if kind is not Askable else {})}
    assert engine.run().updated == 1


def test_what_is_put_right_is_drifted_again_when_somebody_changes_it_again(post: Opened) -> None:
    engine = post(Readable())
    remote_id = sent(engine, "a", "b", "c")
    for _ in range(2):
        engine.depot.records[remote_id]["weight"] = 7
        assert audit(engine, repair=True)[1].counts == {"in_step": 2, "drifted": 1}
        assert engine.depot.records[remote_id]["weight"] == 1
        assert audit(engine)[1].counts == {"in_step": 3}


def test_what_the_destination_answered_that_it_rewrites_is_not_repaired(post: Opened) -> None:
    engine = post(Answering(shouts=frozenset({"address"})))
    remote_id = sent(engine, "a", "b")
    _, found = audit(engine, repair=True)
    assert found.counts == {"rewritten": 2}
    assert found.first["rewritten"][0] == ("a", ["address"])
    assert (engine.depot.writes, found.wrong) == ([], 0)
    engine.depot.records[remote_id]["weight"] = 9
    _, found = audit(engine)
    assert (found.counts, found.first["drifted"]) == ({"rewritten": 1, "drifted": 1}, [("a", ["weight"])])


def test_what_is_as_it_was_before_a_repair_is_rewritten_and_not_repaired_twice(post: Opened) -> None:
    engine = post(Readable(shouts=frozenset({"address"})))
    sent(engine, "a", "b")
    assert audit(engine, repair=True)[1].counts == {"drifted": 2}
    assert engine.depot.sent("update") == ["a", "b"]
    _, found = audit(engine, repair=True)
    assert found.counts == {"rewritten": 2}
    assert engine.depot.sent("update") == ["a", "b"]


def test_an_audit_stops_when_its_calls_are_used_up_and_the_next_goes_on_from_there(post: Opened) -> None:
    engine = post(Fetchable(), batch_size=2)
    sent(engine, "a", "b", "c", "d", "e")
    run, found = audit(engine, calls=2)
    assert (run.read_calls, found.counts, place(engine).audited_at) == (2, {"in_step": 4}, None)
    assert place(engine).begun_at == engine.clock.now_ms
    engine.clock.advance(60)
    _, found = audit(engine, calls=2)
    assert (found.counts, place(engine).audited_at, place(engine).begun_at) == (
        {"in_step": 5}, engine.clock.now_ms, None)
    assert len(engine.depot.fetched) == 3
    assert audit(engine, calls=2)[1].counts == {"in_step": 4}  # from the beginning again


def test_what_can_be_read_within_the_calls_is_read_which_shows_more(post: Opened) -> None:
    engine = post(Fetchable(), batch_size=2)
    sent(engine, "a", "b", "c", "d", "e")
    engine.depot.hold("z street")
    assert audit(engine, calls=3)[1].counts == {"in_step": 5, "unmanaged": 1}
    assert engine.depot.fetched == []


@KINDS
def test_a_destination_that_seems_empty_is_not_filled_again_unless_somebody_says_so(
        post: Opened, kind: type[Readable]) -> None:
    engine = post(kind())
    sent(engine, "a", "b", "c")
    held, engine.depot.records = engine.depot.records, {}
    run, found = audit(engine, repair=True)
    assert (run.status, run.error_class, engine.depot.writes) == ("succeeded", "RepairsWithheld", [])
    assert "Post: 3 of 3 records are not at the destination; none is created again" in str(run.error)
    assert (found.counts, found.wrong, found.withheld) == ({"missing": 3}, 3, run.error)
    engine.depot.records = held
    assert audit(engine)[1].counts == {"in_step": 3}
    engine.depot.records = {}
    run, found = audit(engine, repair=True, force=True)
    assert (run.created, found.repaired, len(engine.depot.records)) == (3, 3, 3)


def test_what_left_both_the_source_and_the_destination_is_not_missing(post: Opened) -> None:
    engine = post(Readable())
    remote_id = sent(engine, "a", "b", "c")
    del engine.depot.records[remote_id], engine.parcels.parcels["a"]
    _, found = audit(engine, repair=True)
    assert (found.counts, engine.depot.writes) == ({"in_step": 2, "source_changed": 1}, [])


def test_a_repair_that_is_broken_off_is_taken_up_again(post: Opened) -> None:
    engine = post(Readable())
    remote_id = sent(engine, "a", "b", "c")
    engine.depot.records[remote_id]["weight"] = 7
    engine.depot.before = {1: OSError("connection refused")}
    run, _ = audit(engine, repair=True)
    assert (run.status, run.error_class) == ("pending", "OSError")
    engine.depot.before = {}
    engine.clock.advance(60)
    engine.settle_all()
    assert engine.depot.records[remote_id]["weight"] == 1
    assert audit(engine)[1].counts == {"in_step": 3}


def test_an_audit_never_folds_with_a_run_nor_beside_one(post: Opened) -> None:
    engine = post(Readable(), "a")
    asked = RunOptions.of(audit=Audit()).text
    ask = {"sync": "parcels", "subject": "depot", "account": "acme", "priority": 0, "reason": "test"}
    engine.app.request([ask, {**ask, "options": asked}])
    engine.dispatch()
    assert engine.clock.fetch("select status, options from penstock.sync_runs") == [("running", "")]
    engine.settle_all()
    assert engine.clock.fetch("select status, options from penstock.sync_runs order by id") == [
        ("succeeded", ""), ("succeeded", asked)]


def test_without_field_digests_only_what_was_answered_is_told(post: Opened) -> None:
    engine = post(Readable(), field_digests=False)
    remote_id = sent(engine, "a", "b", "c")
    assert audit(engine)[1].counts == {"untold": 3}
    del engine.depot.records[remote_id]
    assert audit(engine)[1].counts == {"untold": 2, "missing": 1}


def test_an_audit_is_a_first_contact_too(post: Opened) -> None:
    engine = post(Readable())
    engine.depot.hold("a street", "z street")
    assert audit(engine)[1].counts == {"unmanaged": 2}
    engine.parcels.put("a")
    assert engine.run().skipped == 1
    assert engine.depot.reads == 1
    assert engine.state("Post")["a"] == ("synced", "h1", None)


def test_what_is_unmanaged_and_goes_is_forgotten(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("y street", "z street")
    engine.run()
    del engine.depot.records["h1"]
    engine.clock.advance(60)
    _, found = audit(engine)
    assert (found.counts, found.first["unmanaged"]) == ({"in_step": 1, "unmanaged": 1}, [("z street", [])])
