"""How long things took, kept small: counts of durations in buckets that grow with what they count.

Bucket i counts the values above γ^(i-1) and up to γ^i, with γ = (1 + ε) / (1 - ε); a value in it is told as
2 γ^i / (γ + 1), which is off by at most ε = 5 % of the value (C. Masson, J. E. Rim, H. K. Lee: "DDSketch", VLDB 2019,
§2.1). From a millisecond to a year there are 242 buckets, of which one subject's runs fill a handful. A value of
1 or less is counted in bucket 0.

What is old weighs less: whenever a histogram holds 1,024 values all counts are halved, so that quantiles follow what is
happening now.
"""

import math
from typing import Self

import msgspec

RELATIVE_ERROR = 0.05
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_MOST = 1024


def bucket_of(value: float) -> int:
    """The bucket that a value is counted in; whatever is 1 or less (or below 0: a clock was set back) in bucket 0."""
    return math.ceil(math.log(value) / _LOG_GAMMA) if value > 1 else 0


class Histogram:
    """Counts by bucket. `text` and `read` are how it lies in a column."""

    __slots__ = ("counts",)

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = counts or {}

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Raises `ValueError` for what is no histogram."""
        return cls(msgspec.json.decode(text, type=dict[int, int]) if text else None)

    @property
    def text(self) -> str:
        return msgspec.json.encode(dict(sorted(self.counts.items()))).decode()

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, value: float) -> None:
        """Count one value. Whoever gives what is below 0 (a clock was set back) has it counted as 0."""
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        if self.total >= _MOST:
            self.counts = {bucket: half for bucket, n in self.counts.items() if (half := n // 2)}

    def quantile(self, share: float) -> float | None:
        """The value that so great a share (0 to 1) of all values do not exceed, within 5 %; None where there is none.
        """
        rank = max(math.ceil(share * self.total), 1)
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return 2 * _GAMMA ** bucket / (_GAMMA + 1)
        return None
