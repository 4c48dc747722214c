"""How long a run is likely to take, from those that were recorded. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

_ENOUGH = 5
_ALIKE = 2.0
OWN = 5
"""How many of a subject's own last runs tell how long its next one takes."""


@dataclass(slots=True)
class Recorded:
    """What is known of how long a sync's runs took: (size, seconds) of the last ones, the newest first."""

    runs: list[tuple[int | None, float]] = field(default_factory=list)

    def predicted(self, size: int | None, own: Sequence[float]) -> float | None:
        """The seconds that 95 of 100 runs like this one would not exceed; None where too little is known.

        The last runs of the subject itself tell most. Else those of a similar size do: half to twice as many records.
        Where there are none, all of them do, in proportion where it is larger than they were.
        """
        if own:
            return p95(own[:OWN])
        alike = [seconds for other, seconds in self.runs if _alike(size, other)]
        if len(alike) >= _ENOUGH:
            return p95(alike)
        if len(self.runs) < _ENOUGH:
            return None
        return p95([seconds * _larger(size, other) for other, seconds in self.runs])

    def add(self, size: int | None, seconds: float) -> None:
        """One more that has just ended."""
        self.runs.insert(0, (size, seconds))


def p95(seconds: Sequence[float]) -> float:
    """The smallest value that 95 of 100 do not exceed, by the nearest rank: of fewer than 20, the largest."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def fits(left: float, headroom: float, predicted: float | None) -> bool:
    """Whether another run may begin where so many seconds are left: never with less than the headroom."""
    return left >= max(headroom, predicted or 0.0)


def _alike(size: int | None, other: int | None) -> bool:
    if size is None or other is None:
        return size is other
    return other <= size * _ALIKE and size <= other * _ALIKE


def _larger(size: int | None, other: int | None) -> float:
    return max(1.0, size / other) if size and other else 1.0
