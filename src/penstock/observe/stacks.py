"""The stack of a thread or of a task of an event loop, as text for people: names and places, no value of anything."""

import asyncio
import os
from types import CodeType, FrameType
from typing import Any

from penstock.observe.sampler import ROOTS

_DEEPEST = 60
_LONGEST = 200


def thread_stack(frame: FrameType | None, begins: CodeType | None = None) -> tuple[str, ...]:
    """The frames that are the user's, the outermost first; of very many the innermost. `begins`: below it lies none."""
    found: list[tuple[CodeType, int]] = []
    while frame is not None and len(found) < _DEEPEST:
        found.append((frame.f_code, frame.f_lineno))
        if frame.f_code is begins:
            break
        frame = frame.f_back
    found.reverse()
    return _told(found)


def task_stack(task: "asyncio.Task[Any]", frame: FrameType | None) -> tuple[str, ...]:
    """Where a task waits; where it runs just now, what the thread of its loop does, whose innermost frame is given."""
    coroutine: Any = task.get_coro()
    if asyncio.current_task(task.get_loop()) is task:
        return thread_stack(frame, getattr(coroutine, "cr_code", None))
    found: list[tuple[CodeType, int]] = []
    while coroutine is not None and len(found) < _DEEPEST:
        code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
        if code is None:
            break
        at: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        found.append((code, code.co_firstlineno if at is None else at.f_lineno))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return _told(found)


def _told(found: list[tuple[CodeType, int]]) -> tuple[str, ...]:
    first = next((place for place, (code, _) in enumerate(found) if not code.co_filename.startswith(ROOTS)), len(found))
    return tuple(_words(code, line) for code, line in found[first:])


def _words(code: CodeType, line: int) -> str:
    directory, file = os.path.split(code.co_filename)
    return f"{code.co_qualname} ({os.path.join(os.path.basename(directory), file)}:{line})"[:_LONGEST]
