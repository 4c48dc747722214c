"""A pool of processes: the threads of a `ThreadPool`, each with a child of its own."""

import os
from collections.abc import Mapping

from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor
from penstock.worker.pools import Finished, Slot, ThreadPool
from penstock.worker.processes.slot import ProcessSlot, Recycling
from penstock.worker.showing import Place
from penstock.worker.traced import Tracer


class ProcessPool(ThreadPool):
    """Takes attempts at once and calls the bodies of as many together as it has slots, each in a long-lived child.

    A child is started by the thread of its slot, when its first attempt comes: the kernel ends a child with the thread
    that has started it. Children import the modules of all the tasks in `modules` before they serve. The child of an
    attempt that is abandoned is killed, so that unlike of a thread nothing of it lives on.
    """

    end_seconds = 10.0

    def __init__(self, slots: int, executor: Executor, finished: Finished, tracer: Tracer | None = None, *,
                 events: Events, modules: Mapping[str, str], recycling: Recycling) -> None:
        super().__init__(slots, executor, finished, tracer)
        self._events = events
        self._modules = modules
        self._recycling = recycling
        self._hosts: dict[Slot, ProcessSlot] = {}

    def _runner(self, slot: Slot) -> ProcessSlot:
        host = self._hosts[slot] = ProcessSlot(self._executor, self._events, self._modules, self._recycling)
        return host

    def _left(self, slot: Slot) -> None:
        self._hosts.pop(slot).close()

    def places(self) -> list[Place]:
        """What runs here has its stack in another process, which is to be asked for it."""
        return [Place(attempt, None, pid=host.pid, look=host.look) for slot, host in self._hosts.copy().items()
                if (attempt := slot.attempt) is not None]

    def replace(self, attempt: Attempt) -> None:
        self._kill(attempt)
        super().replace(attempt)

    def _kill(self, attempt: Attempt) -> None:
        for slot, host in list(self._hosts.items()):
            if slot.attempt is attempt:
                host.kill()

    def close(self) -> None:
        """End the threads and their children. Bodies that still run are killed: their jobs have been given back."""
        for attempt in self.running():
            self._kill(attempt)
        super().close()


def cores() -> int:
    """How many processes may compute at once."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
