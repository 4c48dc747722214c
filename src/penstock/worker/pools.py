"""Where attempts run: long-lived threads for `def`, one event loop for `async def`. Never a fork per job."""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from penstock.domain.jobs import Outcome
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor
from penstock.worker.showing import Place
from penstock.worker.traced import Runner, TracedLoop, TracedSlot, Tracer

Finished = Callable[[Attempt, Outcome], None]


_LOOK_SECONDS = 0.001
_MOST_SECONDS = 5.0


class Slot:
    __slots__ = ("attempt", "ended", "thread_id")

    def __init__(self) -> None:
        self.attempt: Attempt | None = None
        self.thread_id: int | None = None
        self.ended = False


class ThreadPool:
    """Takes attempts at once and runs as many together as it has slots; the others wait in it.

    At most one thread per slot, begun when first needed. They are daemons, so that a task which never ends cannot keep
    the process from ending.
    """

    end_seconds = 0.2  # how long `close` waits for each of them

    def __init__(self, slots: int, executor: Executor, finished: Finished, tracer: Tracer | None = None) -> None:
        self._size = slots
        self._executor = executor
        self._finished = finished
        self._tracer = tracer
        self._queue: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._slots: list[Slot] = []
        self._threads: list[threading.Thread] = []
        self._growing = threading.Lock()
        self._closed = False
        self.waiting = self._queue.qsize

    def submit(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._queue.put(attempt)
        missing = self._size - len(self._slots)
        if missing > 0:
            busy = sum(slot.attempt is not None for slot in self._slots)
            for _ in range(min(missing, busy + self._queue.qsize() - len(self._slots))):
                self._add()

    def _add(self) -> None:
        slot = Slot()
        thread = threading.Thread(target=self._serve, args=(slot,), name="penstock-slot", daemon=True)
        with self._growing:
            if self._closed:
                return  # nobody would tell it to end
            self._slots.append(slot)
            self._threads.append(thread)
            thread.start()

    def _serve(self, slot: Slot) -> None:
        slot.thread_id = threading.get_ident()
        runner = self._runner(slot)
        traced = None if self._tracer is None else TracedSlot(self._tracer, runner)
        get, run, finished = self._queue.get, runner.run if traced is None else traced.run, self._finished
        try:
            while (attempt := get()) is not None:
                slot.attempt = attempt
                outcome = run(attempt)
                outcome.late = not attempt.end()
                finished(attempt, outcome)
                if outcome.late:
                    return  # another thread has this one's slot, or is about to
                slot.attempt = None  # not before its outcome is on its way: a worker that stops goes by this
        finally:
            slot.ended = True
            if traced is not None:
                traced.close()
            self._left(slot)

    def _runner(self, slot: Slot) -> Runner:
        """What runs the attempts of a slot; asked for once, on its thread."""
        return self._executor

    def _left(self, slot: Slot) -> None:
        """The thread of a slot ends."""

    def running(self) -> list[Attempt]:
        """The attempts that are inside a slot."""
        return [attempt for slot in tuple(self._slots) if (attempt := slot.attempt) is not None]

    def places(self) -> list[Place]:
        return [Place(attempt, slot.thread_id) for slot in list(self._slots) if (attempt := slot.attempt) is not None]

    def withdraw(self) -> list[Attempt]:
        """Take back what has not begun, once and for all: slots that are free end.

        What is not given back here is `running` from now on until it has ended. A thread that has just taken an attempt
        and not noted it yet would be neither, so it is waited for: to note it costs less than to lock for each job.
        """
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                if (attempt := self._queue.get_nowait()) is not None:
                    found.append(attempt)
        slots = tuple(self._slots)
        for _ in slots:
            self._queue.put(None)
        until = time.monotonic() + _MOST_SECONDS  # it takes microseconds, unless something holds the interpreter
        while any(slot.attempt is None and not slot.ended for slot in slots) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        return found

    def replace(self, attempt: Attempt) -> None:
        """Go on without an attempt that does not end: its slot is for others."""
        for slot in tuple(self._slots):
            if slot.attempt is attempt:
                self._slots.remove(slot)
                self._add()
                return

    def close(self) -> None:
        """Ask the threads to end; those inside a task are left to it."""
        with self._growing:  # an attempt may be abandoned, and its slot replaced, just now
            self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(self.end_seconds if thread.is_alive() else 0)


class EventLoop:
    """An event loop in a thread of its own, begun when first needed, so that a task which blocks it delays no
    heartbeat. uvloop is used where it is installed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def thread_id(self) -> int | None:
        return None if self._thread is None else self._thread.ident

    def call(self, callback: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop's thread."""
        with self._lock:
            if self._loop is None:
                self._loop = _new_loop()
                self._thread = threading.Thread(target=self._main, args=(self._loop,), name="penstock-loop",
                                                daemon=True)
                self._thread.start()
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(callback, *args)

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        left = set(self.tasks)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=1))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def close(self) -> None:
        if self._loop is not None and self._thread is not None:
            self.call(self._loop.stop)
            self._thread.join(2)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class LoopPool:
    """A `ThreadPool` for `async def`, on the event loop. Anybody may call `submit`, `withdraw`, `running` and
    `replace`; all else is on the loop's thread."""

    def __init__(self, slots: int, loop: EventLoop, executor: Executor, finished: Finished,
                 tracer: Tracer | None = None) -> None:
        self._size = slots
        self._loop = loop
        self._traced = None if tracer is None else TracedLoop(tracer, executor)
        self._run = executor.arun if self._traced is None else self._traced.run
        self._finished = finished
        self._waiting: deque[Attempt] = deque()
        self._running: dict[Attempt, asyncio.Task[Any] | None] = {}

    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        self._waiting.extend(attempts)
        self._loop.call(self._fill)

    def _fill(self) -> None:
        while len(self._running) < self._size:
            if (attempt := self._taken()) is None:
                return
            task = asyncio.get_running_loop().create_task(self._one(attempt))
            attempt.interrupt = lambda attempt=attempt: self._loop.call(self._cancel, attempt)
            self._running[attempt] = task
            self._loop.tasks.add(task)

    def _taken(self) -> Attempt | None:
        """The next that waits; it is noted before it is taken, since who stops goes by what waits and what runs."""
        try:
            attempt = self._waiting[0]
        except IndexError:
            return None
        self._running[attempt] = None
        try:
            self._waiting.popleft()  # only here, so it is the same
        except IndexError:  # withdrawn just now
            del self._running[attempt]
            return None
        return attempt

    def _cancel(self, attempt: Attempt) -> None:
        task = self._running.get(attempt)
        if task is not None and not attempt.finished:  # what it came to is not to be lost on its way to the store
            task.cancel()

    async def _one(self, attempt: Attempt) -> None:
        try:
            outcome = await self._run(attempt)
            outcome.late = not attempt.end()
            self._finished(attempt, outcome)
        finally:
            task = self._running.pop(attempt, None)
            if task is not None:
                self._loop.tasks.discard(task)
            if self._waiting:
                self._fill()

    def running(self) -> list[Attempt]:
        return list(self._running)

    def places(self) -> list[Place]:
        return [Place(attempt, self._loop.thread_id, task) for attempt, task in self._running.copy().items()
                if task is not None]

    def withdraw(self) -> list[Attempt]:
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._waiting.pop())  # from behind: what is in front may be being taken
        found.reverse()
        return found

    def replace(self, attempt: Attempt) -> None:
        self._loop.call(self._without, attempt)

    def close(self) -> None:
        """Nothing more is begun here."""
        if self._traced is not None:
            self._traced.close()

    def _without(self, attempt: Attempt) -> None:
        self._running.pop(attempt, None)
        self._fill()
