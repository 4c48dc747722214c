"""The HTTP calls of one route, added up as they are made: within a trace, then over those of an hour."""

from penstock.domain.traces import CallSeen
from penstock.observe.sites import Declared, Site, call_sites
from penstock.observe.statements import MOST_SITES


class Called:
    """What the calls of one method, host and route came to. `Trace.called` adds to it in place."""

    __slots__ = ("calls", "failed", "host", "max_ns", "method", "most_calls", "route", "sites", "total_ns", "traces")

    def __init__(self, method: str, host: str, route: str) -> None:
        self.method = method
        self.host = host
        self.route = route
        self.calls = self.failed = self.total_ns = self.max_ns = 0
        self.traces, self.most_calls = 1, 0
        self.sites: dict[Site | Declared | None, int] = {}

    def end(self) -> None:
        """The trace has ended."""
        self.most_calls = self.calls

    def absorb(self, other: "Called") -> None:
        """Add what the same route came to in another trace that has ended."""
        self.calls += other.calls
        self.failed += other.failed
        self.total_ns += other.total_ns
        self.traces += other.traces
        self.max_ns = max(self.max_ns, other.max_ns)
        self.most_calls = max(self.most_calls, other.most_calls)
        for site, calls in other.sites.items():
            if site in self.sites:
                self.sites[site] += calls
            elif len(self.sites) < MOST_SITES:
                self.sites[site] = calls

    def copy(self) -> "Called":
        """The same, to be added to by somebody else."""
        found = Called(self.method, self.host, self.route)
        found.traces = 0
        found.absorb(self)
        return found

    def seen(self) -> CallSeen:
        """As it is kept: times in microseconds."""
        return CallSeen(method=self.method, host=self.host, route=self.route, calls=self.calls, failed=self.failed,
                        total_us=self.total_ns // 1000, max_us=self.max_ns // 1000, traces=self.traces,
                        most_calls=self.most_calls,
                        sites=call_sites({site: calls for site, calls in self.sites.items() if site}, MOST_SITES))
