"""A destination that holds records already: what is surely one of the source is adopted, the rest is left alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner

from penstock.cli.state import _print as print_rows
from penstock.domain.keys import observed_key, spoken_key
from penstock.sync.declaring.address import layer_of
from penstock.sync.serving.preview import preview
from penstock.sync.surgery import Surgery, show
from penstock.sync.telling.why import why
from tests.conformance.contact.conftest import Opened, Post, Readable
from tests.conformance.test_bound_to_a_plan import apply, planned


def observed(post: Post) -> list[tuple[str, str | None]]:
    """(value, remote id) of what is unmanaged."""
    return sorted((spoken_key(key), id) for key, (status, id, _) in post.state("Post").items() if status == "observed")


def test_what_matches_one_record_is_adopted_and_sent_only_where_it_differs(post: Opened) -> None:
    engine = post(Readable(), "a", "b", "c")
    engine.depot.hold("a street", "c street")
    engine.depot.hold("b street", weight=9)
    engine.depot.hold("z street")
    run = engine.run()
    assert (run.created, run.updated, run.skipped, run.failed) == (0, 1, 2, 0)
    assert engine.depot.calls == [("update", ["b"])]
    assert engine.rows("status, remote_id") == {
        "a": ("synced", "h1"), "b": ("synced", "h3"), "c": ("synced", "h2"),
        observed_key("z street", "h4"): ("observed", "h4")}
    again = engine.run()
    assert (again.updated, again.skipped, engine.depot.reads) == (0, 3, 1)


def test_what_was_only_observed_is_never_touched(post: Opened) -> None:
    engine = post(Readable(), "a", "b")
    engine.depot.hold("y street", "z street")
    engine.run()
    engine.parcels.parcels.pop("b")
    run = engine.run()
    assert run.deleted == 1
    assert engine.depot.deleted == [["b"]]
    assert observed(engine) == [("y street", "h1"), ("z street", "h2")]


def test_what_comes_later_is_adopted_the_same_way(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("late street")
    engine.run()
    engine.parcels.put("late")
    run = engine.run()
    assert (run.created, run.skipped, engine.depot.reads) == (0, 2, 1)
    assert engine.state("Post")["late"] == ("synced", "h1", None)
    assert observed(engine) == []


def test_several_at_the_destination_are_for_a_person(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("a street", "a street")
    run = engine.run()
    assert (run.failed, engine.depot.calls) == (1, [])
    assert engine.rows("status, error_class, error")["a"] == (
        "in_doubt", "ambiguous", "2 records at the destination match it (h1, h2); say which it is with `penstock state"
                                 " adopt`, or make them differ")
    definition = engine.app.definition("parcels")
    Surgery(engine.app.store, definition, layer_of(definition, "Post")).adopt("depot", "a", "h2")
    assert engine.run().updated == 1
    assert engine.state("Post")["a"] == ("synced", "h2", None)
    assert observed(engine) == [("a street", "h1")]


def test_several_in_the_source_are_for_a_person_however_far_apart(post: Opened) -> None:
    engine = post(Readable(), "a", *(f"m{number:04}" for number in range(1100)), "z")
    engine.parcels.parcels["z"].address = "a street"
    engine.depot.hold("a street")
    assert engine.run().failed == 2
    assert {engine.state("Post")[key] for key in "az"} == {("in_doubt", None, "ambiguous")}
    assert {"a", "z"}.isdisjoint(engine.depot.sent("create"))
    engine.parcels.parcels["z"].address = "z street"  # that ends it: nothing of either was ever sent
    run = engine.run()
    assert (run.created, run.skipped, run.failed) == (1, 1101, 0)
    assert engine.state("Post")["a"] == ("synced", "h1", None)


def test_who_leaves_the_source_while_it_is_unclear_is_forgotten(post: Opened) -> None:
    engine = post(Readable(), "a", "b")
    engine.depot.hold("a street", "a street")
    engine.run()
    engine.parcels.parcels.pop("a")
    engine.run()
    assert "a" not in engine.state("Post")
    assert engine.depot.deleted == []


@pytest.mark.parametrize("mode", ["create_only", "update_only"])
def test_modes_do_no_more_than_they_may(post: Opened, mode: str) -> None:
    depot = Readable(find=lambda values, run: {})
    engine = post(depot, "a", "b", mode=mode)
    depot.hold("a street", weight=5)
    run = engine.run()
    assert (run.created, run.updated) == ((1, 0) if mode == "create_only" else (0, 1))
    assert engine.state("Post")["a"] == ("synced", "h1", None)


def test_a_contact_that_is_broken_off_sends_nothing_and_begins_anew(post: Opened) -> None:
    engine = post(Readable(), "a", "b", "c")
    engine.depot.hold("a street", "gone street", "c street")
    engine.depot.breaks = 1
    run = engine.run()
    assert (run.status, run.error_class, engine.depot.calls) == ("pending", "OSError", [])
    assert observed(engine) == [("a street", "h1"), ("gone street", "h2")]
    engine.depot.breaks = None
    del engine.depot.records["h2"]
    engine.clock.advance(60)
    engine.settle_all()
    assert (engine.depot.reads, engine.depot.sent("create")) == (2, ["b"])
    assert observed(engine) == []


def test_a_contact_whose_worker_died_begins_anew(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("a street", "z street", "y street")
    engine.depot.breaks = 1
    engine.app.request([{"sync": "parcels", "subject": "depot", "account": "acme", "priority": 0, "reason": "test"}])
    engine.dispatch()
    [job] = engine.claim()
    engine.executor.run(engine.attempt(job))  # what it has come to is never settled
    engine.depot.breaks = None
    engine.clock.advance(60)
    engine.register()
    engine.settle_all()
    engine.clock.advance(600)
    engine.settle_all()
    assert (engine.depot.calls, observed(engine)) == ([], [("y street", "h3"), ("z street", "h2")])


def test_a_plan_says_that_the_destination_is_read_first_and_reads_nothing(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("a street")
    definition, subject = engine.app.definition("parcels"), engine.app.subject("parcels", "depot")
    with preview(engine.app.store, definition, subject) as [plan]:
        assert (plan.unread, plan.summary()["create"], engine.depot.reads) == (True, 1, 0)
    engine.run()
    with preview(engine.app.store, definition, subject) as [plan]:
        assert not plan.unread


def test_why_says_what_is_adopted_and_what_cannot_be(post: Opened) -> None:
    engine = post(Readable(), "x")
    engine.depot.hold("a street", "b street", "b street")
    engine.depot.hold("c street", weight=3)
    engine.run()
    engine.parcels.put("a", "b", "c")
    definition, subject = engine.app.definition("parcels"), engine.app.subject("parcels", "depot")

    def told(key: str) -> tuple[str, str]:
        verdict = why(engine.app.store, definition, subject, layer_of(definition, "Post"), key).verdict
        return verdict.would, verdict.because

    assert told("a") == ("skip", "the destination has it already, just so, as h1; it is adopted")
    assert told("c") == ("update", "the destination has one record that matches it, h4; it is adopted")
    assert told("b")[0] == "wait"
    assert "h2, h3" in told("b")[1]


def test_unmanaged_records_are_shown_by_what_they_are_called(post: Opened) -> None:
    engine = post(Readable(), "a")
    engine.depot.hold("z street")
    engine.run()
    rows = [row for page in show(engine.app.store, layer_of(engine.app.definition("parcels"), "Post"),
                                 status="observed") for row in page]
    with CliRunner().isolation() as streams:
        print_rows(iter(rows))
        text = streams[0].getvalue().decode()
    assert "\tz street\tobserved\th1\t" in text


def test_an_async_read_is_read_as_well(post: Opened) -> None:
    async def read(run: Any) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
        yield "h1", "a street", {"address": "a street", "weight": 1}

    engine = post(Readable(read=read), "a")
    run = engine.run()
    assert (run.created, run.skipped, run.read_calls) == (0, 1, 1)


def test_what_a_read_says_of_its_parent_tells_namesakes_apart(post: Opened) -> None:
    engine = post(Readable(read=lambda run: [("h1", "a street", {"address": "a street", "weight": 1}, "elsewhere")]),
                  "a")
    assert engine.run().created == 1  # a layer without a parent has none elsewhere


def test_a_read_that_lacks_what_it_says_it_gave_is_not_believed(post: Opened) -> None:
    def read(run: Any) -> Any:
        from penstock.sync import Complete
        yield "h1", "a street", {}
        return Complete(2)

    engine = post(Readable(read=read), "a")
    run = engine.run()
    assert (run.status, run.error_class, engine.depot.calls) == ("pending", "DestinationError", [])
    assert "complete with 2 records, but gave 1" in str(run.error)


def test_what_every_update_sets_is_set_where_a_record_is_alike_but_for_that(post: Opened) -> None:
    engine = post(Readable(implies={"open": True}), "a", "b", "c")
    engine.depot.hold("a street", "b street", "c street")
    engine.depot.records["h1"]["open"] = False  # as somebody is who was switched off
    engine.depot.records["h2"]["open"] = True
    run = engine.run()
    assert (run.updated, run.skipped, engine.depot.sent("update")) == (1, 2, ["a"])


@pytest.mark.parametrize("contacted", [True, False])
def test_a_plan_holds_for_adoptions_too(post: Opened, contacted: bool) -> None:
    engine = post(Readable(), *(["x"] if contacted else []))
    engine.depot.hold("a street", weight=3)
    if contacted:
        engine.run()
    engine.parcels.put("a", "b")
    file = planned(engine, "parcels", "depot")
    engine.depot.calls.clear()
    run = apply(engine, file, "parcels", "depot")
    assert (run.created, engine.depot.sent("create")) == (1, ["b"])
    assert engine.depot.sent("update") == (["a"] if contacted else [])
    assert run.error == (None if contacted else "1 of 2 changes moved since the plan was made: Post a is to be adopted"
                                                " now, not created")
    assert engine.run().status == "succeeded"
    assert engine.state("Post")["a"] == ("synced", "h1", None)


def test_what_another_subject_manages_is_neither_adopted_nor_pruned(post: Opened) -> None:
    engine = post(Readable(), "a", subjects=["s1", "s2"], prune_unmanaged=True)
    engine.sync("parcels", "s1")
    engine.parcels.put("b")
    engine.depot.hold("z street")
    engine.sync("parcels", "s2")
    rows = engine.clock.fetch(f"select scope, key, remote_id from penstock.{engine.app.layer_tables[0].state}"
                              " order by scope, key")
    assert rows == [("s1", "a", "r1"), ("s2", observed_key("z street", "h1"), "h1"), ("s2", "a", "r2"),
                    ("s2", "b", "r3")]
    engine.sync("parcels", "s1")  # makes a b of its own
    engine.sync("parcels", "s2")
    assert [keys for verb, keys in engine.depot.calls if verb == "delete"] == [[observed_key("z street", "h1")]]
    assert sorted(engine.depot.records) == ["r1", "r2", "r3", "r4"]
