"""Waiting for real processes: by looking again and again, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.005


def until(what: str, look: Callable[[], T], seconds: float = 30.0) -> T:
    """The first true value that `look` gives; the test fails if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        time.sleep(_POLL_SECONDS)
