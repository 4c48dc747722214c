"""The first page: whether all is well, and if not, what is wrong, since when, and where to look."""

from dataclasses import replace

import msgspec

from penstock.app.overseeing import Edge, Overview
from penstock.domain.alerts import Firing
from penstock.domain.listing import Backlog
from penstock.queue.workers import WorkerRow
from penstock.sync.window.row import WindowRow
from penstock.web.declared import Seen, View
from penstock.web.pages.alerts import page_of

_OVER = ("completed", "discarded", "cancelled")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class Minute(msgspec.Struct, frozen=True):
    """How many jobs came to what in the minute that begins `at`."""

    at: int
    enqueued: int
    completed: int
    retryable: int
    discarded: int
    cancelled: int


class Wrong(msgspec.Struct, frozen=True):
    """An alert that fires: what is wrong, since when, and the page that says more."""

    kind: str
    about: str
    since_at: int
    age_ms: int
    summary: str
    page: str


class Now(msgspec.Struct, frozen=True):
    """What is going on. Times are in milliseconds since 1970, UTC, by the store's clock, which says `now`.

    No minute has more than `most` jobs that ended. Of the jobs, `waiting` could run now, the oldest of them for
    `oldest_ms`. `silent` are workers that have stopped renewing.
    """

    now: int
    minutes: list[Minute]
    most: int
    completed_per_minute: float
    failed_share: float | None
    waiting: int
    oldest_ms: int | None
    executing: int
    slots_used: int
    """What is claimed ahead of its slot is executing, and in none."""
    slots: int | None
    workers: int
    silent: list[WorkerRow]
    wrong: list[Wrong]
    queues: list[Backlog]
    edges: list[Edge]
    windows: list[WindowRow]


def load(seen: Seen, asked: Asked) -> Now:
    """What is going on, what is wrong and what is about to be."""
    found = seen.app.overview()
    minutes = _minutes(found)
    recent = minutes[-6:-1]  # the last one is not over
    over = {state: sum(found.rates.states[state]) for state in _OVER}
    failed, ended = over["discarded"], over["discarded"] + over["completed"]
    queues = sorted(found.queues, key=lambda each: (-(each.age_ms or 0), each.queue))
    return Now(
        now=found.now, minutes=minutes, most=_round_up(max(map(_ended, minutes), default=0)),
        completed_per_minute=sum(each.completed for each in recent) / max(len(recent), 1),
        failed_share=failed / ended if ended else None,
        waiting=sum(each.available + each.pending for each in queues),
        oldest_ms=max((each.age_ms for each in queues if each.age_ms is not None), default=None),
        executing=sum(each.executing for each in queues),
        slots_used=sum(min(each.executing, each.slots) for each in queues if each.slots is not None),
        slots=sum(each.slots for each in queues if each.slots is not None) or None,
        workers=sum(each.alive for each in found.workers), silent=[each for each in found.workers if not each.alive],
        wrong=[_wrong(seen, each, found.now) for each in found.alerts], queues=queues,
        edges=[replace(each, reason=each.reason and seen.masked(each.reason)) for each in found.edges],
        windows=found.windows)


def _minutes(found: Overview) -> list[Minute]:
    states = found.rates.states
    return [Minute(at, *(states[state][place] for state in ("enqueued", "completed", "retryable", "discarded",
                                                           "cancelled")))
            for place, at in enumerate(found.rates.at)]


def _ended(minute: Minute) -> int:
    return minute.completed + minute.retryable + minute.discarded + minute.cancelled


def _round_up(most: int) -> int:
    """1, 2 or 5 times a power of ten, so that the scale of a chart stands still while its columns move."""
    power = 1
    while power * 10 <= most:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def _wrong(seen: Seen, alert: Firing, now: int) -> Wrong:
    return Wrong(alert.kind, alert.about, alert.since_at, max(now - alert.since_at, 0), seen.masked(alert.summary),
                 page_of(alert))


VIEWS = [View(path="/", asked=Asked, load=load, template="overview.html", title="Overview", nav="overview", live=2.5)]
