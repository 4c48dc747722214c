"""What the slots of a worker are doing at this moment, looked at from another thread."""

import asyncio
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NamedTuple

from penstock.domain.stacks import Runs, SlotStack, Stacks
from penstock.observe.sampler import current_frames
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
    before = {place.attempt: place for place in places()}
    frames = current_frames()
    lasting = {place.attempt for place in places()}
    now = time.monotonic()
    found = [place for attempt, place in before.items() if attempt in lasting and not attempt.finished]
    found.sort(key=lambda place: place.attempt.started_at or now)
    told = tuple(_told(place, frames, now) for place in found[:_MOST_SLOTS])
    return Stacks(told, len(found) - len(told))


def _told(place: Place, frames: dict[int, FrameType], now: float) -> SlotStack:
    attempt, frame = place.attempt, None if place.thread_id is None else frames.get(place.thread_id)
    ran_ms = round((now - attempt.started_at) * 1000) if attempt.started_at else 0
    runs: Runs = "process"
    shown: tuple[str, ...] = ()
    if place.task is not None:
        runs, shown = "loop", task_stack(place.task, frame)
    elif place.thread_id is not None:
        runs, shown = "thread", thread_stack(frame)
    return SlotStack(attempt.job.id, attempt.job.task, runs, ran_ms, shown, place.pid)
