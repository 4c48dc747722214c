"""When jobs were enqueued, by their numbers: these grow with time, so a time's place among them is found by halving."""

from collections.abc import Mapping

from penstock.store.port import Transaction

LATE_MS = 60_000
"""Two transactions may draw their numbers and look at the clock in another order: so far apart, at most."""
_MOST_STEPS = 128
_NEAR = 64


def places_around(tx: Transaction, at: int) -> tuple[int, int]:
    """Two numbers, near to each other: jobs below the first were enqueued before a time, and those from the second on
    at that time or later. What is in between, their rows say.

    Numbers mostly come evenly, so every other step goes where the time would be then.
    """
    row = tx.row("jobs_span")
    if row is None or row[0] is None:
        return 0, 0
    low, high = int(row[0]), int(row[1]) + 1
    known: dict[int, int] = {}
    for step in range(_MOST_STEPS):
        if high - low <= _NEAR:
            break
        middle = _guess(known, low, high, at) if step % 2 else (low + high) // 2
        found = tx.row("jobs_from", {"id": middle})
        if found is None or found[1] >= at:
            high = middle
        else:
            low = int(found[0]) + 1
        if found is not None:
            known[int(found[0])] = int(found[1])
    return low, high


def _guess(known: Mapping[int, int], low: int, high: int, at: int) -> int:
    """A number between the two, by the times of those on either side, as far as they are known."""
    below = max((id for id in known if id < low), default=None)
    above = min((id for id in known if id >= high), default=None)
    if below is None or above is None or known[above] <= known[below]:
        return (low + high) // 2
    share = (at - known[below]) / (known[above] - known[below])
    return min(max(int(below + share * (above - below)), low + 1), high - 1)
