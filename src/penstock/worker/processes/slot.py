"""A slot whose bodies run in a child: it has one ready before an attempt begins, and a fresh one when that is spent."""

import contextlib
import queue
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.domain.errors import NoWorkerProcess
from penstock.domain.jobs import Outcome
from penstock.events import ChildEnded
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor
from penstock.worker.processes.child import Child, go_on

_LONGEST_REST_SECONDS = 30.0
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Recycling:
    """After how many jobs, and from how much resident memory on, a child makes room for a fresh one; None: never."""

    max_jobs: int | None = None
    max_memory_mb: int | None = None

    def spent(self, child: Child, jobs: int = 0) -> bool:
        """Whether a child is to serve no more once it has served so many jobs more."""
        if self.max_jobs is not None and child.served + jobs >= self.max_jobs:
            return True
        return self.max_memory_mb is not None and child.resident_bytes > self.max_memory_mb * _MEBIBYTE


class ProcessSlot:
    """Runs attempts of one slot, one at a time. All but `kill`, `look` and `pid` belongs to its thread."""

    def __init__(self, executor: Executor, events: Events, modules: Mapping[str, str], recycling: Recycling) -> None:
        self._executor = executor
        self._events = events
        self._modules = modules
        self._recycling = recycling
        self._child: Child | None = None
        self._next: Child | None = None
        self._leaving: list[Child] = []
        self._failures = 0

    def run(self, attempt: Attempt) -> Outcome:
        """Run an attempt as on a thread; its body is called in the child."""
        if self._leaving:
            self._leaving = [each for each in self._leaving if not each.gone()]
        try:
            child = self._ready(attempt)
        except Exception as error:
            return self._executor.refused(attempt, error)
        last = self._recycling.spent(child, jobs=1)
        if last:
            self._prepare()  # so that the next job waits for no import
        attempt.apart = child.call
        outcome = self._executor.run(attempt)
        outcome.written = outcome.written or child.killed  # whoever killed it has settled its job
        if not child.alive:
            self._leave("died")
        elif last or self._recycling.spent(child):
            self._leave("recycled")
            self._prepare()
        return outcome

    def _ready(self, attempt: Attempt) -> Child:
        if self._child is not None and not self._child.alive:
            self._leave("died")
        if self._child is None:
            if self._failures and self._next is None:
                attempt.stopping.wait(min(2.0 ** self._failures / 4, _LONGEST_REST_SECONDS))
                go_on(attempt)
            try:
                self._child, self._next = self._next or Child(self._modules), None
            except NoWorkerProcess:
                self._failures += 1
                raise
        try:
            self._child.ready(attempt)
        except NoWorkerProcess:
            self._failures += 1
            self._leave("died")
            raise
        self._failures = 0
        return self._child

    def _prepare(self) -> None:
        if self._next is None:
            with contextlib.suppress(NoWorkerProcess):  # the next job is told, if it still cannot be
                self._next = Child(self._modules)

    def _leave(self, reason: str) -> None:
        """Go on without this child, and do not wait until it has ended."""
        child, self._child = self._child, None
        assert child is not None
        self._events.emit(ChildEnded(pid=child.pid, served=child.served, how=child.how,
                                     reason="killed" if child.killed else reason,
                                     resident_mb=child.resident_bytes // _MEBIBYTE))
        child.dismiss()
        self._leaving.append(child)

    @property
    def pid(self) -> int | None:
        """Of its child, where it has one. From any thread."""
        return None if (child := self._child) is None else child.pid

    def look(self, job_id: int) -> "queue.SimpleQueue[tuple[str, ...]] | None":
        """Ask its child where the body of a job is. From any thread."""
        return None if (child := self._child) is None else child.look(job_id)

    def kill(self) -> None:
        """End the child at once, with the body that runs in it. From any thread."""
        if (child := self._child) is not None:
            child.kill()

    def close(self) -> None:
        """End the children, and wait until they have ended."""
        found = [child for child in (self._child, self._next, *self._leaving) if child is not None]
        self._child = self._next = None
        self._leaving = []
        for child in found:
            child.dismiss()
        for child in found:
            child.gone(wait=True)
