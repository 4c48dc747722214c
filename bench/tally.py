"""Counts the jobs that ran in this process, and says when the first began and when the last ended.

It is in the body of every arm's job, so it does as little as it can. Nothing but the standard library is used: the
peers' drivers run where Penstock is not installed.
"""

import itertools
import json
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any


class Tally:
    """For `total` jobs: `begins()` in a body's first line where the body takes time, `ends()` in its last."""

    def __init__(self, total: int, then: Callable[[], object] = lambda: None) -> None:
        self.began = 0.0
        self.ended = 0.0
        self.done = threading.Event()
        self._total = total
        self._then = then
        self._count = itertools.count(1)

    def begins(self) -> None:
        if not self.began:
            self.began = perf_counter()

    def ends(self) -> None:
        if not self.began:
            self.began = perf_counter()
        if next(self._count) == self._total:
            self.ended = perf_counter()
            self.done.set()
            self._then()

    @property
    def seconds(self) -> float:
        """From the first body's beginning to the last body's end."""
        return self.ended - self.began


def say(**result: Any) -> None:
    """An arm's result: one line of JSON, and the last that it prints."""
    print(json.dumps(result), flush=True)
