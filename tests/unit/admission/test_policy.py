"""The policy: a pure decision with a reason for each piece."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.admission.policy import AHEAD_US, MINUTE_MS, Decision, Gate, Line, Piece, Room, View, decide, judge

NOW = 1_800_000_000_000
FULL = "3 are under way"


def line(name: str, *ranks: int, room: str = "r", priority: int = 0, **more: Any) -> Line:
    """Ranks are seconds before now."""
    pieces = tuple(Piece(hash((name, place)) & 0xFFFF, NOW - rank * 1000 - priority * MINUTE_MS, priority)
                   for place, rank in enumerate(ranks))
    return Line(name, room, pieces, **more)


def view(free: int = 99, **more: Any) -> View:
    return View(NOW, {"r": Room(free, FULL)}, **more)


def admitted(decisions: list[Decision]) -> list[str]:
    return [each.line.name for each in decisions if each.admit]


def test_the_most_urgent_then_what_waited_longest():
    lines = [line("a", 5), line("b", 1, priority=1), line("c", 9)]
    assert admitted(decide(lines, view())) == ["b", "c", "a"]
    assert admitted(decide(lines, view(2))) == ["b", "c"]


def test_a_minute_of_waiting_is_worth_a_point_of_priority():
    assert admitted(decide([line("old", 61), line("new", 0, priority=1)], view())) == ["old", "new"]
    assert admitted(decide([line("old", 59), line("new", 0, priority=1)], view())) == ["new", "old"]


def test_a_line_that_was_served_gives_way():
    served = line("crowd", *[1000] * 5, served_at=NOW - 10)
    assert admitted(decide([served, line("one", 1)], view(3))) == ["one", "crowd", "crowd"]
    assert admitted(decide([line("crowd", *[1000] * 5), line("one", 1)], view(2))) == ["crowd", "one"]


def test_a_clock_that_jumped_back_makes_nobody_wait():
    assert admitted(decide([line("a", 5, served_at=NOW + 10**9), line("b", -1)], view())) == ["a", "b"]
    paced = line("a", 5, pace_us=1000, paced_us=(NOW + 10**6) * 1000)
    assert admitted(decide([paced], view())) == ["a"]


def test_a_full_room_holds_with_its_reason_and_takes_nobody_s_turn():
    (held,) = decide([line("a", 1)], view(0))
    assert (held.admit, held.reason, held.hold) == (False, FULL, None)
    assert judge(line("a", 1), view(1)).reason == "it is its turn, and there is room"
    (gone,) = decide([line("a", 1, room="elsewhere")], view())
    assert gone.reason == "no worker declares 'elsewhere'"


def test_places_of_a_line_count_what_runs_and_what_is_admitted_now():
    assert admitted(decide([line("a", 1, 1, 1, running=1, most=3)], view())) == ["a", "a"]
    (held,) = decide([line("a", 1, running=1, most=1, account="acme")], view())
    assert held.reason == "account acme has 1 under way, and at most 1 may be"


def test_a_second_key_counts_over_all_lines():
    lines = [Line(name, "r", (Piece(place, NOW, also="k", also_most=2),)) for place, name in enumerate("abc")]
    decisions = decide(lines, view(running={"k": 1}))
    assert admitted(decisions) == ["a"]
    assert {each.hold for each in decisions[1:]} == {"also:k"}
    assert decisions[1].reason == "k has 2 under way, and at most 2 may be"


def test_a_gate_that_is_shut_holds_and_one_that_may_be_tried_lets_one_through():
    lines = [line(name, 1, gates=("api",)) for name in "abc"] + [line("d", 1)]
    decisions = decide(lines, view(gates={"api": Gate(NOW + 5, "429")}))
    assert admitted(decisions) == ["d"]
    assert {(each.hold, each.reason) for each in decisions if not each.admit} == {
        ("gate:api", "gate api is closed (429)")}
    tried = decide(lines, view(gates={"api": Gate(NOW - 5, "429", probe=True)}))
    assert len(admitted(tried)) == 2
    assert {each.reason for each in tried if not each.admit} == {"gate api is being tried (429)"}


def test_what_is_paused_is_held():
    decisions = decide([line("a", 1), Line("b", "r", (Piece(1, NOW, also="k", also_most=5),))],
                       view(paused={"a", "k"}))
    assert {(each.reason, each.hold) for each in decisions} == {("a is paused", "pause"), ("k is paused", "also:k")}


def test_a_limited_line_goes_at_its_pace_and_a_little_ahead_of_it():
    fast = line("a", *[1] * 100, pace_us=10_000)
    decisions = decide([fast], view())
    assert len(admitted(decisions)) == AHEAD_US // 10_000 + 1
    assert decisions[-1].hold == "pace"
    assert decisions[-1].until_at == NOW + 10
    slow = line("a", 1, pace_us=60_000_000, paced_us=(NOW + 30_000) * 1000)
    (held,) = decide([slow], view())
    assert held.until_at == NOW + 30_000 - AHEAD_US // 1000


pieces = st.builds(Piece, id=st.integers(1, 10**6), rank=st.integers(NOW - 10**6, NOW + 10**6),
                   priority=st.integers(-3, 3), also=st.sampled_from([None, "k", "l"]), also_most=st.just(2))
lines = st.lists(st.builds(
    Line, name=st.uuids().map(str), room=st.sampled_from("rs"), running=st.integers(0, 2),
    most=st.one_of(st.none(), st.integers(1, 4)), served_at=st.one_of(st.none(), st.integers(NOW - 10**6, NOW + 10**6)),
    pieces=st.lists(pieces, min_size=1, max_size=4, unique_by=lambda piece: piece.id).map(tuple),
    gates=st.sampled_from([(), ("g",), ("p",), ("g", "p")])), max_size=8)


@given(lines, st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))
def test_no_number_is_ever_exceeded_and_nothing_stands_idle(found: list[Line], r: int, s: int, k: int):
    seen = View(NOW, {"r": Room(r, FULL), "s": Room(s, FULL)}, {"k": k}, {"g": Gate(), "p": Gate(probe=True)})
    decisions = decide(found, seen)
    chosen = [each for each in decisions if each.admit]
    for name, free in (("r", r), ("s", s)):
        assert sum(each.line.room == name for each in chosen) <= free
    for each in found:
        taken = [decision.piece for decision in chosen if decision.line is each]
        assert taken == list(each.pieces[:len(taken)])
        assert each.most is None or each.running + len(taken) <= max(each.most, each.running)
        assert not taken or "g" not in each.gates
    assert sum("p" in each.line.gates for each in chosen) <= 1
    assert sum(each.piece.also == "k" for each in chosen) <= max(2 - k, 0)
    turns = [each.turn for each in decisions]
    assert len({(id(each.line), each.piece.id) for each in decisions}) == len(turns)
    for held in decisions:  # a reason that is still true when all has been decided
        if not held.admit and held.reason == FULL:
            free = r if held.line.room == "r" else s
            assert sum(each.line.room == held.line.room for each in chosen) == free
