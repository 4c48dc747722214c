"""Ticks: what cron lines and intervals name, where clocks change too, and what becomes of ticks that were missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.ticks import Cron, Due, Every, Missed, Schedule, due, read_missed, read_schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def ms(text: str) -> int:
    """A time such as 2026-03-29T01:00+00:00."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def local(cron: Cron, after: str, count: int) -> list[str]:
    """The next ticks after a time, as the clock on the wall shows them."""
    zone = ZoneInfo(cron.zone)
    ticks = islice(cron.after(ms(after)), count)
    return [(EPOCH + timedelta(milliseconds=tick)).astimezone(zone).strftime("%d %H:%M %Z") for tick in ticks]


@pytest.mark.parametrize(("line", "expected"), [
    # 29 March 2026: at 01:00 GMT clocks go to 02:00 BST
    ("30 1 * * *", ["28 01:30 GMT", "29 02:00 BST", "30 01:30 BST"]),  # a time that is skipped runs right after
    ("0,30 1 * * *", ["28 01:00 GMT", "28 01:30 GMT", "29 02:00 BST", "30 01:00 BST"]),  # both of them once
    ("0 2 * * *", ["28 02:00 GMT", "29 02:00 BST", "30 02:00 BST"]),
    ("0 3 * * *", ["28 03:00 GMT", "29 03:00 BST", "30 03:00 BST"]),
])
def test_a_named_time_runs_once_a_day_in_spring(line: str, expected: list[str]):
    assert local(Cron(line, "Europe/London"), "2026-03-28T00:00+00:00", len(expected)) == expected


@pytest.mark.parametrize(("line", "expected"), [
    # 25 October 2026: at 02:00 BST clocks go back to 01:00 GMT
    ("30 1 * * *", ["24 01:30 BST", "25 01:30 BST", "26 01:30 GMT"]),  # a time that comes twice runs the first time
    ("0 2 * * *", ["24 02:00 BST", "25 02:00 GMT", "26 02:00 GMT"]),
    ("0 3 * * *", ["24 03:00 BST", "25 03:00 GMT", "26 03:00 GMT"]),
])
def test_a_named_time_runs_once_a_day_in_autumn(line: str, expected: list[str]):
    assert local(Cron(line, "Europe/London"), "2026-10-23T23:30+00:00", len(expected)) == expected


def test_a_star_goes_by_the_time_that_passes():
    hourly = Cron("0 * * * *", "Europe/London")
    assert local(hourly, "2026-03-28T23:30+00:00", 3) == ["29 00:00 GMT", "29 02:00 BST", "29 03:00 BST"]
    assert local(hourly, "2026-10-24T23:30+00:00", 3) == ["25 01:00 BST", "25 01:00 GMT", "25 02:00 GMT"]
    often = Cron("*/30 1 * * *", "Europe/London")
    assert local(often, "2026-10-24T23:30+00:00", 5) == [
        "25 01:00 BST", "25 01:30 BST", "25 01:00 GMT", "25 01:30 GMT", "26 01:00 GMT"]


def test_a_scheduler_that_starts_in_the_hour_that_comes_twice_runs_nothing_again():
    daily = Cron("45 1 * * *", "Europe/London")
    first = ms("2026-10-25T01:45+01:00")
    assert daily.next_after(first - 1) == first
    for second_time in ("2026-10-25T01:30+00:00", "2026-10-25T01:45+00:00", "2026-10-25T01:50+00:00"):
        assert daily.next_after(ms(second_time)) == ms("2026-10-26T01:45+00:00")


def test_intervals_are_aligned_to_1970():
    assert Every(5 * MINUTE).next_after(ms("2026-07-01T12:01+00:00")) == ms("2026-07-01T12:05+00:00")
    assert Every(5 * MINUTE).next_after(ms("2026-07-01T12:05+00:00")) == ms("2026-07-01T12:10+00:00")
    assert Every(DAY).next_after(ms("2026-07-01T12:01+00:00")) == ms("2026-07-02T00:00+00:00")


