"""When the permits of a rate may be used: pure arithmetic over what was given before. Times are microseconds.

A permit is given for a *slot*, a time from which a call may leave; it reaches the server at most `late_us` after that.
The invariant: whatever was asked for, the calls that reach the server in any stretch as long as the rate's period are
worth at most `most`.

For calls of weight 1 that is GCRA (ITU-T I.371) without a burst: slots are `interval_us` apart, so `period + late` has
room for `most` of them. A heavier call is charged its whole weight after it. What a stretch that ends with a heavy
call holds is counted, from what was given within the last `period + late`; every other stretch consists of calls whose
charges lie in it whole, side by side, and so cannot hold more than fits.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_MOST_ENTRIES = 48
_BUCKETS = 32
LATE_SHARE = 0.06
"""How much later than its slot a call may reach the server, as a share of the period: what is lost of the rate for
it."""
_LATEST_US = 5_000_000
_JUMP_US = 1_000_000


class Entry(NamedTuple):
    """`units` that were given evenly from `start_us` on, the last of them before `end_us`; or all at one time."""

    start_us: int
    end_us: int
    units: int

    @property
    def pace_us(self) -> float:
        return (self.end_us - self.start_us) / self.units

    def since(self, after_us: int) -> int:
        """How many units were given later than that, at most."""
        if self.start_us > after_us or self.start_us == self.end_us:
            return self.units if self.start_us > after_us else 0
        passed = int((after_us - self.start_us) / self.pace_us) + 1  # those at or before it
        return max(self.units - max(passed, 0), 0)

    def leaves(self, units: int) -> int:
        """The time of the unit with which so many have been given."""
        return self.start_us + int((units - 1) * self.pace_us) + 1 if self.end_us > self.start_us else self.start_us


class Pace(NamedTuple):
    """A rate as slots see it: `interval_us` apart, at most `most` in any `span_us`."""

    most: int
    interval_us: int
    span_us: int
    late_us: int


class Ledger(NamedTuple):
    """What was given of a rate: the next free slot; since when light calls have taken every slot up to it; what else
    was given of late; and the time at which that was last looked at."""

    next_us: int = 0
    since_us: int = 0
    seen_us: int = 0
    spent: tuple[Entry, ...] = ()


def pace(count: int, seconds: float, interval_us: int | None = None) -> Pace:
    """The pace of a rate. `interval_us` is that of an adaptive one by now."""
    period_us = round(seconds * 1_000_000)
    late_us = min(round(period_us * LATE_SHARE), _LATEST_US)
    span_us = period_us + late_us
    if interval_us is None:
        return Pace(count, -(-span_us // count), span_us, late_us)
    return Pace(max(span_us // interval_us, 1), interval_us, span_us, late_us)


def noticed(ledger: Ledger, now_us: int, ahead_us: int = 0) -> Ledger:
    """The ledger, where the clock was set since it was last looked at: all that was given lies so much earlier or
    later.

    That it was set back shows. That it was set forward (by `ahead_us`) only those know who have looked at another clock
    meanwhile; the first of them says so.
    """
    by = 0
    if ledger.seen_us - now_us > _JUMP_US:
        by = now_us - ledger.seen_us
    elif ahead_us > 0 and ledger.seen_us < now_us - ahead_us // 2:
        by = ahead_us
    if not by:
        return ledger
    return Ledger(ledger.next_us + by, ledger.since_us + by, now_us,
                  tuple(Entry(each.start_us + by, each.end_us + by, each.units) for each in ledger.spent))


def taken(ledgers: Sequence[Ledger], paces: Sequence[Pace], now_us: int, weight: int,
          count: int) -> tuple[int, int, list[Ledger]]:
    """The first of `count` slots for calls of this weight against several rates at once, how far apart they are, and
    the ledgers after that. Heavy calls are given one at a time: `count` is then 1."""
    start = max(now_us, *(ledger.next_us for ledger in ledgers))
    if weight == 1:
        interval = max(each.interval_us for each in paces)
        end = start + interval * count
        given = [_given(ledger, each, Entry(start, end, count), end - interval + each.interval_us, now_us)
                 for ledger, each in zip(ledgers, paces, strict=True)]
        return start, interval, given
    while True:
        later = max(_earliest(ledger, each, start, weight) for ledger, each in zip(ledgers, paces, strict=True))
        if later == start:
            break
        start = later
    given = [_given(ledger, each, Entry(start, start, weight), start + weight * each.interval_us, now_us)
             for ledger, each in zip(ledgers, paces, strict=True)]
    return start, 0, given


def _given(ledger: Ledger, pace: Pace, entry: Entry, next_us: int, now_us: int) -> Ledger:
    entries = [each for each in (*_known(ledger, pace), entry) if each.end_us > now_us - pace.span_us]
    return Ledger(next_us, next_us, max(now_us, ledger.seen_us), _merged(entries, pace.span_us))


def _known(ledger: Ledger, pace: Pace) -> tuple[Entry, ...]:
    """What was given of late, with the light calls that stand in no entry."""
    units = -(-(ledger.next_us - ledger.since_us) // pace.interval_us)
    return (*ledger.spent, Entry(ledger.since_us, ledger.next_us, units)) if units > 0 else ledger.spent


def _earliest(ledger: Ledger, pace: Pace, start_us: int, weight: int) -> int:
    """When a call of this weight may come, so that the stretch which ends with it holds no more than it may."""
    entries = _known(ledger, pace)
    after = start_us - pace.span_us
    over = sum(each.since(after) for each in entries) + weight - pace.most
    if over <= 0:
        return start_us
    for each in sorted(entries, key=lambda each: each.end_us):
        left = each.since(after)
        if left >= over:
            return each.leaves(each.units - left + over) + pace.span_us
        over -= left
    return start_us


def _merged(entries: Iterable[Entry], span_us: int) -> tuple[Entry, ...]:
    """At most so many entries: those that ended within a part of the span become one, as if all were given at its
    end."""
    kept = tuple(entries)
    if len(kept) <= _MOST_ENTRIES:
        return kept
    width = max(span_us // _BUCKETS, 1)
    found: dict[int, Entry] = {}
    for each in kept:
        before = found.get(each.end_us // width)
        if before is not None:
            end = max(before.end_us, each.end_us)
            each = Entry(end, end, before.units + each.units)
        found[each.end_us // width] = each
    return tuple(found.values())
