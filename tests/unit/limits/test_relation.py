"""What a process knows of the database's clock, by round trips of any length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.limits.relation import Relation

trips = st.lists(st.tuples(st.integers(0, 200_000), st.floats(0, 1), st.integers(0, 5_000_000)), min_size=1,
                 max_size=20)


class Own:
    """A monotonic clock, and a database's that is off by so much."""

    def __init__(self, off_us: int) -> None:
        self.now = 5_000_000.0
        self.off = off_us
        self.relation = Relation(lambda: self.now / 1_000_000)

    def trip(self, length_us: int, answered: float) -> int:
        before = self.now
        said = (int(before + length_us * answered) + self.off) // 1000 * 1000
        self.now += length_us
        return self.relation.told(before, self.now, said)


@given(st.integers(-10**15, 10**15), trips)
def test_both_bounds_are_safe_whatever_the_round_trips_took(off: int, asked: list[tuple[int, float, int]]):
    own = Own(off)
    for length, answered, pause in asked:
        assert own.trip(length, answered) == 0, "nobody set the clock"
        at = own.now + off + 500_000
        slack = 0.001
        assert own.relation.earliest(at) * 1_000_000 + off >= at - slack
        assert own.relation.latest(at) * 1_000_000 + off <= at + slack
        own.now += pause


def test_a_short_round_trip_is_remembered_among_long_ones():
    own = Own(10**12)
    own.trip(1000, 0.5)
    own.trip(200_000, 0.5)
    at = own.now + own.off
    assert own.relation.earliest(at) - own.relation.latest(at) < 0.01


def test_a_clock_that_was_set_forward_is_told_once_by_how_much():
    own = Own(0)
    own.trip(1000, 0.5)
    own.off += 60_000_000
    assert own.trip(1000, 0.5) == pytest.approx(60_000_000, abs=10_000)
    assert own.trip(1000, 0.5) == 0


def test_one_that_was_set_back_is_followed():
    own = Own(60_000_000)
    own.trip(1000, 0.5)
    own.off = 0
    assert own.trip(1000, 0.5) == 0
    assert own.relation.earliest(own.now) * 1_000_000 == pytest.approx(own.now, abs=10_000)
