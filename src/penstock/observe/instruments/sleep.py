"""`time.sleep` and `asyncio.sleep`: what is slept counts for its own phase. A module that has imported the function
itself before keeps the one it has."""

import asyncio
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from penstock.observe.instruments.patches import Patches
from penstock.observe.trace import SLEPT, active

LIBRARY = "time"


def install(patches: Patches) -> None:
    patches.wrap(time, "sleep", _sleeping)
    for module in (asyncio, asyncio.tasks):
        patches.wrap(module, "sleep", _sleeping_async)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether Penstock itself waits: what it waits for has a phase of its own."""
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("penstock.")


def _sleeping(original: Callable[..., Any]) -> Callable[..., Any]:
    def sleep(seconds: Any, /) -> Any:
        trace = active.get()
        if trace is None or _is_ours(sys._getframe(1)):
            return original(seconds)
        trace.enter(SLEPT)
        try:
            return original(seconds)
        finally:
            trace.leave(SLEPT)

    return sleep


def _sleeping_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def sleep(*args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or _is_ours(sys._getframe(1)):
            return await original(*args, **options)
        trace.enter(SLEPT)
        try:
            return await original(*args, **options)
        finally:
            trace.leave(SLEPT)

    return sleep
