"""Jobs of chunk tasks between their claim and their call: gathered by task, until there are enough, or the first of
them has waited long enough.

What is gathered is leased, and has not begun: whoever stops gives it back. One thread adds and takes; others may look
how many there are.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from penstock.domain.chunks import Chunk
from penstock.domain.jobs import Claimed
from penstock.queue.attempt import Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.task import Task
from penstock.worker.timebox import Monotonic

Called = Callable[[list[Claimed], Identity, dict[int, float]], ChunkAttempt]
"""Makes a call of jobs, with the identity that claimed them, and those of their deadlines that there are."""


class _Group:
    """The jobs of one task, until when the first of them waits, and how many there are to be."""

    __slots__ = ("deadlines", "identity", "jobs", "size", "until")

    def __init__(self, identity: Identity, size: int, until: float) -> None:
        self.jobs: list[Claimed] = []
        self.deadlines: dict[int, float] = {}
        self.identity = identity
        self.size = size
        self.until = until


class Gathering:
    """What is gathered in one place. `called` makes an attempt of a group that is complete."""

    def __init__(self, called: Called, monotonic: Monotonic = time.monotonic) -> None:
        self._called = called
        self._monotonic = monotonic
        self._groups: dict[str, _Group] = {}
        self.count = 0

    def add(self, job: Claimed, chunk: Chunk, identity: Identity) -> ChunkAttempt | None:
        """Take a job in; return the call that it completes, if it does."""
        group = self._groups.get(job.task)
        if group is None:
            group = self._groups[job.task] = _Group(identity, chunk.size, self._monotonic() + chunk.wait)
        group.jobs.append(job)
        self.count += 1
        if job.deadline_ms is not None:
            group.deadlines[job.id] = time.monotonic() + job.deadline_ms / 1000
        return self._taken(job.task) if len(group.jobs) >= group.size else None

    def of_others(self, identity: Identity) -> list[ChunkAttempt]:
        """The calls of what was claimed before the worker lost its row: it is not mixed with what it claimed since."""
        return [self._taken(name) for name, group in list(self._groups.items()) if group.identity is not identity]

    def due(self) -> list[ChunkAttempt]:
        """The calls of which the first job has waited long enough."""
        now = self._monotonic()
        return [self._taken(name) for name, group in list(self._groups.items()) if group.until <= now]

    def rest(self) -> list[ChunkAttempt]:
        """All that there is: nothing more is to come, or nothing more may begin."""
        return [self._taken(name) for name in list(self._groups)]

    def missing(self) -> int:
        """How many jobs more would complete all that was begun to gather."""
        return sum(group.size - len(group.jobs) for group in self._groups.values())

    def places(self) -> float:
        """How many slots there will be need of for what is gathered: a part of one for each task."""
        return sum(len(group.jobs) / group.size for group in self._groups.values())

    def seconds_left(self) -> float | None:
        """Until something is due; None where nothing is gathered."""
        if not self._groups:
            return None
        return max(min(group.until for group in self._groups.values()) - self._monotonic(), 0.0)

    def _taken(self, name: str) -> ChunkAttempt:
        group = self._groups.pop(name)
        self.count -= len(group.jobs)
        return self._called(group.jobs, group.identity, group.deadlines)


class Chunks(dict[str, Chunk]):
    """The chunk tasks of an app, by name: looked up anew when tasks have been declared since."""

    def __init__(self, tasks: Mapping[str, Task[Any, Any]]) -> None:
        super().__init__()
        self._tasks = tasks
        self._known = 0

    def current(self) -> "Chunks":
        if self._known != len(self._tasks):
            self._known = len(self._tasks)
            self.update((name, task.rules.chunk) for name, task in list(self._tasks.items())
                        if task.rules.chunk is not None)
        return self
