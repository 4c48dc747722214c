"""Where a drain runs attempts: on threads and a loop that last no longer than it, or here, in the caller's thread."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from penstock.domain.jobs import Outcome
from penstock.domain.pools import Pool
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor
from penstock.worker.inline import PrivateLoop
from penstock.worker.pools import EventLoop, LoopPool, ThreadPool
from penstock.worker.showing import Place
from penstock.worker.traced import TracedLoop, TracedSlot, Tracer

Finished = Callable[[Attempt, Outcome], None]


class Slots(Protocol):
    """Room for some attempts at once. `finished` is told of each, on whichever thread it ran."""

    size: int

    def begin(self, attempt: Attempt) -> None: ...

    def running(self) -> list[Attempt]: ...

    def places(self) -> list[Place]: ...

    def replace(self, attempt: Attempt) -> None:
        """Go on without an attempt that does not end."""
        ...

    def close(self) -> None: ...


class Here:
    """The caller's thread: `begin` returns when the attempt has ended. Others may ask meanwhile what it is doing."""

    size = 1
    _place: Place | None = None

    def __init__(self, executor: Executor, finished: Finished, tracer: Tracer | None = None) -> None:
        self._executor = executor
        self._finished = finished
        self._loop = PrivateLoop()
        self._tracer = tracer
        self._traced: tuple[TracedSlot, TracedLoop] | None = None

    def begin(self, attempt: Attempt) -> None:
        if self._tracer is not None and self._traced is None:
            self._traced = TracedSlot(self._tracer, self._executor), TracedLoop(self._tracer, self._executor)
        run, arun = ((self._executor.run, self._executor.arun) if self._traced is None else
                     (self._traced[0].run, self._traced[1].run))
        asynchronous = self._executor.is_async(attempt.job.task)
        self._place = Place(attempt, threading.get_ident(), begins=Here.begin.__code__)
        try:
            outcome = self._loop.run(self._noted(attempt, arun)) if asynchronous else run(attempt)
        finally:
            self._place = None
        self._finished(attempt, outcome)

    async def _noted(self, attempt: Attempt, arun: Callable[[Attempt], Awaitable[Outcome]]) -> Outcome:
        self._place = Place(attempt, threading.get_ident(), asyncio.current_task())
        return await arun(attempt)

    def running(self) -> list[Attempt]:
        return [each.attempt for each in self.places()]

    def places(self) -> list[Place]:
        return [place] if (place := self._place) is not None else []

    def replace(self, attempt: Attempt) -> None:
        """Nobody can: its thread is the caller's."""

    def close(self) -> None:
        self._loop.close()
        for traced in self._traced or ():
            traced.close()


class Beside:
    """Threads for `def` and an event loop for `async def`, begun when first needed; at most `size` attempts in all."""

    def __init__(self, size: int, executor: Executor, finished: Finished, tracer: Tracer | None = None) -> None:
        self.size = size
        self._executor = executor
        self._event_loop = EventLoop()
        self._threads = ThreadPool(size, executor, finished, tracer)
        self._loop = LoopPool(size, self._event_loop, executor, finished, tracer)

    def begin(self, attempt: Attempt) -> None:
        attempt.pool = Pool.LOOP if self._executor.is_async(attempt.job.task) else Pool.THREADS
        (self._loop if attempt.pool is Pool.LOOP else self._threads).submit([attempt])

    def running(self) -> list[Attempt]:
        return self._threads.running() + self._loop.running()

    def places(self) -> list[Place]:
        return self._threads.places() + self._loop.places()

    def replace(self, attempt: Attempt) -> None:
        (self._loop if attempt.pool is Pool.LOOP else self._threads).replace(attempt)

    def close(self) -> None:
        self._event_loop.close()
        self._threads.close()
        self._loop.close()