SCHEDULES = st.one_of(
    st.integers(1_000, 3 * DAY).map(Every),
    st.builds(Cron,
              st.sampled_from(["* * * * *", "*/7 * * * *", "0 3 * * *", "30 1,2 * * *", "0 0 * * *", "15 */5 * * 1",
                               "0 0 1 * *", "*/30 0-3 1 * *", "59 23 L * *", "0 12 13 * 5"]),
              # Chile's clocks change at midnight, Lord Howe's by half an hour
              st.sampled_from(["UTC", "Europe/London", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata"])),
)
TIMES = st.integers(ms("2024-01-01T00:00+00:00"), ms("2028-01-01T00:00+00:00"))


@given(SCHEDULES, TIMES)
def test_ticks_are_the_same_wherever_one_begins(schedule: Schedule, at: int):
    ticks = list(islice(schedule.after(at), 8))
    assert at < ticks[0]
    assert sorted(set(ticks)) == ticks
    for before, after in pairwise(ticks):
        assert schedule.next_after(before) == after
        assert schedule.next_after((before + after) // 2) == after
        assert schedule.latest(at, after) == after
        assert schedule.latest(at, after - 1) == before
    assert schedule.latest(at, ticks[0] - 1) is None


@given(SCHEDULES, TIMES, st.integers(0, 90 * DAY), st.sampled_from(["skip", "once", "all"]))
def test_every_tick_is_dealt_with_once(schedule: Schedule, reached: int, span: int, missed: Missed):
    now = reached + span
    first = schedule.next_after(reached)
    jobs: list[int] = []
    while found := due(schedule, missed, reached=reached, now=now, most=100):
        assert reached < found.reached <= now
        assert all(reached < tick <= found.reached for tick in found.ticks)
        assert missed == "all" or len(found.ticks) <= 1
        jobs += found.ticks
        reached = found.reached
        if len(jobs) >= 300:
            return
    assert first is not None
    assert (schedule.next_after(reached) or now) > now
    assert jobs == sorted(set(jobs))
    assert bool(jobs) == (first <= now) or missed == "skip"


@pytest.mark.parametrize(("missed", "late_ms", "expected"), [
    ("skip", 59_000, Due([10 * HOUR], 10 * HOUR)),
    ("skip", 61_000, Due([], 10 * HOUR)),  # it is dealt with all the same
    ("once", 59_000, Due([10 * HOUR], 10 * HOUR)),
    ("once", 40 * MINUTE, Due([10 * HOUR], 10 * HOUR)),
    ("all", 40 * MINUTE, Due([8 * HOUR, 9 * HOUR, 10 * HOUR], 10 * HOUR)),
    ("all", -1, Due([8 * HOUR, 9 * HOUR], 9 * HOUR)),
])
def test_what_is_missed_follows_the_policy(missed: Missed, late_ms: int, expected: Due):
    assert due(Every(HOUR), missed, reached=7 * HOUR, now=10 * HOUR + late_ms, most=1000) == expected


def test_all_is_bounded_and_goes_on_where_it_stopped():
    assert due(Every(MINUTE), "all", reached=0, now=DAY, most=2) == Due([MINUTE, 2 * MINUTE], 2 * MINUTE)
    assert due(Every(MINUTE), "all", reached=2 * MINUTE, now=DAY, most=2) == Due([3 * MINUTE, 4 * MINUTE], 4 * MINUTE)


def test_nothing_is_due_while_the_clock_is_behind():
    for missed in ("skip", "once", "all"):
        assert due(Every(MINUTE), missed, reached=DAY, now=DAY - HOUR, most=1000) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "faults"), [
    ({}, ["expected exactly one of cron= and every=, got neither"]),
    ({"cron": "0 3 * * *", "every": timedelta(hours=1)}, ["expected exactly one of cron= and every=, got both"]),
    ({"cron": "0 3 * *"}, ["(minute, hour, day of month, month, day of week), got '0 3 * *'"]),
    ({"cron": "0 0 3 * * *"}, ["for a step below a minute use every="]),
    ({"cron": "61 3 * * *"}, ["got '61 3 * * *': bad minute"]),
    ({"cron": "0 3 * * XYZ"}, ["got '0 3 * * XYZ': bad day-of-week"]),
    ({"cron": "0 3 31 2 *"}, ["bad day-of-month"]),
    ({"cron": "0 0 * 2 * "}, []),
    ({"cron": 5}, ["got 5"]),
    ({"cron": "0 3 * * *", "timezone": "Europe/Londn"}, ["got 'Europe/Londn'; did you mean 'Europe/London'?"]),
    ({"cron": "0 3 * * *", "timezone": "../etc"}, ["timezone: expected a name such as Europe/London, got '../etc'"]),
    ({"cron": "0 3 * * *", "timezone": "Europe"}, ["timezone: expected a name such as Europe/London"]),
    ({"cron": "0 3 * * *", "timezone": None}, ["timezone: expected a name such as Europe/London, got None"]),
    ({"cron": "x", "timezone": "y"}, ["cron: expected five fields", "timezone: expected a name"]),
    ({"every": 5}, ["every: expected a timedelta of 1 second to 3660 days in whole milliseconds, got 5"]),
    ({"every": timedelta(0)}, ["got 0:00:00"]),
    ({"every": -timedelta(minutes=1)}, ["expected a timedelta of 1 second to 3660 days"]),
    ({"every": timedelta(seconds=1.0000005)}, ["in whole milliseconds"]),
    ({"every": timedelta(0), "timezone": "Europe/London"}, ["means nothing to an interval", "every: expected"]),
    ({"every": timedelta(minutes=5)}, []),
])
def test_a_schedule_that_cannot_be_says_what_was_expected(given: dict[str, Any], faults: list[str]):
    schedule, found = read_schedule(given.get("cron"), given.get("every"), given.get("timezone", "UTC"))
    assert len(found) == len(faults)
    assert all(expected in fault for fault, expected in zip(found, faults, strict=True))
    assert (schedule is None) == bool(faults)


def test_a_schedule_is_known_by_what_it_says():
    london, _ = read_schedule(" 0  3 * * *", None, "Europe/London")
    assert london == Cron("0 3 * * *", "Europe/London")
    assert london.spec == "0 3 * * * Europe/London"
    assert (Every(300_000).spec, Every(1_500).spec) == ("every 300 s", "every 1500 ms")


def test_a_policy_that_cannot_be_names_those_that_can():
    assert read_missed("once") == []
    assert read_missed("onec") == ["missed: expected one of skip, once, all, got 'onec'; did you mean 'once'?"]
