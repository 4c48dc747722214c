"""Where attempts run: long-lived threads for `def`, one event loop for `async def`. Never a fork per job."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from penstock.domain.jobs import Settled
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor

Finished = Callable[[Attempt, Settled], None]


class Pool(Protocol):
    """A pool takes an attempt at once; the worker gives it no more than it has slots."""

    def submit(self, attempt: Attempt) -> None: ...

    def close(self) -> None: ...


class ThreadPool:
    """One thread per slot. They are daemons, so that a task which never ends cannot keep the process from ending."""

    def __init__(self, slots: int, executor: Executor, finished: Finished) -> None:
        self._executor = executor
        self._finished = finished
        self._queue: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._loop, name=f"penstock-slot-{number}", daemon=True)
            for number in range(1, slots + 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, attempt: Attempt) -> None:
        self._queue.put(attempt)

    def _loop(self) -> None:
        while (attempt := self._queue.get()) is not None:
            self._finished(attempt, self._executor.run(attempt))

    def close(self) -> None:
        """Ask the threads to end; those inside a task are left to it."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(0.2 if thread.is_alive() else 0)


class LoopPool:
    """An event loop in a thread of its own, so that a task which blocks it delays no heartbeat."""

    def __init__(self, executor: Executor, finished: Finished) -> None:
        self._executor = executor
        self._finished = finished
        self._loop = asyncio.new_event_loop()
        self._running: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._main, name="penstock-loop", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for task in self._running:
            task.cancel()
        if self._running:
            self._loop.run_until_complete(asyncio.wait(self._running, timeout=1))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def submit(self, attempt: Attempt) -> None:
        self._loop.call_soon_threadsafe(self._begin, attempt)

    def _begin(self, attempt: Attempt) -> None:
        task = self._loop.create_task(self._one(attempt))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _one(self, attempt: Attempt) -> None:
        self._finished(attempt, await self._executor.arun(attempt))

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)
