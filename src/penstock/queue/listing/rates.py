"""Rates from what upkeep has added up, with zeroes where nothing happened; and what waits in each queue."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import LIVE_STATES
from penstock.domain.listing import Backlog, Rates
from penstock.queue import control
from penstock.queue.workers import slots_by_queue
from penstock.store.port import Store

Span = Literal["minute", "hour"]
SPANS_MS: dict[Span, int] = {"minute": 60_000, "hour": 3_600_000}
KEPT_MS: dict[Span, int] = {"minute": 48 * 3_600_000, "hour": 30 * 86_400_000}
STATES = ("enqueued", "completed", "retryable", "discarded", "cancelled")
_MINUTES_UP_TO_MS = 6 * 3_600_000
_MOST_QUEUES = 500


def rates(store: Store, since: int, queue: str | None, task: str | None, span: Span | None) -> Rates:
    """Raises `InvalidArguments`."""
    at, asked = _asked(store, since, span)
    rows = store.look("rates", {**asked, "queue": queue, "task": task})
    return _filled(at, asked, rows)


def rates_by(store: Store, by: Literal["queue", "task"], since: int, span: Span | None) -> dict[str, Rates]:
    """The same for each queue, or each task, that anything happened in. Raises `InvalidArguments`."""
    if by not in ("queue", "task"):
        raise InvalidArguments(f"by: expected 'queue' or 'task', got {by!r}")
    at, asked = _asked(store, since, span)
    found: dict[str, list[tuple[int, str, int]]] = {}
    for name, begins, state, n in store.look("rates_by", {**asked, "by": by}):
        found.setdefault(name, []).append((begins, state, n))
    return {name: _filled(at, asked, rows) for name, rows in sorted(found.items())}


def _asked(store: Store, since: int, span: Span | None) -> tuple[list[int], dict[str, Any]]:
    """The stretches from `since` to now, and what is asked of the store: minutes for up to six hours, else hours."""
    if type(since) is not int:
        raise InvalidArguments(f"since: expected milliseconds since 1970, got {since!r}")
    now = int(store.look("now")[0][0])
    if span is None:
        span = "minute" if now - since <= _MINUTES_UP_TO_MS else "hour"
    if span not in SPANS_MS:
        raise InvalidArguments(f"span: expected 'minute' or 'hour', got {span!r}")
    span_ms = SPANS_MS[span]
    first = max(since, now - KEPT_MS[span]) // span_ms * span_ms
    return list(range(first, now + 1, span_ms)), {"span": span, "since": first, "until": now + span_ms}


def _filled(at: list[int], asked: dict[str, Any], rows: Iterable[Sequence[Any]]) -> Rates:
    places = {begins: place for place, begins in enumerate(at)}
    states = {state: [0] * len(at) for state in STATES}
    for begins, state, n in rows:
        if begins in places and state in states:
            states[state][places[begins]] = max(int(n), 0)
    return Rates(SPANS_MS["minute" if asked["span"] == "minute" else "hour"], at, states)


def backlog(store: Store) -> list[Backlog]:
    """What waits in each queue that has jobs, waiting or ended, by name; four statements."""
    counted: dict[str, dict[str, int]] = {}
    for count in control.counts(store):
        states = counted.setdefault(count.queue, {})
        states[count.state] = states.get(count.state, 0) + count.jobs
    slots = slots_by_queue(store)
    found = []
    for queue, oldest_at, paused_at, now in store.look("backlog", {"queues": sorted(counted)[:_MOST_QUEUES]}):
        states = counted.get(queue, {})
        waiting = {state: states.get(state, 0) for state in LIVE_STATES}
        found.append(Backlog(queue, oldest_at, None if oldest_at is None else max(now - oldest_at, 0),
                             paused_at=paused_at, slots=slots.get(queue), **waiting))
    # A queue has its row once upkeep has folded its counts; one that no worker has looked after yet has jobs too.
    for queue in sorted(counted.keys() - {each.queue for each in found}):
        waiting = {state: counted[queue].get(state, 0) for state in LIVE_STATES}
        found.append(Backlog(queue, None, None, paused_at=None, slots=slots.get(queue), **waiting))
    return sorted(found, key=lambda each: each.queue)
