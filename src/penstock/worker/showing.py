"""What the slots of a worker are doing at this moment, looked at from another thread."""

import asyncio
import contextlib
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any, NamedTuple

from penstock.domain.stacks import Runs, SlotStack, Stacks
from penstock.observe.stacks import task_stack, thread_stack
from penstock.queue.attempt import Attempt

_MOST_SLOTS = 50
_ANSWER_SECONDS = 0.5
"""So long children have to say where their bodies are, all together: one whose body holds the interpreter cannot."""

Answer = queue.SimpleQueue[tuple[str, ...]]


class Place(NamedTuple):
    """Where an attempt runs: on a thread, by its number, or as a task of a loop with its thread; else in a process,
    which a `look` asks where the body of a job is. What called the code that it `begins` with is not the attempt's."""

    attempt: Attempt
    thread_id: int | None
    task: "asyncio.Task[Any] | None" = None
    pid: int | None = None
    look: Callable[[int], Answer | None] | None = None
    begins: CodeType | None = None


def stacks(places: Callable[[], Iterable[Place]]) -> Stacks:
    """The stacks of what runs. What began or ended while it was looked at is left out: it would be told of wrongly."""
    now = time.monotonic()
    before = {place.attempt: place for place in places()}
    begun = sorted(before.values(), key=lambda place: place.attempt.started_at or now)
    shown = begun[:_MOST_SLOTS]
    apart = _looked(shown)
    told = [(place.attempt, _told(place, now, apart.get(place.attempt, ()))) for place in shown]
    lasting = {place.attempt for place in places() if not place.attempt.finished}
    left = sum(place.attempt in lasting for place in begun[_MOST_SLOTS:])
    return Stacks(tuple(stack for attempt, stack in told if attempt in lasting), left)


def _looked(places: Sequence[Place]) -> dict[Attempt, tuple[str, ...]]:
    """Where the bodies are that run in processes: all are asked, and then waited for."""
    asked = [(place.attempt, answer) for place in places
             if place.look is not None and (answer := place.look(place.attempt.job.id)) is not None]
    until = time.monotonic() + _ANSWER_SECONDS
    found = {}
    for attempt, answer in asked:
        with contextlib.suppress(queue.Empty):
            found[attempt] = answer.get(timeout=max(until - time.monotonic(), 0.001))
    return found


def _told(place: Place, now: float, apart: tuple[str, ...]) -> SlotStack:
    attempt = place.attempt
    ran_ms = round((now - attempt.started_at) * 1000) if attempt.started_at else 0
    runs: Runs = "process"
    shown = apart
    if place.task is not None and place.thread_id is not None:
        runs, shown = "loop", task_stack(place.task, place.thread_id)
    elif place.thread_id is not None:
        runs, shown = "thread", thread_stack(place.thread_id, place.begins)
    return SlotStack(attempt.job.id, attempt.job.task, runs, ran_ms, shown, place.pid)
