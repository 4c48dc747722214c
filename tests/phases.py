"""What holds of the phases of every trace."""

from collections.abc import Iterable


def phases_add_up(phases: Iterable[int], total_us: int) -> bool:
    """Whether phases come to the time from begin to end, but for a microsecond of rounding each."""
    parts = list(phases)[1:]
    return abs(sum(parts) - total_us) <= len(parts)
