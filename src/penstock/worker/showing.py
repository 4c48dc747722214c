"""What the slots of a worker are doing at this moment, looked at from another thread."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from penstock.domain.stacks import Runs, SlotStack, Stacks
from penstock.observe.stacks import task_stack, thread_stack
from penstock.queue.attempt import Attempt

_MOST_SLOTS = 50


class Place(NamedTuple):
    """Where an attempt runs: on a thread, by its number, or as a task of a loop with its thread; else in a process."""

    attempt: Attempt
    thread_id: int | None
    task: "asyncio.Task[Any] | None" = None
    pid: int | None = None


def stacks(places: Callable[[], Iterable[Place]]) -> Stacks:
    """The stacks of what runs. What began or ended while it was looked at is left out: it would be told of wrongly."""
    now = time.monotonic()
    before = {place.attempt: place for place in places()}
    begun = sorted(before.values(), key=lambda place: place.attempt.started_at or now)
    told = [(place.attempt, _told(place, now)) for place in begun[:_MOST_SLOTS]]
    lasting = {place.attempt for place in places() if not place.attempt.finished}
    left = sum(place.attempt in lasting for place in begun[_MOST_SLOTS:])
    return Stacks(tuple(stack for attempt, stack in told if attempt in lasting), left)


def _told(place: Place, now: float) -> SlotStack:
    attempt = place.attempt
    ran_ms = round((now - attempt.started_at) * 1000) if attempt.started_at else 0
    runs: Runs = "process"
    shown: tuple[str, ...] = ()
    if place.task is not None and place.thread_id is not None:
        runs, shown = "loop", task_stack(place.task, place.thread_id)
    elif place.thread_id is not None:
        runs, shown = "thread", thread_stack(place.thread_id)
    return SlotStack(attempt.job.id, attempt.job.task, runs, ran_ms, shown, place.pid)
