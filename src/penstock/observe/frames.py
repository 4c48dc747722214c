"""The frames of another thread, walked in one go.

A walk by `frame.f_back` in Python lets the other thread run between its steps. On 3.11 a frame that is then returned
from may be read after it was freed, which ends the whole process
(https://github.com/getsentry/sentry-python/issues/2386, https://github.com/python/cpython/issues/111363). So the walk
is a chain of iterators written in C, used up by one call: the interpreter gives way to other threads only between the
instructions of Python code, and there is none in it. It keeps no frame.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, islice, repeat
from operator import attrgetter, itemgetter
from types import CodeType
from typing import Any, TypeVar

T = TypeVar("T")

_code: Callable[[Any], CodeType] = attrgetter("f_code")
_place: Callable[[Any], tuple[CodeType, int | None]] = attrgetter("f_code", "f_lineno")
_SAFE: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Without a global lock nothing keeps the other thread where it is."""


def codes(thread_id: int, most: int) -> list[CodeType]:
    """What a thread is in, the innermost first, `most` at most; nothing of one that has ended."""
    return _walked(thread_id, _code, most)


def places(thread_id: int, most: int) -> list[tuple[CodeType, int | None]]:
    """The same with the lines."""
    return _walked(thread_id, _place, most)


def _walked(thread_id: int, told: Callable[[Any], T], most: int) -> list[T]:
    found: list[T] = []
    if not _SAFE:
        return found
    innermost: Iterator[Any] = islice(map(itemgetter(thread_id), iter(sys._current_frames, None)), 1)
    # It ends at what has no such attribute: below the outermost frame is None, from the deepest it goes on to its code.
    walk = map(told, accumulate(chain(innermost, repeat("f_back", most - 1), ("f_code",)), getattr))
    # Up to Python 3.11 garbage may be collected in the middle of `_current_frames`, which can lock up the process
    # (https://github.com/python/cpython/issues/106883), and finalizers would be Python code in the middle of a walk.
    put_off = sys.version_info < (3, 12) and gc.isenabled()
    if put_off:
        gc.disable()
    try:
        found.extend(walk)
    except (AttributeError, KeyError):
        pass
    finally:
        if put_off:
            gc.enable()
    return found
