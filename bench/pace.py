"""For the measurement of latency: enqueuing at a steady pace, and a worker that serves for as long as it is wanted.

Nothing but the standard library is used: the peers' drivers run where Penstock is not installed.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable


def serve() -> None:
    """Say that the worker is ready, and wait until standard input ends."""
    print("ready", flush=True)
    sys.stdin.read()


async def aserve() -> None:
    """The same on an event loop."""
    await asyncio.to_thread(serve)


def _due(count: int, rate: float) -> list[float]:
    began = time.monotonic() + 0.1
    return [began + number / rate for number in range(count)]


def paced(count: int, rate: float, enqueue: Callable[[int], object]) -> None:
    """Call `enqueue` with the present time in ns of the monotonic clock, `rate` times a second."""
    for due in _due(count, rate):
        time.sleep(max(due - time.monotonic(), 0))
        enqueue(time.monotonic_ns())


async def apaced(count: int, rate: float, enqueue: Callable[[int], Awaitable[object]]) -> None:
    """The same on an event loop."""
    for due in _due(count, rate):
        await asyncio.sleep(max(due - time.monotonic(), 0))
        await enqueue(time.monotonic_ns())
