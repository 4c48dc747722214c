"""Whether work takes longer than it used to: the durations of today against those of the week before.

Two questions are asked, of counts by bucket (see `penstock.domain.histogram`). Of the whole: does a trace of today take
longer than one of last week, more often than not? That is the test of H. B. Mann and D. R. Whitney ("On a test of
whether one of two random variables is stochastically larger than the other", Ann. Math. Statist. 18 (1947) 50-60), with
the variance for ties of E. L. Lehmann ("Nonparametrics", 1975, §1.4): what lies in one bucket is tied. Of the slow
ones: do more than the usual twentieth exceed last week's p95? That is the two-sample test of proportions.

With many traces a test finds differences that nobody minds, so a difference is only named if it is large too: by
A. Vargha and H. D. Delaney's measure ("A critique and improvement of the CL common language effect size statistics",
J. Educ. Behav. Stat. 25 (2000) 101-132), in which 0.56 is small, 0.64 medium and 0.71 large.
"""

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

from penstock.domain.histogram import Histogram
from penstock.domain.lasting import lasting

Verdict = Literal["slower", "faster", "tail slower", "steady", "too few"]

LEAST_TODAY, LEAST_BEFORE = 20, 50
"""Traces. Below them chance moves quantiles by more than what would be named, and ranks are not near to normal."""
_LEAST_TAIL = 100
"""Of today: a twentieth of them has to be several."""
_CERTAIN = 3.3
"""Standard deviations: one false alarm in a thousand questions, since a hundred names may be asked about each day."""
_LARGE = 0.64
_RATIO = 1.2
"""Of the medians. Buckets tell each of them within 5 %, so up to 1.1 may be their doing."""
_TAIL_RATIO = 1.5
_TAIL = 0.05

Counts = Mapping[int, int]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """What became of durations. `says` is for people.

    `longer` is how likely it is that a trace of today takes longer than one of the week before (ties count half), 0.5
    if nothing has changed. Ratios are of today's to the week's quantiles; None where there are too few.
    """

    verdict: Verdict
    says: str
    today: int
    before: int
    p50_ratio: float | None = None
    p95_ratio: float | None = None
    longer: float | None = None

    @property
    def is_regression(self) -> bool:
        return self.verdict in ("slower", "tail slower")


def trend(today: Counts, before: Counts) -> Trend:
    """Of durations of today and of the seven days before it, by bucket."""
    now, then = Histogram(dict(today)), Histogram(dict(before))
    if now.total < LEAST_TODAY or then.total < LEAST_BEFORE:
        return Trend(verdict="too few", today=now.total, before=then.total,
                     says=f"too few to tell: {now.total:,} in the last day, {then.total:,} in the week before"
                          f" (at least {LEAST_TODAY} and {LEAST_BEFORE} are needed)")
    p50, p95 = (_quantiles(now, then, share) for share in (0.5, 0.95))
    ratio, tail = p50[0] / p50[1], p95[0] / p95[1]
    longer, deviations = ranks(today, before)
    verdict: Verdict = "steady"
    if deviations >= _CERTAIN and longer >= _LARGE and ratio >= _RATIO:
        verdict = "slower"
    elif deviations <= -_CERTAIN and longer <= 1 - _LARGE and ratio <= 1 / _RATIO:
        verdict = "faster"
    elif now.total >= _LEAST_TAIL and tail >= _TAIL_RATIO and _exceeding(today, before) >= _CERTAIN:
        verdict = "tail slower"
    return Trend(verdict=verdict, today=now.total, before=then.total, p50_ratio=round(ratio, 3),
                 p95_ratio=round(tail, 3), longer=round(longer, 3), says=_says(verdict, ratio, tail, p50, p95))


def ranks(today: Counts, before: Counts) -> tuple[float, float]:
    """How likely a value of today is the greater one (ties count half), and by how many standard deviations that is
    away from what equal distributions give."""
    n, m = sum(today.values()), sum(before.values())
    below, u, ties = 0, 0.0, 0
    for bucket in sorted({*today, *before}):
        here, there = today.get(bucket, 0), before.get(bucket, 0)
        u += here * (below + there / 2)
        below += there
        ties += (here + there) ** 3 - (here + there)
    both = n + m
    variance = n * m / 12 * ((both + 1) - ties / (both * (both - 1)))
    deviations = (u - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
    return u / (n * m), deviations


def _exceeding(today: Counts, before: Counts) -> float:
    """By how many standard deviations more of today's lie above the bucket of the week's p95."""
    edge = _bucket(before, 1 - _TAIL)
    n, m = sum(today.values()), sum(before.values())
    here, there = (sum(count for bucket, count in counts.items() if bucket > edge) for counts in (today, before))
    share = (here + there) / (n + m)
    spread = math.sqrt(share * (1 - share) * (1 / n + 1 / m))
    return (here / n - there / m) / spread if spread > 0 else 0.0


def _bucket(counts: Counts, share: float) -> int:
    rank = max(math.ceil(share * sum(counts.values())), 1)
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0:
            return bucket
    raise AssertionError("expected counts that are not empty")


def _quantiles(now: Histogram, then: Histogram, share: float) -> tuple[float, float]:
    here, there = now.quantile(share), then.quantile(share)
    assert here is not None
    assert there is not None
    return here, there


def _says(verdict: Verdict, ratio: float, tail: float, p50: tuple[float, float], p95: tuple[float, float]) -> str:
    medians = f"p50 {lasting(p50[0])}, in the week before {lasting(p50[1])}"
    tails = f"p95 {lasting(p95[0])}, in the week before {lasting(p95[1])}"
    match verdict:
        case "slower":
            return f"slower: {ratio:.1f} times as long as in the week before ({medians}; {tails})"
        case "faster":
            return f"faster: {1 / ratio:.1f} times less than in the week before ({medians}; {tails})"
        case "tail slower":
            return f"the slow ones became slower: {tail:.1f} times as long as in the week before ({tails}; {medians})"
    return f"steady: as in the week before ({medians}; {tails})"
