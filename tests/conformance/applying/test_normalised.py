"""Keys that the destination normalises: two of the source become one there, and neither is lost to the other."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.sync import Change, Done, Rejected, Run
from tests.conformance.applying.conftest import Opened, Post
from tests.conformance.applying.depot import Depot

PAIRS = [("A@x", "a@x "), (unicodedata.normalize("NFC", "jörg@x"), unicodedata.normalize("NFD", "jörg@x"))]


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


class Normalising(Depot):
    """Takes addresses for the same that differ in case, spaces or Unicode form. It refuses a second, or `upserts`."""

    upserts = False

    def _create(self, change: Change) -> Done | Rejected | None:
        for remote_id in self.find([change.payload["address"]])[change.payload["address"]]:
            if not self.upserts:
                return Rejected("409", "there is one already")
            self.records[remote_id].update(key=change.key, **change.payload)
            return Done(remote_id)
        return super()._create(change)

    def find(self, values: Sequence[str], run: Run | None = None) -> dict[str, list[str]]:
        return {value: [remote_id for remote_id, record in self.records.items()
                        if normal(record["address"]) == normal(value)] for value in values}


def posted(post: Opened, pair: tuple[str, str], depot: Depot, **options: Any) -> Post:
    engine = post(depot, *pair, **options)
    for key in pair:
        engine.parcels.parcels[key].address = key
    return engine


def quiet(engine: Post) -> bool:
    """Whether two more runs write nothing."""
    before = len(engine.depot.writes)
    for _ in range(2):
        engine.clock.advance(86_400)
        engine.run()
    return len(engine.depot.writes) == before


@pytest.mark.parametrize("pair", PAIRS)
def test_where_the_second_is_refused_it_waits_for_a_person_and_the_first_stays_as_it_is(
        post: Opened, pair: tuple[str, str]) -> None:
    engine = posted(post, pair, Normalising())
    engine.run()
    assert quiet(engine)
    assert engine.rows("status, error_class, remote_id") == {
        pair[0]: ("synced", None, "r1"), pair[1]: ("in_doubt", "ambiguous", None)}
    del engine.parcels.parcels[pair[1]]
    assert quiet(engine)
    assert engine.depot.records["r1"]["key"] == pair[0]


def test_where_the_first_leaves_the_second_takes_its_place(post: Opened) -> None:
    engine = posted(post, PAIRS[0], Normalising())
    engine.run()
    del engine.parcels.parcels["A@x"]
    for _ in range(3):
        engine.clock.advance(60)
        engine.run()
    assert [record["key"] for record in engine.depot.records.values()] == ["a@x "]
    assert engine.rows("status") == {"a@x ": ("synced",)}
    assert quiet(engine)


def test_where_both_are_taken_for_one_in_one_call_neither_answer_is_believed(post: Opened) -> None:
    engine = posted(post, PAIRS[0], Normalising(upserts=True))
    engine.run()
    assert quiet(engine)
    assert set(engine.rows("status, error_class").values()) == {("in_doubt", "ambiguous")}
    assert len(engine.depot.records) == 1


@pytest.mark.parametrize("leaves", [0, 1])
@pytest.mark.parametrize("pair", PAIRS)
def test_where_both_hold_one_record_it_goes_with_the_last_of_them(
        post: Opened, pair: tuple[str, str], leaves: int) -> None:
    engine = posted(post, pair, Normalising(upserts=True), batch_size=1)
    engine.parcels.put("other")
    engine.run()
    assert quiet(engine)
    del engine.parcels.parcels[pair[leaves]]
    engine.run()
    assert set(engine.depot.records) == {"r1", "r2"}
    assert set(engine.rows("status")) == {pair[1 - leaves], "other"}
    assert quiet(engine)
    del engine.parcels.parcels[pair[1 - leaves]]
    engine.run()
    assert set(engine.depot.records) == {"r2"}
