"""Short work that told of nothing, counted by a thread for itself: only how many there were, and how long they took.

A thread only ever adds to its own counts, so nobody locks anything; whoever reads them subtracts what was there when it
read last.
"""

from penstock.domain.histogram import bucket_of

BRIEF_NS = 1_000_000
"""What takes longer is a trace of its own."""
BUCKETS = [bucket_of(us) for us in range(BRIEF_NS // 1000 + 2)]
"""The bucket of each number of microseconds."""
_SIZE = BUCKETS[-1] + 1


class Brief:
    """The counts of one thread: for each name of tasks the nanoseconds in all, then how many there were by bucket."""

    __slots__ = ("counts", "over", "read_before")

    def __init__(self) -> None:
        self.over = False  # whether its thread has ended
        self.counts: dict[str, list[int]] = {}
        self.read_before: dict[str, list[int]] = {}

    def add(self, name: str, took_ns: int) -> None:
        """Count one that took less than `BRIEF_NS`."""
        found = self.counts.get(name)
        if found is None:
            found = self.counts[name] = [0] * (_SIZE + 1)
        found[0] += took_ns
        found[BUCKETS[took_ns // 1000] + 1] += 1

    def news(self) -> dict[str, tuple[int, dict[int, int]]]:
        """What was added since this was asked last: nanoseconds, and how many there were by bucket."""
        found = {}
        for name, counts in list(self.counts.items()):
            now, before = list(counts), self.read_before.get(name)
            added = now if before is None else [a - b for a, b in zip(now, before, strict=True)]
            self.read_before[name] = now
            durations = {bucket: number for bucket, number in enumerate(added[1:]) if number}
            if durations:
                found[name] = added[0], durations
        return found
