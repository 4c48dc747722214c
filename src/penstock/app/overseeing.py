"""All of it at one glance, by a fixed number of bounded statements, however much there is."""

from dataclasses import dataclass

from penstock.app.draining import Draining
from penstock.domain.alerts import Firing
from penstock.domain.listing import Backlog, Rates
from penstock.limits.telling import KeyState, Use
from penstock.queue.workers import WorkerRow
from penstock.sync.window.row import WindowRow, open_windows

_HOUR_MS = 3_600_000
_MOST_WORKERS, _MOST_WINDOWS, _MOST_ALERTS, _MOST_EDGES = 200, 20, 50, 20
_AHEAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Edge:
    """A key that holds work up, or is about to: its gate is not open, or a limit is used up to `share` of it.

    `until_at` is when the gate is tried again, in milliseconds since 1970; `ahead_seconds` for how long a rate is given
    away.
    """

    key: str
    gate: str
    until_at: int | None = None
    reason: str | None = None
    limit: str | None = None
    share: float | None = None
    ahead_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """What is going on. `now` is the store's time, in milliseconds since 1970.

    `rates` are of each minute of the last hour. `workers` and `windows` (those under way) are the first of them.
    """

    now: int
    rates: Rates
    queues: list[Backlog]
    alerts: list[Firing]
    edges: list[Edge]
    workers: list[WorkerRow]
    windows: list[WindowRow]


class Overseeing(Draining):
    """The overview."""

    def overview(self) -> Overview:
        """What is going on, what is wrong and what is about to be."""
        now = self.now_ms()
        return Overview(now, self.rates(now - _HOUR_MS, span="minute"), self.backlog(), self.alerts(_MOST_ALERTS),
                        _edges(self.limits_near_edge(_MOST_EDGES))[:_MOST_EDGES], self.workers(limit=_MOST_WORKERS),
                        open_windows(self.store, _MOST_WINDOWS))


def _edges(states: list[KeyState]) -> list[Edge]:
    """Closed gates first, then what is nearest to its limit."""
    found = [Edge(state.key, state.gate, state.gate_until_at, state.gate_reason) for state in states
             if state.gate != "open"]
    near = [Edge(state.key, state.gate, limit=use.limit, share=_share(use), ahead_seconds=use.ahead_seconds)
            for state in states for use in state.limits if use.is_near_edge]
    return found + sorted(near, key=lambda edge: -(edge.share or 0))


def _share(use: Use) -> float | None:
    """How much of a limit is used: of a quota and of places those given, of a rate whether it is given away ahead."""
    if use.ahead_seconds is not None:
        return min(use.ahead_seconds / _AHEAD_SECONDS, 1.0)
    return use.used / use.most if use.most else None
