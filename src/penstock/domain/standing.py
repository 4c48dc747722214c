"""Where a server stands in the stream of changes that it writes, or replays as the replica of another."""

from collections import deque
from typing import NamedTuple

_MOST_MARKS = 1000
_SKEW_MS = 2000


class Standing(NamedTuple):
    """What a server says of itself. `system` and `place` are the same on a primary and its replicas, and nowhere else.

    `position` is how far it has made changes lasting, or replayed them, `written` how far changes are visible there.
    `replayed_at` is when, by the primary's clock, the last transaction was committed that a replica has replayed.
    """

    place: str
    system: int
    standby: bool
    position: int
    written: int
    replayed_at: int | None
    real_ms: int


def no_replica(primary: Standing, replica: Standing) -> str | None:
    """Why a server is not a replica of a primary, or None."""
    if (replica.place, replica.system) != (primary.place, primary.system):
        return (f"expected a hot standby of the store, got database {replica.place!r} of another server: its system"
                f" identifier is {replica.system}, the store's {primary.system}, in database {primary.place!r}")
    if not replica.standby:
        return ("expected a hot standby, got a server that is not in recovery: the primary itself, or one that was a"
                " standby and was promoted")
    return None


def skewed(primary: Standing, replica: Standing, apart_ms: float) -> str | None:
    """What is wrong with a replica's clock, or None; the primary was asked at most `apart_ms` before it."""
    ahead = replica.real_ms - primary.real_ms
    if -_SKEW_MS <= ahead <= _SKEW_MS + apart_ms:
        return None
    return f"its clock is {abs(ahead) / 1000:,.0f} s {'ahead of' if ahead > 0 else 'behind'} the primary's"


class Lag:
    """How far a replica is behind: at most since when the primary was where the replica is now.

    Two things say so, and the lesser holds: the last time that the primary was seen to be no further; and how long ago
    the last transaction was committed that was replayed, after which there may have been none for long.
    """

    def __init__(self) -> None:
        self._level_at: float | None = None
        self._marks: deque[tuple[float, int]] = deque()

    def behind_ms(self, primary: Standing, replica: Standing, at: float) -> float | None:
        """`at`, in seconds of a monotonic clock, the primary was asked, and then the replica; None: nobody knows."""
        while self._marks and self._marks[0][1] <= replica.position:
            self._level_at = self._marks.popleft()[0]
        if replica.position >= primary.position:
            self._level_at = at
            return 0.0
        if len(self._marks) < _MOST_MARKS:
            self._marks.append((at, primary.position))
        known = [] if self._level_at is None else [(at - self._level_at) * 1000]
        if replica.replayed_at is not None:
            known.append(max(primary.real_ms - replica.replayed_at, 0.0))
        return min(known, default=None)
