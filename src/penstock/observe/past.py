"""Sums of the hours that are over, read once: who asks every few seconds reads what is new, and no more.

An hour counts as over when nobody writes of it any more. A process writes every ten seconds what it did, as of the hour
in which it writes, so ten minutes are enough even for one that could not reach the store.
"""

import threading
from collections.abc import Iterable

from penstock.domain.adding_up import add_trace
from penstock.domain.traces import Kind, TraceSeen
from penstock.observe import reading
from penstock.observe.kept import HOUR_MS
from penstock.store.port import Store

_SETTLED_MS = 600_000
_MOST_SPANS = 8


class Sums:
    """What the traces of one kind and name came to over a span, and in each of its hours: their total time."""

    __slots__ = ("hours", "trace")

    def __init__(self, kind: Kind, name: str, since: int) -> None:
        self.trace = TraceSeen(kind=kind, name=name, since=since)
        self.hours: dict[int, int] = {}

    def add(self, seen: TraceSeen) -> None:
        """Add an hour, or a part of one."""
        self.hours[seen.since] = self.hours.get(seen.since, 0) + seen.total_us
        add_trace(self.trace, seen)

    def copy(self) -> "Sums":
        """The same, to be added to."""
        found = Sums(self.trace.kind, self.trace.name, self.trace.since)
        add_trace(found.trace, self.trace)
        found.hours = dict(self.hours)
        return found


Of = tuple[Kind, str]


class Past:
    """Of the spans that were asked for last. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, int], dict[Of, Sums]] = {}

    def sums(self, store: Store, since: int, until: int, now: int) -> dict[Of, Sums]:
        """Of each kind and name. `since` and `until` are the beginnings of hours."""
        settled = max(min((now - _SETTLED_MS) // HOUR_MS * HOUR_MS, until), since)
        known = self._settled(store, since, settled)
        fresh = reading.traces(store, settled, until)
        found = dict(known)
        for of in {(each.kind, each.name) for each in fresh} & known.keys():
            found[of] = known[of].copy()
        return _added(found, fresh)

    def _settled(self, store: Store, since: int, until: int) -> dict[Of, Sums]:
        if since == until:
            return {}
        with self._lock:
            known = self._known.get((since, until))
        if known is None:
            known = _added({}, reading.traces(store, since, until))
            with self._lock:
                self._known[since, until] = known
                while len(self._known) > _MOST_SPANS:
                    del self._known[next(iter(self._known))]
        return known


def _added(into: dict[Of, Sums], seen: Iterable[TraceSeen]) -> dict[Of, Sums]:
    for each in seen:
        of = each.kind, each.name
        if of not in into:
            into[of] = Sums(each.kind, each.name, each.since)
        into[of].add(each)
    return into
