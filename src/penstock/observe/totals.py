"""What the traces of one kind and name came to, added up while they are few and while they are many."""

import heapq

from penstock.domain.fingerprint import fingerprint
from penstock.domain.histogram import bucket_of
from penstock.domain.traces import PHASES
from penstock.observe.calls import Called
from penstock.observe.statements import Statement
from penstock.observe.trace import MOST, OTHERS, Trace

MOST_STACKS = 300
SLOWEST, FAILED = 5, 3
"""How many traces of a name are kept as they were, of each day: the slowest, and of those that failed the latest."""
_OTHER = PHASES.index("other")
OTHER_STATEMENTS, OTHER_CALLS = (fingerprint(OTHERS), "", None), ("*", "*", "*")
"""The keys of what counts for those beyond the first `MOST`."""


class Totals:
    """The sums of one kind and name. Times are nanoseconds; `durations` counts microseconds by bucket."""

    __slots__ = ("calls", "cpu_ns", "durations", "failed", "failures", "max_ns", "phases", "slowest", "stacks",
                 "statements", "total_ns", "traces")

    def __init__(self) -> None:
        self.traces = self.failed = self.total_ns = self.max_ns = 0
        self.cpu_ns: int | None = None
        self.phases = [0] * len(PHASES)
        self.durations: dict[int, int] = {}
        self.statements: dict[tuple[str, str, str | None], Statement] = {}
        self.calls: dict[tuple[str, str, str], Called] = {}
        self.stacks: dict[str, int] = {}
        self.slowest: list[tuple[int, int, Trace]] = []
        self.failures: list[Trace] = []

    def add(self, trace: Trace) -> None:
        """Count a trace that has ended. It stays as it is."""
        took_ns = trace.took_ns
        self.traces += 1
        self.total_ns += took_ns
        self.max_ns = max(self.max_ns, took_ns)
        bucket = bucket_of(took_ns / 1000)
        self.durations[bucket] = self.durations.get(bucket, 0) + 1
        self.phases = [a + b for a, b in zip(self.phases, trace.phases, strict=True)]
        if trace.cpu_ns is not None:
            self.cpu_ns = (self.cpu_ns or 0) + trace.cpu_ns
        if trace.statements:
            self._statements(trace.statements)
        if trace.calls:
            self._calls(trace.calls)
        if trace.flame:
            add_stacks(self.stacks, trace.flame)
        if trace.failed:
            self.failed += 1
            self.failures = [*self.failures[1 - FAILED:], trace]
        if len(self.slowest) < SLOWEST:
            heapq.heappush(self.slowest, (took_ns, id(trace), trace))
        elif took_ns > self.slowest[0][0]:
            heapq.heapreplace(self.slowest, (took_ns, id(trace), trace))

    def count(self, traces: int, total_ns: int, durations: dict[int, int], longest_ns: int) -> None:
        """Count traces of which no more is known: short ones that told of nothing."""
        self.traces += traces
        self.total_ns += total_ns
        self.max_ns = max(self.max_ns, longest_ns)
        self.phases[_OTHER] += total_ns
        for bucket, number in durations.items():
            self.durations[bucket] = self.durations.get(bucket, 0) + number

    def absorb(self, other: "Totals") -> None:
        """Add other sums, except for the traces that they keep as they were."""
        self.traces += other.traces
        self.failed += other.failed
        self.total_ns += other.total_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        self.phases = [a + b for a, b in zip(self.phases, other.phases, strict=True)]
        if other.cpu_ns is not None:
            self.cpu_ns = (self.cpu_ns or 0) + other.cpu_ns
        for bucket, number in other.durations.items():
            self.durations[bucket] = self.durations.get(bucket, 0) + number
        self._statements(other.statements)
        self._calls(other.calls)
        add_stacks(self.stacks, other.stacks)

    def _statements(self, found: dict[tuple[str, str, str | None], Statement]) -> None:
        for key, statement in list(found.items()):
            known = self.statements.get(key)
            if known is not None:
                known.absorb(statement)
            elif len(self.statements) < MOST:
                self.statements[key] = statement.copy()
            else:
                self.statements.setdefault(OTHER_STATEMENTS, Statement(OTHERS, "", None)).absorb(statement)

    def _calls(self, found: dict[tuple[str, str, str], Called]) -> None:
        for key, call in list(found.items()):
            known = self.calls.get(key)
            if known is not None:
                known.absorb(call)
            elif len(self.calls) < MOST:
                self.calls[key] = call.copy()
            else:
                self.calls.setdefault(OTHER_CALLS, Called(*OTHER_CALLS)).absorb(call)


def add_stacks(stacks: dict[str, int], more: dict[str, int]) -> None:
    """Add counts of stacks; where there are too many different ones, the rarest are counted as one."""
    for stack, count in more.items():
        stacks[stack] = stacks.get(stack, 0) + count
    if len(stacks) > MOST_STACKS:
        rarest = sorted(stacks, key=stacks.__getitem__)[:len(stacks) - MOST_STACKS * 3 // 4]
        left_out = sum(stacks.pop(stack) for stack in rarest)
        stacks["(others)"] = stacks.get("(others)", 0) + left_out
