"""What is left of quotas: the calendar with its short and long days, and every stretch of a sliding one."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from penstock.domain.limits import Quota
from penstock.domain.periods import given, left, period, used

HOUR = 3_600_000


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


class TestPeriod:
    @pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)])
    def test_a_day_is_as_long_as_its_zone_has_it(self, day: str, hours: int):
        begin, end = period(Quota(5, per="day", timezone="Europe/Berlin"), ms(f"{day}T12:00", "Europe/Berlin"))
        assert begin == ms(f"{day}T00:00", "Europe/Berlin")
        assert end - begin == hours * HOUR

    def test_an_hour_begins_where_its_zone_has_it(self):
        begin, end = period(Quota(5, per="hour", timezone="Asia/Kolkata"), ms("2026-05-01T10:59", "Asia/Kolkata"))
        assert (begin, end) == (ms("2026-05-01T10:00", "Asia/Kolkata"), ms("2026-05-01T11:00", "Asia/Kolkata"))

    @drawn(st.integers(0, 2_000_000_000), st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Gaza", "UTC"]))
    def test_days_follow_each_other_without_a_gap(self, second: int, zone: str):
        quota = Quota(5, per="day", timezone=zone)
        begin, end = period(quota, second * 1000)
        assert begin <= second * 1000 < end
        assert period(quota, end)[0] == end


class TestCalendar:
    def test_the_next_day_has_a_quota_of_its_own(self):
        quota, now = Quota(3, per="day"), ms("2026-05-01T10:00")
        found = left(quota, (), now)
        assert (found.free, found.again_ms) == (3, ms("2026-05-02T00:00"))
        spent = given(quota, (), found, 3)
        assert left(quota, spent, now).free == 0
        assert used(quota, spent, now) == 3
        assert left(quota, spent, ms("2026-05-02T00:00")).free == 3

    def test_a_clock_that_was_set_back_finds_what_was_given(self):
        quota, now = Quota(3, per="hour"), ms("2026-05-01T10:30")
        spent = given(quota, (), left(quota, (), now), 3)
        spent = given(quota, spent, left(quota, spent, now + HOUR), 2)
        assert left(quota, spent, now).free == 0

    def test_what_might_arrive_in_the_next_period_does_not_leave(self):
        found = left(Quota(3, per="minute"), (), ms("2026-05-01T10:00:59") + 500)
        assert (found.free, found.again_ms) == (0, ms("2026-05-01T10:01"))


class TestSliding:
    @drawn(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 8), st.floats(0, 1)),
                                        max_size=40))
    def test_no_stretch_holds_more_than_the_quota(self, count: int, asked: list[tuple[int, int, float]]):
        quota, now, spent = Quota(count, per="minute", window="sliding"), 10**9, list[tuple[int, int]]()
        arrivals: list[tuple[int, int]] = []
        for gap, wanted, late in asked:
            now += gap
            wanted = min(wanted, count)
            found = left(quota, spent, now, wanted)
            if found.free >= wanted:
                spent = given(quota, spent, found, wanted)
                arrivals.append((now + int(late * (found.until_ms - now)) + int(late * 1000), wanted))
            else:
                assert found.again_ms > now
        for begin, _ in arrivals:
            assert sum(units for at, units in arrivals if begin <= at < begin + 60_000) <= count

    def test_when_there_will_be_some_again_there_are(self):
        quota, now, spent = Quota(10, per="hour", window="sliding"), 10**9, list[tuple[int, int]]()
        for _ in range(5):
            spent = given(quota, spent, left(quota, spent, now), 2)
            now += 60_000
        for wanted in (1, 2, 3, 10):
            found = left(quota, spent, now, wanted)
            assert found.free == 0
            assert left(quota, spent, found.again_ms, wanted).free >= wanted
            assert left(quota, spent, found.again_ms - 1000, wanted).free < wanted
