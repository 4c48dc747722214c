"""The stack of a thread or of a task of an event loop, as text for people: names and places, no value of anything."""

import asyncio
import os
from collections.abc import Callable
from operator import attrgetter
from types import CodeType
from typing import Any

from penstock.observe import frames
from penstock.observe.sampler import ROOTS

_DEEPEST = 60
_LONGEST = 200
_AWAITS: Callable[[Any], tuple[CodeType, int | None, Any]] = attrgetter("cr_code", "cr_frame.f_lineno", "cr_await")
_YIELDS: Callable[[Any], tuple[CodeType, int | None, Any]] = attrgetter("gi_code", "gi_frame.f_lineno", "gi_yieldfrom")


def thread_stack(thread_id: int, begins: CodeType | None = None) -> tuple[str, ...]:
    """The frames that are the user's, the outermost first; of very many the innermost. `begins`: below it lies none."""
    found: list[tuple[CodeType, int | None]] = []
    for place in frames.places(thread_id, _DEEPEST):
        found.append(place)
        if place[0] is begins:
            break
    found.reverse()
    return _told(found)


def task_stack(task: "asyncio.Task[Any]", thread_id: int) -> tuple[str, ...]:
    """Where a task waits; where it runs just now, what the thread of its loop does."""
    coroutine: Any = task.get_coro()
    if asyncio.current_task(task.get_loop()) is task:
        return thread_stack(thread_id, getattr(coroutine, "cr_code", None))
    found: list[tuple[CodeType, int | None]] = []
    while coroutine is not None and len(found) < _DEEPEST:
        asked = _AWAITS if hasattr(coroutine, "cr_code") else _YIELDS
        try:
            code, line, coroutine = asked(coroutine)  # in one step: it may go on at any time
        except AttributeError:  # it has ended, or is none of Python's
            break
        found.append((code, line))
    return _told(found)


def _told(found: list[tuple[CodeType, int | None]]) -> tuple[str, ...]:
    first = next((place for place, (code, _) in enumerate(found) if not code.co_filename.startswith(ROOTS)), len(found))
    return tuple(_words(code, line) for code, line in found[first:])


def _words(code: CodeType, line: int | None) -> str:
    directory, file = os.path.split(code.co_filename)
    place = f"{os.path.join(os.path.basename(directory), file)}:{line or code.co_firstlineno}"
    return f"{code.co_qualname} ({place})"[:_LONGEST]
