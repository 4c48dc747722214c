"""Where the bodies of tasks run. Each kind of pool is a room of its own in a worker, with the slots of its queue."""

import sys
from enum import IntEnum


class Pool(IntEnum):
    """Kinds of pools: numbers from 0 on, so that they count in lists."""

    THREADS = 0
    LOOP = 1
    PROCESSES = 2


def pool_of(asked: str | None, is_async: bool) -> Pool:
    """Where the bodies of a task run. Where the interpreter has no global lock, threads do the same for less."""
    if is_async:
        return Pool.LOOP
    if asked == "process" and getattr(sys, "_is_gil_enabled", lambda: True)():
        return Pool.PROCESSES
    return Pool.THREADS
