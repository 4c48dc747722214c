"""Slots of rates against a brute-force count of every stretch."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.slots import Ledger, Pace, noticed, pace, taken

SECOND = 1_000_000


def worst(arrivals: list[tuple[int, int]], period_us: int) -> int:
    """The most that any stretch `[t, t + period)` holds, of (time, weight): one that is the worst begins with a
    call."""
    ordered = sorted(arrivals)
    return max((sum(weight for at, weight in ordered[place:] if at < begin + period_us)
                for place, (begin, _) in enumerate(ordered)), default=0)


class TestPace:
    @pytest.mark.parametrize(("count", "seconds"), [(1, 1), (10, 1), (3, 60), (15_000, 86_400), (7_919, 1)])
    def test_the_slots_of_a_period_and_what_is_late_of_it_are_at_most_the_count(self, count: int, seconds: int):
        found = pace(count, seconds)
        assert math.ceil(found.span_us / found.interval_us) <= count
        assert seconds * SECOND / count / found.interval_us >= 0.9, "what that costs of the rate"


steps = st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 12), st.integers(1, 8), st.floats(0, 1)),
                 min_size=1, max_size=30)


class TestTaken:
    @given(st.integers(1, 12), steps)
    def test_no_stretch_holds_more_than_the_limit_however_late_the_calls_come(
            self, most: int, asked: list[tuple[int, int, int, float]]):
        rate = pace(most, 1)
        ledger, now, arrivals = Ledger(), 10 * SECOND, list[tuple[int, int]]()
        for gap, weight, count, late in asked:
            now += gap
            weight = min(weight, most)
            start, interval, [ledger] = taken([ledger], [rate], now, weight, count if weight == 1 else 1)
            assert start >= now
            arrivals += [(start + place * interval + int(late * rate.late_us), weight)
                         for place in range(count if weight == 1 else 1)]
        assert worst(arrivals, SECOND) <= most

    @given(steps)
    def test_several_rates_hold_at_once(self, asked: list[tuple[int, int, int, float]]):
        rates = [pace(5, 1), pace(12, 5)]
        ledgers, now, arrivals = [Ledger(), Ledger()], 10 * SECOND, list[tuple[int, int]]()
        for gap, weight, count, late in asked:
            now += gap
            weight = min(weight, 5)
            start, interval, ledgers = taken(ledgers, rates, now, weight, count if weight == 1 else 1)
            arrivals += [(start + place * interval + int(late * rates[0].late_us), weight)
                         for place in range(count if weight == 1 else 1)]
        assert worst(arrivals, SECOND) <= 5
        assert worst(arrivals, 5 * SECOND) <= 12

    @given(st.integers(2, 12), steps)
    def test_calls_that_took_slots_without_an_entry_count_as_well(
            self, most: int, asked: list[tuple[int, int, int, float]]):
        """As the statement for light calls does it: it moves `next_us`, and `since_us` only after a whole span."""
        rate = pace(most, 1)
        ledger, now, arrivals = Ledger(), 10 * SECOND, list[tuple[int, int]]()
        for gap, weight, count, late in asked:
            now += gap
            weight = min(weight, most)
            if weight == 1:
                start = max(now, ledger.next_us)
                since = ledger.since_us if ledger.next_us + rate.span_us > now else start
                ledger = Ledger(start + count * rate.interval_us, since, now, ledger.spent)
                given = [start + place * rate.interval_us for place in range(count)]
            else:
                start, _, [ledger] = taken([ledger], [rate], now, weight, 1)
                given = [start]
            arrivals += [(at + int(late * rate.late_us), weight) for at in given]
        assert worst(arrivals, SECOND) <= most

    def test_equal_heavy_calls_use_the_whole_rate(self):
        rate, ledger = pace(10, 1), Ledger()
        times = []
        for _ in range(21):
            start, _, [ledger] = taken([ledger], [rate], 0, 5, 1)
            times.append(start)
        assert times[20] - times[0] == pytest.approx(10 * rate.span_us, rel=0.001)

    @pytest.mark.parametrize("count", [10_000, 20])
    def test_a_ledger_stays_short(self, count: int):
        rate, ledger, now = pace(count, 60), Ledger(), 0
        for place in range(500):
            now, _, [ledger] = taken([ledger], [rate], now + 1000, 1 + place % 3, 1)
        assert len(ledger.spent) <= 49

    def test_a_heavy_call_after_a_pause_waits_for_nothing(self):
        rate = pace(10, 1)
        _, _, [ledger] = taken([Ledger()], [rate], 0, 10, 1)
        start, _, _ = taken([ledger], [rate], 5 * SECOND, 10, 1)
        assert start == 5 * SECOND


class TestNoticed:
    def test_a_clock_that_was_set_back_moves_what_was_given(self):
        rate = pace(10, 1)
        _, _, [ledger] = taken([Ledger()], [rate], 7200 * SECOND, 10, 1)
        start, _, _ = taken([noticed(ledger, 3600 * SECOND)], [rate], 3600 * SECOND, 10, 1)
        assert start == 3600 * SECOND + rate.span_us, "it waits for the period, and not for an hour"

    def test_of_one_that_was_set_forward_the_first_says_so(self):
        rate = pace(10, 1)
        _, _, [ledger] = taken([Ledger()], [rate], 3600 * SECOND, 10, 1)
        now = 7200 * SECOND
        once = noticed(ledger, now, ahead_us=3600 * SECOND)
        start, _, _ = taken([once], [rate], now, 10, 1)
        assert start == now + rate.span_us, "what was given just before the clock was set counts"
        assert noticed(once, now, ahead_us=3600 * SECOND) is once

    def test_a_little_is_no_jump(self):
        ledger = Ledger(5 * SECOND, 0, 4 * SECOND)
        assert noticed(ledger, 3_500_000) is ledger

    def test_an_adaptive_pace_gives_what_its_interval_has_room_for(self):
        assert pace(100, 1, 106_000) == Pace(10, 106_000, 1_060_000, 60_000)
