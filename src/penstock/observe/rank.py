"""Which work takes the time: what traces came to by kind and name, in any order that people ask for.

A share is of all that is of the same kind, since kinds hold each other: a window holds runs, a run its layers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from penstock.domain.adding_up import add_trace
from penstock.domain.histogram import Histogram
from penstock.domain.traces import PHASES, Kind, TraceSeen

By = Literal["total", "p50", "p95", "p99", "max", "count", "cpu", "failed", "failing", "waited", "read", "queried",
             "called", "computed", "limited", "slept", "other"]
"""`failing` is the share of those that failed, `failed` their number."""
BY: tuple[By, ...] = By.__args__  # type: ignore[attr-defined]


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """What the traces of one kind and name came to over a span of time. Times are microseconds.

    `share` is that of their total among all of their kind. `phases` are by name; all but `waited` add up to `total_us`.
    Quantiles are within 5 %. `cpu_us` is None where it cannot be told.
    """

    kind: Kind
    name: str
    traces: int
    failed: int
    total_us: int
    share: float
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int
    cpu_us: int | None
    phases: dict[str, int]


def ranked(seen: Iterable[TraceSeen], by: By = "total", name: str | None = None) -> list[Ranked]:
    """One for each kind and name, the greatest first; equals by name. With `name`, those of that name, whose shares are
    of all nevertheless."""
    merged = merge(seen)
    totals: dict[Kind, int] = {}
    for each in merged:
        totals[each.kind] = totals.get(each.kind, 0) + each.total_us
    rows = [_ranked(each, totals[each.kind]) for each in merged if name in (None, each.name)]
    measure = _measure(by)
    return sorted(rows, key=lambda row: (-measure(row), row.name, row.kind))


def merge(seen: Iterable[TraceSeen]) -> list[TraceSeen]:
    """The hours of each kind and name added up; `since` is the first of them."""
    found: dict[tuple[Kind, str], TraceSeen] = {}
    for each in seen:
        of = each.kind, each.name
        if of not in found:
            found[of] = TraceSeen(kind=each.kind, name=each.name, since=each.since)
        add_trace(found[of], each)
    return list(found.values())


def quantiles(durations: dict[int, int], shares: Sequence[float]) -> list[int]:
    """Of the counts by bucket; 0 where there are none."""
    histogram = Histogram(durations)
    return [round(histogram.quantile(share) or 0) for share in shares]


def _ranked(seen: TraceSeen, total_us: int) -> Ranked:
    # A bucket tells its values within 5 %: no quantile is to be told as more than the most that there was.
    p50, p95, p99 = (min(each, seen.max_us) for each in quantiles(seen.durations, (0.5, 0.95, 0.99)))
    return Ranked(kind=seen.kind, name=seen.name, traces=seen.traces, failed=seen.failed, total_us=seen.total_us,
                  share=seen.total_us / total_us if total_us else 0.0, p50_us=p50, p95_us=p95, p99_us=p99,
                  max_us=seen.max_us, cpu_us=seen.cpu_us, phases=dict(zip(PHASES, seen.phases, strict=True)))


def _measure(by: By) -> Callable[[Ranked], float]:
    if by in PHASES:
        return lambda row: row.phases[by]
    return {"total": lambda row: row.total_us, "p50": lambda row: row.p50_us, "p95": lambda row: row.p95_us,
            "p99": lambda row: row.p99_us, "max": lambda row: row.max_us, "count": lambda row: row.traces,
            "cpu": lambda row: row.cpu_us or 0, "failed": lambda row: row.failed,
            "failing": lambda row: row.failed / max(row.traces, 1)}[by]
