"""A call that is refused as a whole: it is halved until the bad record is alone, and all others are carried out."""

import pytest

from penstock.domain.digest import encode
from penstock.sync import Rejected, Throttled, Unavailable
from tests.conformance.applying.conftest import Opened
from tests.conformance.applying.depot import Depot, Searchable

EIGHT = [f"p{number}" for number in range(8)]
PAYLOAD = len(encode(({"address": "p0 street", "weight": 1}, None, ())))


def test_the_bad_record_fails_alone_and_the_others_are_carried_out(post: Opened) -> None:
    engine = post(Depot(bad={"p5"}), *EIGHT)
    run = engine.run()
    assert (run.status, run.created, run.failed) == ("succeeded", 7, 1)
    assert engine.depot.writes == [EIGHT, EIGHT[:4], EIGHT[4:], ["p4", "p5"], ["p4"], ["p5"], ["p6", "p7"]]
    assert run.write_calls == 7
    assert engine.rows("status, error_class, error")["p5"] == ("failed", "invalid", "parcel 'p5' cannot be read")
    assert len(engine.depot.records) == 7


def test_several_bad_ones_are_found(post: Opened) -> None:
    engine = post(Depot(bad={"p0", "p3", "p7"}), *EIGHT)
    run = engine.run()
    assert (run.created, run.failed) == (5, 3)
    assert sorted(record["key"] for record in engine.depot.records.values()) == ["p1", "p2", "p4", "p5", "p6"]


def test_updates_and_deletes_are_halved_too(post: Opened) -> None:
    engine = post(Depot(), *EIGHT)
    engine.run()
    engine.parcels.put(*EIGHT[:4], weight=2)
    for key in EIGHT[4:]:
        del engine.parcels.parcels[key]
    engine.depot.bad = {"p1", "p6"}
    run = engine.run()
    assert (run.updated, run.deleted, run.failed) == (3, 3, 2)
    assert {key: status for key, (status,) in engine.rows("status").items()} == {
        "p0": "synced", "p1": "failed", "p2": "synced", "p3": "synced", "p6": "failed"}


def test_records_that_are_too_large_together_go_apart_and_one_that_is_too_large_alone_fails(post: Opened) -> None:
    engine = post(Depot(limit=4), *EIGHT)
    engine.parcels.put("p2", weight=9)
    run = engine.run()
    assert (run.created, run.failed) == (7, 1)
    assert engine.rows("error_class, error")["p2"] == ("413", "a call may weigh 4, got 9")


@pytest.mark.parametrize("error", [Throttled(5.0), Unavailable("gone", sent=False)])
def test_what_was_not_sent_when_the_halving_broke_off_is_forgotten(post: Opened, error: Exception) -> None:
    engine = post(Depot(bad={"p5"}, before={3: error}), *EIGHT)
    run = engine.run()
    assert (run.status, run.error_class) == ("pending", type(error).__name__)
    assert {key: row[0] for key, row in engine.rows("status").items()} == dict.fromkeys(EIGHT[:4], "synced")


def test_what_was_sent_when_the_halving_broke_off_is_in_doubt_and_no_other(post: Opened) -> None:
    engine = post(Searchable(bad={"p5"}, after={2: OSError("connection reset")}), *EIGHT)
    assert engine.run().status == "pending"
    assert {key: row[0] for key, row in engine.rows("status").items()} == dict.fromkeys(EIGHT[:4], "in_doubt")
    engine.clock.advance(60)
    engine.settle_all()
    assert sorted(record["key"] for record in engine.depot.records.values()) == [key for key in EIGHT if key != "p5"]


def test_what_an_earlier_call_of_the_verb_settled_is_not_sent_again(post: Opened) -> None:
    """A verb that makes several calls says with the exception what the first of them came to."""
    class Twice(Depot):
        def create(self, changes, run):  # type: ignore[no-untyped-def]
            outcomes = []
            for change in changes:
                try:
                    outcomes += super().create([change], run)
                except Exception as error:
                    vars(error)["outcomes"] = outcomes
                    raise
            return outcomes

    engine = post(Twice(bad={"p2"}), "p0", "p1", "p2", "p3")
    run = engine.run()
    assert (run.created, run.failed) == (3, 1)
    assert engine.depot.writes == [["p0"], ["p1"], ["p2"], ["p2"], ["p3"]]


def test_a_rejected_record_concerns_nobody_else(post: Opened) -> None:
    engine = post(Depot(rejected={"p1": Rejected("bad_address", "no such street")}), *EIGHT)
    run = engine.run()
    assert (run.created, run.failed, run.write_calls) == (7, 1, 1)


