"""When a periodic task is due: cron lines and intervals as values, and what becomes of ticks that were missed.

A tick is a time in milliseconds since 1970, UTC, and a function of its schedule alone: every scheduler, whenever it
was started, names the same ticks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count, islice, takewhile
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from penstock.domain.names import did_you_mean

Missed = Literal["skip", "once", "all"]
"""`skip`: a missed tick gives no job. `once`: all that are due give one job together. `all`: each gives one."""

FRESH_MS = 60_000
"""A tick is missed once it is older than this, or than its successor."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(days=3660)
_FIELDS = "expected five fields (minute, hour, day of month, month, day of week)"
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """An interval, aligned to 1970 (UTC): tick k is at k × `interval_ms`, so nobody has to remember a first one."""

    interval_ms: int

    @property
    def spec(self) -> str:
        """What the store knows it by; it changes when the schedule does."""
        return f"every {self.interval_ms} ms" if self.interval_ms % 1000 else f"every {self.interval_ms // 1000} s"

    @property
    def zone(self) -> str:
        return "UTC"

    def after(self, at: int) -> Iterator[int]:
        """The ticks later than a time, in order."""
        return count((at // self.interval_ms + 1) * self.interval_ms, self.interval_ms)

    def next_after(self, at: int) -> int | None:
        """The first tick later than a time."""
        return next(self.after(at))

    def latest(self, after: int, until: int) -> int | None:
        """The last tick in (after, until], or None."""
        tick = until // self.interval_ms * self.interval_ms
        return tick if tick > after else None


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line in a time zone.

    Where clocks change it follows Debian's cron: a line that names its hour and minute runs once a day (a time that
    is skipped runs right after the gap, a time that comes twice runs the first time); one with `*` in the hour or the
    minute goes by the time that really passes.
    """

    line: str
    zone: str

    @property
    def spec(self) -> str:
        """What the store knows it by; it changes when the schedule does."""
        return f"{self.line} {self.zone}"

    def after(self, at: int) -> Iterator[int]:
        """The ticks later than a time, in order."""
        start = (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(self.zone))
        for found in CronSim(self.line, start):
            tick = (found.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
            if tick > at:  # in the hour that comes twice it starts from the first
                yield tick

    def next_after(self, at: int) -> int | None:
        """The first tick later than a time, or None if there is none within 50 years."""
        return _next_after(self, at)

    def latest(self, after: int, until: int) -> int | None:
        """The last tick in (after, until], or None. Looks back twice as far each time: it may be years."""
        span = 60_000
        while True:
            start = max(until - span, after)
            found = None
            for tick in self.after(start):
                if tick > until:
                    break
                found = tick
            if found is not None or start == after:
                return found
            span *= 2


Schedule = Cron | Every


@lru_cache(maxsize=1024)
def _next_after(cron: Cron, at: int) -> int | None:
    return next(cron.after(at), None)


class Due(NamedTuple):
    """What is to be done at some moment: a job for each of `ticks`, after which all is dealt with up to `reached`."""

    ticks: list[int]
    reached: int


def due(schedule: Schedule, missed: Missed, *, reached: int, now: int, most: int) -> Due | None:
    """What the ticks in (reached, now] come to, or None if there are none; `all` takes at most `most`, oldest first."""
    first = schedule.next_after(reached)
    if first is None or first > now:
        return None
    if missed == "all":
        ticks = list(islice(takewhile(now.__ge__, schedule.after(reached)), most))
        return Due(ticks, ticks[-1])
    latest = schedule.latest(reached, now)
    assert latest is not None
    wanted = missed == "once" or now - latest <= FRESH_MS
    return Due([latest] if wanted else [], latest)


def read_schedule(cron: object, every: object, timezone: object) -> tuple[Schedule | None, list[str]]:
    """The schedule that a declaration gives, or None and everything that is wrong with it."""
    if (cron is None) == (every is None):
        return None, [f"expected exactly one of cron= and every=, got {'neither' if cron is None else 'both'}"]
    if every is not None:
        faults = [] if timezone == "UTC" else [f"timezone: {timezone!r} means nothing to an interval: leave it out, or"
                                               " give a cron line"]
        return _interval(every, faults)
    faults = [fault for fault in (_line_fault(cron), _zone_fault(timezone)) if fault]
    if faults:
        return None, faults
    found = Cron(" ".join(str(cron).split()), str(timezone))
    if found.next_after((_SOME_DAY - _EPOCH) // timedelta(milliseconds=1)) is None:
        return None, [f"cron: {found.line!r} names a day that never comes"]
    return found, []


def read_missed(missed: object) -> list[str]:
    """What is wrong with a policy for missed ticks."""
    known = get_args(Missed)
    if missed in known:
        return []
    return [f"missed: expected one of {', '.join(known)}, got {missed!r}{did_you_mean(str(missed), known)}"]


def _interval(every: object, faults: list[str]) -> tuple[Every | None, list[str]]:
    if isinstance(every, timedelta) and _SHORTEST <= every <= _LONGEST and every.microseconds % 1000 == 0:
        return (None, faults) if faults else (Every(every // timedelta(milliseconds=1)), [])
    got = every if isinstance(every, timedelta) else repr(every)
    return None, [*faults, f"every: expected a timedelta of 1 second to 3660 days in whole milliseconds, got {got}"]


def _line_fault(line: object) -> str | None:
    if not isinstance(line, str) or len(line.split()) != 5:
        return f"cron: {_FIELDS}, got {line!r}; for a step below a minute use every="
    try:
        CronSim(line, _SOME_DAY)
    except CronSimError as error:
        return f"cron: {_FIELDS}, got {line!r}: {str(error).lower()}"
    return None


def _zone_fault(zone: object) -> str | None:
    if isinstance(zone, str):
        try:
            ZoneInfo(zone)
            return None
        except (OSError, ValueError, LookupError):  # a folder of zones, a path, a name that nothing has
            pass
    known = available_timezones()
    if not known:
        return f"timezone: {zone!r} cannot be found, since this system has no time zones: pip install tzdata"
    return f"timezone: expected a name such as Europe/London, got {zone!r}{did_you_mean(str(zone), known)}"
