"""What was refused goes again by itself, later and later, first of all; a rate limit costs no record anything."""

import pytest

from penstock.domain.records import Subject
from penstock.sync import Rejected, Throttled
from penstock.sync.serving.preview import preview
from tests.conformance.applying.conftest import Opened, Post
from tests.conformance.applying.depot import Depot
from tests.conformance.sync_app import Directory
from tests.engine import Engine

BAD = Rejected("bad_address", "no such street")


def attempts(engine: Post, key: str) -> tuple[int | None, float | None]:
    """How often a record failed, and in how many seconds it goes again."""
    count, retry_at = engine.rows("attempts, retry_at")[key]
    return count, None if retry_at is None else (retry_at - engine.clock.now_ms) / 1000


class TestBackoff:
    def test_a_refused_record_waits_longer_each_time(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0", "p1")
        waits = []
        for _ in range(9):
            assert engine.run().failed == 1
            waits.append(attempts(engine, "p0"))
            engine.clock.advance(waits[-1][1] or 0)
        assert waits == [(n + 1, min(60.0 * 2 ** n, 3600.0)) for n in range(9)]
        assert engine.depot.writes == [["p0", "p1"], *[["p0"]] * 8]

    def test_until_then_it_is_not_sent_and_counted_as_failed(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0", "p1")
        engine.run()
        engine.clock.advance(59)
        run = engine.run()
        assert (run.status, run.failed, run.skipped, run.write_calls) == ("succeeded", 1, 1, 0)
        assert attempts(engine, "p0") == (1, 1.0)
        with preview(engine.app.store, engine.app.definition("parcels"), Subject("depot", account="acme")) as plans:
            [plan] = [plan.summary() for plan in plans]
        assert (plan["create"], plan["failed"]) == (0, 1)

    def test_a_record_that_changed_goes_at_once(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0")
        engine.run()
        engine.parcels.put("p0", weight=2)
        engine.depot.rejected.clear()
        assert engine.run().created == 1
        assert engine.rows("status, attempts, retry_at, tried")["p0"] == ("synced", None, None, None)

    def test_one_that_changed_back_goes_too(self, post: Opened) -> None:
        engine = post(Depot(), "p0")
        engine.run()
        engine.depot.rejected["p0"] = BAD
        engine.parcels.put("p0", weight=2)
        engine.run()
        engine.depot.rejected.clear()
        engine.parcels.put("p0")
        assert engine.run().updated == 1

    def test_a_record_that_waits_is_not_taken_for_one_that_is_absent(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0", "p1")
        engine.run()
        del engine.parcels.parcels["p1"]
        run = engine.run()
        assert (run.deleted, run.failed) == (1, 1)
        assert set(engine.rows("status")) == {"p0"}

    def test_two_records_with_one_key_are_still_found_out(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0", "p1")
        engine.run()
        engine.parcels.parcels["again"] = engine.parcels.parcels["p0"]
        run = engine.run()
        assert run.failed == 1
        assert engine.rows("error_class")["p0"] == ("duplicate_key",)


    def test_a_refused_delete_waits_as_well(self, post: Opened) -> None:
        engine = post(Depot(), "p0", "p1")
        engine.run()
        engine.depot.rejected["p0"] = Rejected("in_use", "somebody needs it")
        parcel = engine.parcels.parcels.pop("p0")
        assert engine.run().failed == 1
        assert attempts(engine, "p0") == (1, 60.0)
        run = engine.run()
        assert (run.failed, run.write_calls) == (1, 0)
        engine.clock.advance(60)
        assert engine.run().failed == 1
        assert attempts(engine, "p0") == (2, 120.0)
        engine.parcels.parcels["p0"] = parcel
        engine.depot.rejected.clear()
        assert engine.run().updated == 1  # it is there again, and is sent at once

    def test_a_failed_update_does_not_hold_up_a_delete(self, post: Opened) -> None:
        engine = post(Depot(), "p0", "p1")
        engine.run()
        engine.depot.rejected["p0"] = BAD
        engine.parcels.put("p0", weight=2)
        engine.run()
        engine.depot.rejected.clear()
        del engine.parcels.parcels["p0"]
        assert engine.run().deleted == 1


class TestFirst:
    def test_what_failed_goes_before_what_is_new_and_in_calls_of_its_own(self, post: Opened) -> None:
        bad = [f"p{number}" for number in range(5, 12)]
        engine = post(Depot(rejected=dict.fromkeys(bad, BAD)), *(f"p{number}" for number in range(20)), batch_size=4)
        engine.run()
        engine.clock.advance(60)
        engine.depot.calls.clear()
        engine.depot.rejected.clear()
        engine.parcels.put("a", "b", "p0", "p6")
        engine.parcels.put("p1", weight=3)
        run = engine.run()
        assert (run.created, run.updated, run.failed) == (9, 1, 0)
        assert engine.depot.writes == [bad[:4], bad[4:], ["a", "b"], ["p1"]]

    def test_a_failed_update_goes_before_a_new_record(self, post: Opened) -> None:
        engine = post(Depot(), "p0")
        engine.run()
        engine.depot.rejected["p0"] = BAD
        engine.parcels.put("p0", weight=2)
        engine.run()
        engine.clock.advance(60)
        engine.depot.calls.clear()
        engine.depot.rejected.clear()
        engine.parcels.put("p1")
        engine.run()
        assert engine.depot.calls == [("update", ["p0"]), ("create", ["p1"])]


class TestRates:
    @pytest.mark.parametrize("code", ["throttled", "429", 429, "Rate-Limited", "RESOURCE_EXHAUSTED", "too fast"])
    def test_a_rate_limit_on_every_row_ends_the_run_and_costs_no_row_an_attempt(
            self, post: Opened, code: str | int) -> None:
        keys = ["p0", "p1", "p2"]
        said = Rejected(code, "slow down")  # type: ignore[arg-type]
        engine = post(Depot(rejected=dict.fromkeys(keys, said)), *keys, rate_codes=("too fast",))
        run = engine.run()
        assert (run.status, run.error_class, run.failed) == ("pending", "Throttled", 0)
        assert "refused 3 of 3 records for its rate" in str(run.error)
        assert engine.rows("status") == {}
        engine.depot.rejected.clear()
        engine.clock.advance(10)
        engine.settle_all()
        assert len(engine.depot.records) == 3

    def test_records_that_had_failed_keep_what_was_said_of_them(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0")
        engine.run()
        engine.clock.advance(60)
        engine.depot.rejected = {"p0": Rejected("429")}
        assert engine.run().status == "pending"
        assert engine.rows("status, error_class, error, attempts")["p0"] == (
            "failed", "bad_address", "no such street", 1)
        engine.depot.rejected.clear()
        engine.clock.advance(10)
        engine.settle_all()
        assert engine.rows("status") == {"p0": ("synced",)}

    def test_those_carried_out_before_the_limit_was_met_are_saved(self, post: Opened) -> None:
        said = Rejected("429")
        engine = post(Depot(rejected={"p2": said, "p3": said}), "p0", "p1", "p2", "p3")
        run = engine.run()
        assert (run.status, run.created) == ("pending", 2)
        assert engine.rows("status") == {"p0": ("synced",), "p1": ("synced",)}

    def test_a_throttled_call_costs_no_record_an_attempt(self, post: Opened) -> None:
        engine = post(Depot(rejected={"p0": BAD}), "p0")
        engine.run()
        engine.clock.advance(60)
        engine.depot.before = {2: Throttled(5.0)}
        assert engine.run().status == "pending"
        assert attempts(engine, "p0") == (1, None)
        assert engine.rows("error_class") == {"p0": ("bad_address",)}


class TestBlocked:
    def failed(self, engine: Engine, directory: Directory) -> None:
        directory.people.refused["p2"] = Rejected("no", "not today")
        engine.sync("directory", "g1")

    def test_children_wait_with_their_parent_and_are_released_in_the_run_in_which_it_succeeds(
            self, engine: Engine, directory: Directory) -> None:
        self.failed(engine, directory)
        [run] = engine.sync("directory", "g1")
        assert (run.failed, run.blocked, run.write_calls) == (1, 1, 0)
        directory.people.refused.clear()
        engine.clock.advance(60)
        [run] = engine.sync("directory", "g1")
        assert (run.created, run.failed, run.blocked) == (2, 0, 0)

    def test_a_child_that_stays_blocked_is_not_written_again(self, engine: Engine, directory: Directory) -> None:
        self.failed(engine, directory)
        table = next(item.state for item in engine.app.layer_tables if item.layer == "Members")
        before = engine.clock.fetch(f"select changed_at, run_id from penstock.{table} where status = 'blocked'")
        engine.clock.advance(10)
        [run] = engine.sync("directory", "g1")
        assert run.blocked == 1
        assert engine.clock.fetch(f"select changed_at, run_id from penstock.{table} where status = 'blocked'") == before

    def test_what_is_in_doubt_stays_so_whatever_becomes_of_its_parent(
            self, engine: Engine, directory: Directory) -> None:
        """Else it would be created a second time once its parent is there again."""
        directory.members.lost = OSError("connection reset")
        engine.sync("directory", "g1")
        people = {key: record for key, record in directory.people.records.items() if record["key"] == "p1"}
        table = next(item.state for item in engine.app.layer_tables if item.layer == "Everybody")
        engine.app.store.write(lambda tx: tx.execute("state_remove", {"scope": "acme", "keys": ["p1"]}, layer=table))
        for key in people:
            del directory.people.records[key]
        directory.people.refused["p1"] = Rejected("no", "not today")
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.state("Members")['["g1","p1"]'][0] == "in_doubt"
        directory.people.refused.clear()
        engine.clock.advance(60)
        engine.sync("directory", "g1")
        keys = [record["key"] for record in directory.members.records.values()]
        assert len(keys) == len(set(keys)) == 7
