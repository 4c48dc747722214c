"""Whether what was shipped did what was promised: the same fingerprint, before and after.

What is compared are the mean times of one call, an hour of one process each, on a logarithmic scale: times are skewed,
and what counts is how many times less they are. The difference of the two means and its confidence interval are by
B. L. Welch ("The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34 (1947) 28-35), whose variances need not be equal. An hour with a thousand calls counts as much as one with
ten: calls of one hour are not independent of each other.
"""

import math
from collections.abc import Sequence
from statistics import fmean, variance
from typing import Literal

import msgspec

Became = Literal["worked", "no change", "worse", "too few"]

LEAST = 5
"""Hours on each side: with fewer the interval is too wide to say anything but the most obvious."""
WORTH = 1.2
"""So many times as long, or as short, is a difference; less is none that anybody minds."""
# Student's t for 95 % of both sides, by degrees of freedom; from 30 on it is within 5 % of the normal's 1.96.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10,
            2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04)
_NORMAL = 1.96


class Span(msgspec.Struct, frozen=True):
    """What a statement came to in one hour of one process."""

    calls: int
    total_us: int


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. `times` is how many times less a call takes; `low` and `high` are its 95 % interval."""

    became: Became
    says: str
    times: float | None = None
    low: float | None = None
    high: float | None = None
    calls_before: int = 0
    calls_after: int = 0


def compare(before: Sequence[Span], after: Sequence[Span]) -> Watched:
    """Of the hours before it was shipped and of those since."""
    logs = [[math.log(max(span.total_us, 1) / span.calls) for span in side if span.calls] for side in (before, after)]
    counted = [sum(span.calls for span in side) for side in (before, after)]
    if min(map(len, logs)) < LEAST:
        return Watched(became="too few", calls_before=counted[0], calls_after=counted[1], says=(
            f"too few runs to tell: {len(logs[0])} hours before with {counted[0]:,} calls, {len(logs[1])} since with"
            f" {counted[1]:,} (at least {LEAST} of each are needed)"))
    difference = fmean(logs[0]) - fmean(logs[1])
    width = _width(*logs)
    times, low, high = (math.exp(each) for each in (difference, difference - width, difference + width))
    means = [math.exp(fmean(side)) for side in logs]
    became: Became = "no change"
    if low > WORTH:
        became = "worked"
    elif high < 1 / WORTH:
        became = "worse"
    elif low < 1 / WORTH or high > WORTH:
        became = "no change" if low <= 1 <= high and high / low < WORTH ** 4 else "too few"
    said = f"{_lasting(means[0])} a call before, {_lasting(means[1])} since: {_factor(times, low, high)}"
    words = {"worked": "it worked", "worse": "it became worse", "no change": "it changed nothing",
             "too few": "too few runs to tell"}
    return Watched(became=became, says=f"{words[became]}: {said}", times=times, low=low, high=high,
                   calls_before=counted[0], calls_after=counted[1])


def _width(before: Sequence[float], after: Sequence[float]) -> float:
    """Half of the interval of the difference of two means."""
    parts = [variance(side) / len(side) for side in (before, after)]
    spread = sum(parts)
    if spread == 0:
        return 0.0
    freedom = spread ** 2 / sum(part ** 2 / (len(side) - 1) for part, side in zip(parts, (before, after), strict=True))
    place = max(int(freedom), 1) - 1
    return (_STUDENT[place] if place < len(_STUDENT) else _NORMAL) * math.sqrt(spread)


def _factor(times: float, low: float, high: float) -> str:
    if times >= 1:
        return f"{times:,.1f} times less (between {low:,.1f} and {high:,.1f})"
    return f"{1 / times:,.1f} times as long (between {1 / high:,.1f} and {1 / low:,.1f})"


def _lasting(microseconds: float) -> str:
    return f"{microseconds / 1000:,.1f} ms" if microseconds >= 1000 else f"{microseconds:,.0f} µs"