class TestVerbsForASingleChange:
    """`create_one(change, run)`: what it raises for one change loses no outcome of another."""

    def one(self, engine_options: dict[str, object]) -> dict[str, object]:
        def create_one(layer, change, run):  # type: ignore[no-untyped-def]
            return layer.destination.create([change], run)[0]

        return {"create_one": create_one, "create": None, **engine_options}

    def test_one_that_is_refused_fails_alone(self, post: Opened) -> None:
        engine = post(Searchable(bad={"p1"}), "p0", "p1", "p2", **self.one({}))
        run = engine.run()
        assert (run.created, run.failed) == (2, 1)
        assert engine.rows("error_class")["p1"] == ("invalid",)

    def test_those_before_a_throttled_one_are_saved_and_those_behind_it_not_in_doubt(self, post: Opened) -> None:
        engine = post(Searchable(before={2: Throttled(3.0)}), "p0", "p1", "p2", **self.one({}))
        assert engine.run().status == "pending"
        assert engine.rows("status") == {"p0": ("synced",)}
        engine.clock.advance(3)
        engine.settle_all()
        assert engine.depot.writes == [["p0"], ["p1"], ["p1"], ["p2"]]

    def test_of_one_whose_answer_was_lost_only_it_is_in_doubt(self, post: Opened) -> None:
        engine = post(Searchable(after={2: OSError("reset")}), "p0", "p1", "p2", **self.one({}))
        assert engine.run().error_class == "OSError"
        assert engine.rows("status") == {"p0": ("synced",), "p1": ("in_doubt",)}
        engine.clock.advance(60)
        engine.settle_all()
        assert [record["key"] for record in engine.depot.records.values()] == ["p0", "p1", "p2"]

    def test_it_may_be_async(self, post: Opened) -> None:
        async def create_one(layer, change, run):  # type: ignore[no-untyped-def]
            return layer.destination.create([change], run)[0]

        engine = post(Searchable(bad={"p1"}), "p0", "p1", "p2", create_one=create_one, create=None)
        run = engine.run()
        assert (run.created, run.failed) == (2, 1)


class TestBytesOfACall:
    """`batch_bytes`: calls are cut by the bytes of their payloads as well as by count."""

    def test_calls_are_cut_by_bytes(self, post: Opened) -> None:
        most = 3 * PAYLOAD + PAYLOAD // 2
        engine = post(Depot(), *EIGHT, batch_bytes=most)
        assert engine.run().created == 8
        assert engine.depot.writes == [EIGHT[:3], EIGHT[3:6], EIGHT[6:]]
        engine.parcels.put(*EIGHT[:4], weight=2)
        assert engine.run().updated == 4
        assert engine.depot.writes[3:] == [EIGHT[:3], EIGHT[3:4]]

    def test_by_count_too(self, post: Opened) -> None:
        engine = post(Depot(), *EIGHT, batch_bytes=100 * PAYLOAD, batch_size=5)
        engine.run()
        assert engine.depot.writes == [EIGHT[:5], EIGHT[5:]]

    def test_one_that_is_larger_alone_is_not_sent_and_the_others_are(self, post: Opened) -> None:
        engine = post(Depot(), *EIGHT, batch_bytes=4 * PAYLOAD)
        engine.parcels.parcels["p2"].address = "x" * 4 * PAYLOAD
        run = engine.run()
        assert (run.status, run.created, run.failed) == ("succeeded", 7, 1)
        status, error_class, error, remote_id = engine.rows("status, error_class, error, remote_id")["p2"]
        assert (status, error_class, remote_id) == ("failed", "too_large", None)
        assert f"a call at most {4 * PAYLOAD} (batch_bytes): it was not sent" in error
        assert engine.clock.fetch("select count(*) from penstock.intents") == [(0,)]
        engine.parcels.put("p2")
        assert (engine.run().created, len(engine.depot.records)) == (1, 8)

    def test_one_that_grew_keeps_what_is_there(self, post: Opened) -> None:
        engine = post(Depot(), "p0", "p1", batch_bytes=4 * PAYLOAD)
        engine.run()
        engine.parcels.parcels["p0"].address = "x" * 4 * PAYLOAD
        engine.depot.calls.clear()
        assert (engine.run().failed, engine.depot.calls) == (1, [])
        assert engine.rows("error_class, remote_id")["p0"] == ("too_large", "r1")

    def test_one_in_doubt_that_grew_stays_in_doubt(self, post: Opened) -> None:
        engine = post(Depot(idempotent=True, after={1: OSError("reset")}), "p0", batch_bytes=4 * PAYLOAD)
        engine.run()
        engine.parcels.parcels["p0"].address = "x" * 4 * PAYLOAD
        engine.clock.advance(60)
        engine.settle_all()
        assert engine.rows("status, error_class")["p0"] == ("in_doubt", "too_large")

    def test_the_destination_may_say_it(self, post: Opened) -> None:
        engine = post(Depot(batch_bytes=2 * PAYLOAD), *EIGHT[:3])
        engine.run()
        assert engine.depot.writes == [EIGHT[:2], EIGHT[2:3]]
