"""What was seen by several processes, or in several hours, added up."""

from typing import TypeVar

from penstock.domain.traces import CallSeen, CallSite, StatementSeen, TraceSeen

_MOST_SITES = 20
T = TypeVar("T", StatementSeen, CallSeen)


def add_trace(into: TraceSeen, other: TraceSeen) -> None:
    """Add what traces of the same kind and name came to elsewhere, or later."""
    into.since = min(into.since, other.since)
    into.traces += other.traces
    into.failed += other.failed
    into.total_us += other.total_us
    into.max_us = max(into.max_us, other.max_us)
    if other.cpu_us is not None:
        into.cpu_us = (into.cpu_us or 0) + other.cpu_us
    into.phases = [a + b for a, b in zip(into.phases, other.phases, strict=True)]
    for bucket, number in other.durations.items():
        into.durations[bucket] = into.durations.get(bucket, 0) + number


def add_statement(into: StatementSeen, other: StatementSeen) -> None:
    """Add what a statement came to elsewhere. Examples are those of whichever had the longer trace."""
    if _length(other) > _length(into):
        into.samples, into.by_position = other.samples, other.by_position
        into.monotone = into.monotone if other.monotone is None else other.monotone
    elif into.monotone is None:
        into.monotone = other.monotone
    into.failed += other.failed
    into.rows += other.rows
    into.locked_us += other.locked_us
    into.at_most_one += other.at_most_one
    _add(into, other)


def add_call(into: CallSeen, other: CallSeen) -> None:
    """Add what the calls of a route came to elsewhere."""
    into.failed += other.failed
    _add(into, other)


def _add(into: T, other: T) -> None:
    into.calls += other.calls
    into.total_us += other.total_us
    into.max_us = max(into.max_us, other.max_us)
    into.traces += other.traces
    into.most_calls = max(into.most_calls, other.most_calls)
    into.sites = _sites(into.sites, other.sites)


def _length(seen: StatementSeen) -> tuple[int, int]:
    return seen.most_calls, max((sample.took_us for sample in seen.samples), default=0)


def _sites(ones: list[CallSite], others: list[CallSite]) -> list[CallSite]:
    found: dict[tuple[str, int, str], int] = {}
    for site in (*ones, *others):
        key = site.file, site.line, site.function
        found[key] = found.get(key, 0) + site.calls
    return [CallSite(*key, calls) for key, calls in sorted(found.items(), key=lambda item: -item[1])[:_MOST_SITES]]
