"""What traces of one name came to over time: in stretches of whole hours, as many as fit into a chart."""

from collections.abc import Iterable, Mapping

import msgspec

from penstock.domain.adding_up import add_trace
from penstock.domain.traces import PHASES, TraceSeen
from penstock.observe.kept import HOUR_MS
from penstock.observe.rank import Ranked, quantiles

MOST = 48
_STEPS = (1, 2, 3, 4, 6, 12, 24)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a span of time, `since` ≤ hour < `until`, milliseconds of the epoch. Times are microseconds."""

    since: int
    until: int
    traces: int
    failed: int
    total_us: int
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int
    phases: dict[str, int]


class RankedOverTime(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a ranking, with its total time in each stretch."""

    ranked: Ranked
    totals_us: list[int]


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows of a ranking of `names` in all, over `since` to `until`, told in stretches of `step_ms`."""

    since: int
    until: int
    step_ms: int
    names: int
    rows: list[RankedOverTime]


def step_ms(since: int, until: int, most: int = MOST) -> int:
    """How long a stretch is, so that a span has at most so many: some hours, or whole days."""
    hours = -(-(until - since) // HOUR_MS)
    days = -(-hours // (24 * most))
    return next((step for step in _STEPS if step * most >= hours), 24 * days) * HOUR_MS


def totals(hours: Mapping[int, int], since: int, until: int, step: int) -> list[int]:
    """Of each stretch, by what there was in each hour; those in which there was none as well."""
    found = [0] * -(-(until - since) // step)
    for hour, total in hours.items():
        if since <= hour < until:
            found[(hour - since) // step] += total
    return found


def over_time(seen: Iterable[TraceSeen], since: int, until: int, most: int = MOST) -> list[Stretch]:
    """The stretches of a span in order, those in which there was nothing as well."""
    step = step_ms(since, until, most)
    found = [TraceSeen(kind="trace", name="", since=at) for at in range(since, until, step)]
    for each in seen:
        if since <= each.since < until:
            add_trace(found[(each.since - since) // step], each)
    return [_stretch(each, since + place * step, min(since + (place + 1) * step, until))
            for place, each in enumerate(found)]


def _stretch(seen: TraceSeen, since: int, until: int) -> Stretch:
    p50, p95, p99 = (min(each, seen.max_us) for each in quantiles(seen.durations, (0.5, 0.95, 0.99)))
    return Stretch(since=since, until=until, traces=seen.traces, failed=seen.failed, total_us=seen.total_us, p50_us=p50,
                   p95_us=p95, p99_us=p99, max_us=seen.max_us, phases=dict(zip(PHASES, seen.phases, strict=True)))
