"""Where a drain runs attempts: on threads and a loop that last no longer than it, or here, in the caller's thread."""

from collections.abc import Callable
from typing import Protocol

from penstock.domain.jobs import Outcome
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor
from penstock.worker.inline import PrivateLoop, outcome_of
from penstock.worker.pools import EventLoop, LoopPool, ThreadPool

Finished = Callable[[Attempt, Outcome], None]


class Slots(Protocol):
    """Room for some attempts at once. `finished` is told of each, on whichever thread it ran."""

    size: int

    def begin(self, attempt: Attempt) -> None: ...

    def running(self) -> list[Attempt]: ...

    def replace(self, attempt: Attempt) -> None:
        """Go on without an attempt that does not end."""
        ...

    def close(self) -> None: ...


class Here:
    """The caller's thread: `begin` returns when the attempt has ended."""

    size = 1

    def __init__(self, executor: Executor, finished: Finished) -> None:
        self._executor = executor
        self._finished = finished
        self._loop = PrivateLoop()

    def begin(self, attempt: Attempt) -> None:
        self._finished(attempt, outcome_of(attempt, self._executor, self._loop))

    def running(self) -> list[Attempt]:
        return []

    def replace(self, attempt: Attempt) -> None:
        """Nobody can: its thread is the caller's."""

    def close(self) -> None:
        self._loop.close()


class Beside:
    """Threads for `def` and an event loop for `async def`, begun when first needed; at most `size` attempts in all."""

    def __init__(self, size: int, executor: Executor, finished: Finished) -> None:
        self.size = size
        self._executor = executor
        self._event_loop = EventLoop()
        self._threads = ThreadPool(size, executor, finished)
        self._loop = LoopPool(size, self._event_loop, executor, finished)

    def begin(self, attempt: Attempt) -> None:
        attempt.on_loop = self._executor.is_async(attempt.job.task)
        (self._loop if attempt.on_loop else self._threads).submit([attempt])

    def running(self) -> list[Attempt]:
        return self._threads.running() + self._loop.running()

    def replace(self, attempt: Attempt) -> None:
        (self._loop if attempt.on_loop else self._threads).replace(attempt)

    def close(self) -> None:
        self._threads.close()
        self._event_loop.close()
