"""In doubt: whatever is lost on the way, no second record is made, and none is given up in silence."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from penstock.sync import Done, Rejected, Throttled
from penstock.sync.state.layer import LayerState
from penstock.sync.window.serve import serve
from tests.conformance.applying.conftest import Opened, Post
from tests.conformance.applying.depot import Depot, Parcel, Searchable

LOST = OSError("connection reset")


def killed(engine: Post) -> None:
    """A window whose worker is killed in the middle of a call; its lease lapses."""
    engine.app.request([{"sync": "parcels", "subject": "depot", "account": "acme", "priority": 0, "reason": "test"}])
    engine.dispatch()
    [job] = engine.claim()
    attempt = engine.attempt(job)
    with pytest.raises(KeyboardInterrupt):
        serve(engine.app.store, engine.app.syncs, engine.app.events, job_id=job.id, lease=job.lease,
              check=attempt.check, remaining=attempt.remaining)
    engine.clock.advance(31)
    engine.app.upkeep().step()
    engine.register()


class TestTheIntent:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_worker_that_is_killed_in_a_call_makes_no_second_record(self, post: Opened, when: str) -> None:
        engine = post(Searchable(**{when: {1: KeyboardInterrupt()}}), "p0", "p1")
        killed(engine)
        assert engine.rows("status") == {}
        [(entries,)] = engine.clock.fetch("select entries from penstock.intents")
        assert [entry[0] for entry in json.loads(entries)] == ["p0", "p1"]
        engine.settle_all()
        assert engine.clock.fetch("select * from penstock.intents") == []
        assert sorted(record["key"] for record in engine.depot.records.values()) == ["p0", "p1"]
        assert {row[0] for row in engine.rows("status").values()} == {"synced"}
        assert engine.run().write_calls == 0

    def test_nothing_is_noted_before_an_update(self, post: Opened) -> None:
        engine = post(Searchable(), "p0")
        engine.run()
        engine.parcels.put("p0", weight=2)
        engine.depot.before = {2: KeyboardInterrupt()}
        before = engine.rows("status, changed_at, digest")
        killed(engine)
        assert engine.rows("status, changed_at, digest") == before

    def test_it_is_one_write_for_each_call(self, post: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = post(Searchable(), *(f"p{number}" for number in range(6)), batch_size=3)
        written: list[tuple[int, set[str]]] = []
        write = LayerState._save

        def noted(self: LayerState, marks: Any, counts: Any, gone: Any, also: Any) -> None:
            write(self, marks, counts, gone, also)
            written.append((len(self._intended), {str(mark.status) for mark in marks}))

        monkeypatch.setattr(LayerState, "_save", noted)
        engine.run()
        assert [each for each in written if each != (0, set())] == [(3, set()), (3, {"synced"})] * 2
        assert engine.clock.fetch("select * from penstock.intents") == []


class TestTheDelay:
    """A destination may show late what it has; until `in_doubt_delay` is over, what is not found is not believed."""

    def test_what_shows_late_is_not_made_twice(self, post: Opened) -> None:
        engine = post(Searchable(after={1: LOST}, hidden={"r1"}), "p0", in_doubt_delay=timedelta(seconds=60))
        engine.run()
        engine.clock.advance(40)
        engine.settle_all()
        [(status, error_class, run_at)] = engine.clock.fetch(
            "select status, error_class, run_at from penstock.sync_runs")
        assert (status, error_class) == ("pending", "StillInDoubt")
        assert run_at == engine.clock.now_ms + 20_000
        assert engine.depot.writes == [["p0"]]
        engine.depot.hidden.clear()
        engine.clock.advance(20)
        engine.settle_all()
        assert engine.rows("status, remote_id") == {"p0": ("synced", "r1")}
        assert engine.depot.calls == [("create", ["p0"]), ("find", ["p0 street"]), ("find", ["p0 street"]),
                                      ("update", ["p0"])]

    def test_what_is_not_there_by_then_is_made(self, post: Opened) -> None:
        engine = post(Searchable(before={1: LOST}), "p0", "p1")
        engine.run()
        engine.clock.advance(10)
        engine.settle_all()
        assert engine.depot.records == {}
        engine.clock.advance(20)
        engine.settle_all()
        assert len(engine.depot.records) == 2

    def test_all_else_of_the_run_is_done_meanwhile(self, post: Opened) -> None:
        engine = post(Searchable(before={1: LOST}), "p0")
        engine.run()
        engine.parcels.put("p1", "p2")
        engine.clock.advance(10)
        engine.settle_all()
        assert engine.rows("status") == {"p0": ("in_doubt",), "p1": ("synced",), "p2": ("synced",)}

    @pytest.mark.parametrize("options", [{"enforces_key": True}, {"in_doubt_delay": timedelta(0)}])
    def test_where_the_destination_enforces_the_key_there_is_none(self, post: Opened, options: dict[str, Any]) -> None:
        engine = post(Searchable(unique=True, after={1: LOST}, hidden={"r1"}), "p0", **options)
        engine.run()
        engine.clock.advance(5)
        engine.settle_all()
        assert engine.depot.at("p0 street") == ["p0"]
        assert engine.rows("status, error_class") == {"p0": ("in_doubt", "ambiguous")}
        engine.depot.hidden.clear()
        engine.clock.advance(60)
        engine.run()
        assert engine.rows("status, remote_id") == {"p0": ("synced", "r1")}

    def test_a_new_natural_key_does_not_hide_what_was_made_under_the_old_one(self, post: Opened) -> None:
        engine = post(Searchable(after={1: LOST}), "p0")
        engine.run()
        engine.parcels.parcels["p0"] = Parcel("p0", "another street")
        engine.clock.advance(60)
        engine.settle_all()
        assert [record["address"] for record in engine.depot.records.values()] == ["another street"]

    def test_what_left_the_source_meanwhile_is_found_and_deleted(self, post: Opened) -> None:
        engine = post(Searchable(after={1: LOST}), "p0")
        engine.run()
        engine.parcels.parcels.clear()
        engine.parcels.put("p1")
        engine.clock.advance(60)
        engine.settle_all()
        assert [record["key"] for record in engine.depot.records.values()] == ["p1"]
        assert set(engine.rows("status")) == {"p1"}


class TestWithoutALookUp:
    def test_it_waits_for_a_person_and_says_so(self, post: Opened) -> None:
        engine = post(Depot(after={1: LOST}), "p0", "p1")
        engine.run()
        for _ in range(3):
            engine.clock.advance(4000)
            run = engine.run()
        assert (run.status, run.failed) == ("succeeded", 2)
        assert engine.depot.writes == [["p0", "p1"]]
        status, error_class, error = engine.rows("status, error_class, error")["p0"]
        assert (status, error_class) == ("in_doubt", "no_lookup")
        assert "the layer has no find to look it up" in error
        assert "penstock state" in error

    def test_also_when_it_left_the_source(self, post: Opened) -> None:
        engine = post(Depot(after={1: LOST}), "p0")
        engine.run()
        engine.parcels.parcels.clear()
        engine.parcels.put("p1")
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status, error_class")["p0"] == ("in_doubt", "no_lookup")

    def test_a_record_without_a_natural_key_cannot_be_looked_up(self, post: Opened) -> None:
        engine = post(Searchable(before={1: LOST}), "p0")
        engine.parcels.parcels["p0"] = Parcel("p0", None)
        engine.run()
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status, error_class")["p0"] == ("in_doubt", "no_lookup")
        assert engine.depot.records == {}

    def test_it_is_sent_again_where_duplicates_are_possible(self, post: Opened) -> None:
        engine = post(Depot(after={1: LOST}), "p0", duplicates_possible=True)
        engine.run()
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.depot.at("p0 street") == ["p0", "p0"]
        assert engine.rows("status") == {"p0": ("synced",)}

    @pytest.mark.parametrize("fault", ["render", "duplicate"])
    def test_the_doubt_is_not_forgotten_for_another_fault_of_the_record(self, post: Opened, fault: str) -> None:
        engine = post(Depot(after={1: LOST}), "p0")
        engine.run()
        if fault == "render":
            engine.parcels.put("p0", weight=object())  # type: ignore[arg-type]
        else:
            engine.parcels.parcels["again"] = engine.parcels.parcels["p0"]
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status") == {"p0": ("in_doubt",)}
        engine.parcels.parcels.clear()
        engine.parcels.put("p0")
        engine.run()
        assert engine.depot.writes == [["p0"]]


class TestIdempotencyKeys:
    def test_a_create_that_is_sent_again_has_the_same_key(self, post: Opened) -> None:
        engine = post(Depot(remembers=True, idempotency_keys=True, after={1: LOST}), "p0", "p1")
        engine.run()
        engine.clock.advance(60)
        engine.settle_all()
        first, second = engine.depot.keys[:2], engine.depot.keys[2:]
        assert first == second
        assert None not in first
        assert len(set(first)) == 2
        assert len(engine.depot.records) == 2
        assert {row[0] for row in engine.rows("status").values()} == {"synced"}

    def test_also_after_a_kill_and_when_the_next_call_is_throttled(self, post: Opened) -> None:
        engine = post(Depot(remembers=True, after={1: KeyboardInterrupt()}, before={2: Throttled(5.0)}), "p0",
                      idempotency_keys=True)
        killed(engine)
        engine.settle_all()
        assert engine.rows("status") == {"p0": ("in_doubt",)}
        engine.clock.advance(60)
        engine.settle_all()
        assert len(set(engine.depot.keys)) == len(engine.depot.records) == 1

    def test_a_refused_create_has_another_key_the_next_time(self, post: Opened) -> None:
        """A destination may repeat under a key whatever it said first, a refusal too."""
        engine = post(Depot(remembers=True, rejected={}), "p0", idempotency_keys=True)
        create = engine.depot._create
        engine.depot._create = lambda change: (create(change), Rejected("busy", "try again"))[1]
        engine.run()
        engine.depot._create = create
        engine.clock.advance(60)
        engine.run()
        assert len(set(engine.depot.keys)) == 2

    def test_a_record_that_is_made_anew_has_another_key(self, post: Opened) -> None:
        engine = post(Depot(remembers=True), "p0", "p1", idempotency_keys=True)
        engine.run()
        parcel = engine.parcels.parcels.pop("p0")
        engine.run()
        engine.parcels.parcels["p0"] = parcel
        engine.run()
        assert len(set(engine.depot.keys)) == 3
        assert sorted(record["key"] for record in engine.depot.records.values()) == ["p0", "p1"]

    def test_one_that_changed_since_waits_for_a_person(self, post: Opened) -> None:
        """Its old key would give what was sent then, a new key could make a second record."""
        engine = post(Depot(remembers=True, after={1: LOST}), "p0", idempotency_keys=True)
        engine.run()
        engine.parcels.put("p0", weight=2)
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status, error_class") == {"p0": ("in_doubt", "no_lookup")}
        assert len(engine.depot.records) == 1

    def test_without_them_there_is_no_key(self, post: Opened) -> None:
        engine = post(Depot(), "p0")
        engine.run()
        assert engine.depot.keys == [None]


class TestExistsAlready:
    def there(self, depot: Depot, *addresses: str) -> Depot:
        for number, address in enumerate(addresses):
            depot.records[f"x{number}"] = {"key": None, "address": address, "weight": 7}
        return depot

    def test_it_becomes_a_link_if_exactly_one_matches(self, post: Opened) -> None:
        engine = post(self.there(Searchable(unique=True), "p1 street"), "p0", "p1")
        run = engine.run()
        assert (run.status, run.created, run.updated, run.failed) == ("succeeded", 1, 1, 0)
        assert engine.rows("status, remote_id")["p1"] == ("synced", "x0")
        assert engine.depot.records["x0"]["weight"] == 1
        assert engine.run().write_calls == 0

    def test_several_stay_in_doubt(self, post: Opened) -> None:
        engine = post(self.there(Searchable(unique=True), "p1 street", "p1 street"), "p0", "p1")
        run = engine.run()
        assert (run.created, run.failed) == (1, 1)
        assert engine.rows("status, remote_id, error_class")["p1"] == ("in_doubt", None, "ambiguous")
        assert "there is a parcel for p1 street already" in engine.rows("error")["p1"][0]
        del engine.depot.records["x0"]  # a person saw to it
        engine.run()
        assert engine.rows("status, remote_id")["p1"] == ("synced", "x1")

    def test_one_that_another_record_holds_stays_in_doubt(self, post: Opened) -> None:
        engine = post(Searchable(unique=True), "p0")
        engine.run()
        engine.parcels.parcels["p9"] = Parcel("p9", "p0 street")
        engine.run()
        assert engine.rows("status, remote_id, error_class")["p9"] == ("in_doubt", None, "ambiguous")
        assert engine.depot.records["r1"]["key"] == "p0"

    @pytest.mark.parametrize("depot", [Depot, Searchable])
    def test_what_cannot_be_found_stays_in_doubt(self, post: Opened, depot: type[Depot]) -> None:
        found = depot(rejected={"p0": Rejected("conflict", "exists")})
        engine = post(found, "p0", duplicates_possible=True)
        engine.run()
        assert engine.rows("status, error_class")["p0"] == ("in_doubt", "ambiguous")

    def test_without_find_it_is_not_sent_again_and_again(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": Rejected("conflict", "exists")}), "p0", enforces_key=True)
        for _ in range(3):
            engine.run()
            engine.clock.advance(4000)
        assert engine.depot.writes == [["p0"]]

    def test_where_nothing_is_to_be_changed_the_link_is_all(self, post: Opened) -> None:
        engine = post(self.there(Searchable(unique=True), "p1 street"), "p0", "p1", mode="create_only")
        run = engine.run()
        assert (run.created, run.updated, run.failed) == (1, 0, 0)
        assert engine.rows("status, remote_id")["p1"] == ("synced", "x0")
        assert engine.depot.records["x0"]["weight"] == 7
        assert engine.run().write_calls == 0


class TestOutcomesThatDoNotFit:
    def test_a_missing_one_is_in_doubt(self, post: Opened) -> None:
        engine = post(Searchable(mislays=lambda outcomes: outcomes[:-1]), "p0", "p1")
        run = engine.run()
        assert (run.status, run.created, run.failed) == ("succeeded", 1, 1)
        assert engine.rows("status, error_class")["p1"] == ("in_doubt", "no_answer")
        engine.depot.mislays = list
        engine.run()
        assert engine.depot.at("p1 street") == ["p1"]
        assert engine.rows("status")["p1"] == ("synced",)

    @pytest.mark.parametrize(("mislays", "message"), [
        (lambda outcomes: [*outcomes, Done("r")], "expected at most 2 outcomes, one for each change in order, got 3"),
        (lambda outcomes: ["r1", "r2"], "expected Done, Rejected or None for each change, got 'r1'"),
        (lambda outcomes: {"p0": outcomes[0], "px": outcomes[1]}, "expected outcomes by the keys of the changes that it"
                                                                 " was given, got 'px' among them"),
    ])
    def test_what_makes_no_sense_ends_the_run_and_leaves_all_in_doubt(
            self, post: Opened, mislays: Callable[[Any], Any], message: str) -> None:
        engine = post(Searchable(mislays=mislays), "p0", "p1")
        run = engine.run()
        assert (run.status, run.error_class) == ("pending", "DestinationError")
        assert message in str(run.error)
        assert {row[0] for row in engine.rows("status").values()} == {"in_doubt"}
        engine.depot.mislays = list
        engine.clock.advance(60)
        engine.settle_all()
        assert sorted(record["key"] for record in engine.depot.records.values()) == ["p0", "p1"]

    def test_a_mapping_from_keys_may_be_in_any_order_and_lack_some(self, post: Opened) -> None:
        engine = post(Searchable(mislays=lambda outcomes: {"p2": outcomes[2], "p0": outcomes[0]}), "p0", "p1", "p2")
        engine.run()
        assert engine.rows("status, remote_id") == {"p0": ("synced", "r1"), "p1": ("in_doubt", None),
                                                    "p2": ("synced", "r3")}

    def test_ids_of_the_same_records_in_another_order_are_not_believed(self, post: Opened) -> None:
        engine = post(Searchable(), "p0", "p1")
        engine.run()
        engine.parcels.put("p0", "p1", weight=2)
        engine.depot.mislays = lambda outcomes: outcomes[::-1]
        run = engine.run()
        assert run.status == "pending"
        assert "give a mapping from key to outcome instead" in str(run.error)
        assert engine.rows("status, remote_id") == {"p0": ("in_doubt", "r1"), "p1": ("in_doubt", "r2")}
        engine.depot.mislays = list
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status, remote_id") == {"p0": ("synced", "r1"), "p1": ("synced", "r2")}

    def test_one_remote_id_for_two_creates_is_not_believed(self, post: Opened) -> None:
        engine = post(Searchable(mislays=lambda outcomes: [Done("r1"), Done("r1")]), "p0", "p1")
        engine.run()
        assert {row[:2] for row in engine.rows("status, error_class").values()} == {("in_doubt", "ambiguous")}
        engine.depot.mislays = list
        engine.run()
        assert engine.rows("status, remote_id") == {"p0": ("synced", "r1"), "p1": ("synced", "r2")}

    def test_words_that_cannot_be_stored_are_cleaned_and_secrets_left_out(self, post: Opened) -> None:
        said = Rejected("bad\0code", "key=1\0 \ud800 Authorization: Bearer abcdefgh12345678 token=s3cret&x=1")
        engine = post(Depot(rejected={"p0": said}), "p0")
        engine.run()
        error_class, error = engine.rows("error_class, error")["p0"]
        assert error_class == "bad\ufffdcode"
        assert "abcdefgh" not in error
        assert "s3cret" not in error
