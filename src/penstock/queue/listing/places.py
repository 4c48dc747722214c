"""When jobs were enqueued, by their numbers: these grow with time, so a time's place among them is found by halving."""

from penstock.store.port import Transaction

LATE_MS = 60_000
"""Two transactions may draw their numbers and look at the clock in another order: so far apart, at most."""
_MOST_STEPS = 64


def place_of(tx: Transaction, at: int) -> int:
    """The number of the first job that was enqueued at a time or later; beyond the newest where there is none."""
    row = tx.row("jobs_span")
    if row is None or row[0] is None:
        return 0
    low, high = int(row[0]), int(row[1]) + 1
    for _ in range(_MOST_STEPS):
        if low >= high:
            break
        middle = (low + high) // 2
        found = tx.row("jobs_from", {"id": middle})
        if found is None or found[1] >= at:
            high = middle
        else:
            low = int(found[0]) + 1
    return low
