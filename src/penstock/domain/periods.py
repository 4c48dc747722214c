"""What is left of a quota: pure arithmetic over what was given before. Times are milliseconds since 1970, UTC.

The invariant: what was given for a period of the calendar, or for any stretch of its length, is never more than the
quota. A sliding one is counted in buckets, each of which counts as if all of it had been given at its end.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from penstock.domain.limits import Quota

_BUCKETS = 64
_KEPT_PERIODS = 3
_LATE_SHARE, _LATEST_MS = 0.05, 1000
_UTC = timezone(timedelta(0))

Spent = Sequence[tuple[int, int]]
"""How many were given, by the time at which their period or bucket begins."""


class Left(NamedTuple):
    """What a quota gives now: how many, from the period or bucket that began at `begin_ms`; their use has to begin
    before `until_ms`. Where that is none, there will be some at `again_ms`."""

    free: int
    begin_ms: int
    until_ms: int
    again_ms: int


def left(quota: Quota, spent: Spent, now_ms: int, wanted: int = 1) -> Left:
    """How many permits there are. `again_ms` is for whoever wants so many."""
    return _calendar(quota, spent, now_ms) if quota.window == "calendar" else _sliding(quota, spent, now_ms, wanted)


def given(quota: Quota, spent: Spent, found: Left, count: int) -> list[tuple[int, int]]:
    """What was given, with `count` of what was `found` to be left."""
    known = dict(spent)
    known[found.begin_ms] = known.get(found.begin_ms, 0) + count
    if quota.window == "calendar":
        return sorted(known.items())[-_KEPT_PERIODS:]
    oldest = found.begin_ms - 2 * quota.seconds * 1000
    return sorted((begin, units) for begin, units in known.items() if begin > oldest)


def used(quota: Quota, spent: Spent, now_ms: int) -> int:
    """How many of the quota count as given now."""
    return quota.count - left(quota, spent, now_ms).free


def period(quota: Quota, at_ms: int) -> tuple[int, int]:
    """When the calendar's period around a time begins and ends."""
    zone = ZoneInfo(quota.timezone)
    if quota.per == "day":
        day = datetime.fromtimestamp(at_ms / 1000, zone).date()
        begin, end = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(days=1)))
        return _ms(begin), _ms(end)
    length, offset = quota.seconds * 1000, _offset_ms(zone, at_ms)
    begin_ms = (at_ms + offset) // length * length - offset
    return begin_ms, begin_ms + length


def _calendar(quota: Quota, spent: Spent, now_ms: int) -> Left:
    begin, end = period(quota, now_ms)
    late = _late_ms(quota)
    known = dict(spent)
    if now_ms >= end - late:  # a call that left now might be counted in the next period
        return Left(0, begin, end - late, end)
    return Left(max(quota.count - known.get(begin, 0), 0), begin, end - late, end)


def _sliding(quota: Quota, spent: Spent, now_ms: int, wanted: int) -> Left:
    length = quota.seconds * 1000
    width = max(length // _BUCKETS, 1)
    begin = now_ms // width * width
    reach = length + width + _late_ms(quota)  # a permit is used within a bucket's width, and arrives a little later
    counted = sorted((at, units) for at, units in spent if at + width > now_ms - reach)
    free = quota.count - sum(units for _, units in counted)
    again = now_ms
    missing = wanted - free
    for at, units in counted:
        if missing <= 0:
            break
        again = at + width + reach
        missing -= units
    return Left(max(free, 0), begin, now_ms + width, max(again, now_ms))


def _late_ms(quota: Quota) -> int:
    return min(round(quota.seconds * 1000 * _LATE_SHARE), _LATEST_MS)


def _offset_ms(zone: tzinfo, at_ms: int) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=_UTC)) // timedelta(milliseconds=1)
