"""Which subjects and accounts take the time: by the statistics of their finished runs, which outlive the traces."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from penstock.domain.histogram import Histogram
from penstock.observe.rank import quantiles

RunsBy = Literal["total", "p50", "p95", "p99", "max", "count", "failed"]
RUNS_BY: tuple[RunsBy, ...] = RunsBy.__args__  # type: ignore[attr-defined]
_US = 1000


class RankedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """What the finished runs of a subject or an account came to. Times are microseconds, within 5 %.

    `total_us` is how many runs there were times what one took on average, as far as the distribution still tells;
    `share` is that of it among all of its kind that were looked at.
    """

    kind: Literal["subject", "account"]
    sync: str
    name: str
    account: str
    runs: int
    failed: int
    total_us: int
    share: float
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int
    finished_at: int


def ranked_runs(counted: Iterable[RankedRuns], by: RunsBy = "p95") -> list[RankedRuns]:
    """The greatest first, each with its share of all."""
    rows = list(counted)
    total = sum(row.total_us for row in rows)
    measure = _MEASURES[by]
    shared = [msgspec.structs.replace(row, share=row.total_us / total if total else 0.0) for row in rows]
    return sorted(shared, key=lambda row: (-measure(row), row.sync, row.name))


def of_statistics(kind: Literal["subject", "account"], sync: str, name: str, account: str, runs: int, failed: int,
                  durations_ms: dict[int, int], finished_at: int) -> RankedRuns:
    """What statistics say: durations of runs that succeeded, in milliseconds by bucket."""
    p50, p95, p99, longest = (each * _US for each in quantiles(durations_ms, (0.5, 0.95, 0.99, 1.0)))
    return RankedRuns(kind=kind, sync=sync, name=name, account=account, runs=runs, failed=failed, share=0.0,
                      total_us=round(runs * _mean(durations_ms) * _US), p50_us=p50, p95_us=p95, p99_us=p99,
                      max_us=longest, finished_at=finished_at)


def _mean(durations: dict[int, int]) -> float:
    count = sum(durations.values())
    middles = sum(number * (Histogram({bucket: 1}).quantile(0.5) or 0) for bucket, number in durations.items())
    return middles / count if count else 0.0


_MEASURES: dict[RunsBy, Callable[[RankedRuns], int]] = {
    "total": lambda row: row.total_us, "p50": lambda row: row.p50_us, "p95": lambda row: row.p95_us,
    "p99": lambda row: row.p99_us, "max": lambda row: row.max_us, "count": lambda row: row.runs,
    "failed": lambda row: row.failed}
