"""What `penstock top` shows, seen once: a handful of bounded questions, whatever waits in the store."""

from typing import Literal

import msgspec

from penstock.app import Penstock
from penstock.domain.listing import Rates
from penstock.limits.telling import KeyState

Order = Literal["name", "waiting", "age", "rate"]
ORDERS: tuple[Order, ...] = ("name", "waiting", "age", "rate")
_MINUTE_MS = 60_000
_MINUTES = 5
"""Rates are of the last whole minutes: upkeep adds the present one up a few seconds late."""
_MOST = 100


class Queue(msgspec.Struct, frozen=True):
    """One queue. `waiting` jobs are available or wait to be admitted; `later` are scheduled, or wait to be retried.

    `age_ms` is for how long the oldest of what goes next has been due. Rates are jobs a minute, over five minutes.
    """

    name: str
    waiting: int
    later: int
    age_ms: int | None
    executing: int
    slots: int | None
    per_minute: float
    failed_per_minute: float
    paused: bool


class Executing(msgspec.Struct, frozen=True):
    """A job that is under way, since `running_ms` ago."""

    id: int
    task: str
    queue: str
    attempt: int
    running_ms: int
    percent: float | None
    worker: str | None


class Worker(msgspec.Struct, frozen=True):
    """A worker with its slots; `alive` while it renews its lease."""

    id: int
    name: str
    pid: int | None
    up_ms: int
    rss_bytes: int | None
    slots: int | None
    jobs: int
    alive: bool


class Top(msgspec.Struct, frozen=True):
    """All of it, as it was `at` (milliseconds since 1970, UTC, by the database's clock)."""

    at: int
    queues: list[Queue]
    jobs: list[Executing]
    workers: list[Worker]
    limits: list[KeyState]


def look(app: Penstock) -> Top:
    """Queues by name, jobs the longest first, workers by age, and those keys whose limits are near their edge."""
    now = app.now_ms()
    rates = app.rates_by("queue", now - (_MINUTES + 1) * _MINUTE_MS, span="minute")
    queues = [Queue(each.queue, each.available + each.pending, each.scheduled + each.retryable, each.age_ms,
                    each.executing, each.slots, _rate(rates.get(each.queue), "completed"),
                    _rate(rates.get(each.queue), "discarded", "retryable"), each.paused_at is not None)
              for each in app.backlog()]
    jobs = [Executing(job.id, job.task, job.queue, job.attempt, max(now - (job.attempted_at or now), 0), job.percent,
                      job.worker) for job in app.jobs(state="executing", limit=_MOST).jobs]
    workers = [Worker(each.id, each.name, each.pid, max(each.now - each.started_at, 0), each.rss_bytes,
                      None if each.slots is None else sum(each.slots.values()), each.jobs, each.alive)
               for each in app.workers(limit=_MOST)]
    return Top(now, queues, sorted(jobs, key=lambda job: -job.running_ms), workers,
               app.limits_near_edge(_MOST))


def ordered(queues: list[Queue], order: Order) -> list[Queue]:
    """The queues as somebody wants them: by name, or the greatest first."""
    keys = {"waiting": lambda each: -each.waiting, "age": lambda each: -(each.age_ms or 0),
            "rate": lambda each: -each.per_minute}
    return sorted(sorted(queues, key=lambda each: each.name), key=keys.get(order, lambda each: 0))


def _rate(rates: Rates | None, *states: str) -> float:
    """Jobs a minute; the stretch that is not over is left out."""
    if rates is None or len(rates.at) < 2:
        return 0.0
    return sum(sum(rates.states[state][:-1]) for state in states) / (len(rates.at) - 1)
