"""What threads and coroutines are doing while they take long: their stacks, looked at a hundred times a second.

One thread for the process glances at what is under way ten times a second, and samples only while there is a trace that
already lasts a tenth of a second. It ends when there is nothing to watch.
"""

import asyncio
import os
import sysconfig
import threading
import time
from types import CodeType
from typing import Any

from penstock.observe import frames
from penstock.observe.trace import Trace, clock

LASTING_NS = 100_000_000
"""From then on a trace is sampled."""
_SAMPLE_SECONDS, _GLANCE_SECONDS = 0.01, 0.1
_EMPTY_GLANCES = 3
_MOST_STACKS = 300
_DEEPEST = 60
_MOST_LABELS = 20_000
_LEADING = "\0"
OTHERS = "(others)"
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOTS = (os.path.join(_OWN, "worker", ""), os.path.join(_OWN, "app", "named_trace.py"),
          os.path.join(sysconfig.get_paths()["stdlib"], "threading.py"),
          os.path.join(sysconfig.get_paths()["stdlib"], "asyncio", ""), "<frozen runpy>")
"""What every stack begins with, and nobody wants to see: how a thread or a loop came to run the user's code."""


class Running:
    """What runs on a thread (`thread_id`), or as a task of an event loop. `trace` is what it works for; one whose
    `began` is 0 has nothing under way."""

    __slots__ = ("loop", "task", "thread_id", "trace")

    def __init__(self, trace: Trace, thread_id: int, task: "asyncio.Task[Any] | None" = None) -> None:
        self.trace = trace
        self.thread_id = thread_id
        self.task = task
        self.loop = None if task is None else task.get_loop()


class Sampler:
    """Watches what it is told of. Safe to use from any thread; short work pays for a set that it is in, no more."""

    def __init__(self) -> None:
        self._watched: set[Running] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self.samples = 0

    def watch(self, running: Running) -> None:
        """Sample this while it takes long, until `leave`."""
        self._watched.add(running)
        if self._thread is None:
            self._begin()

    def leave(self, running: Running) -> None:
        """It has ended."""
        self._watched.discard(running)

    def rest(self) -> None:
        """Nothing more is to come for a while: if nothing is watched, the thread has ended when this returns."""
        thread = self._thread
        while thread is not None and not self._watched and thread.is_alive():
            self._wake.set()
            thread.join(_GLANCE_SECONDS)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._wake = threading.Event()
            self._thread = threading.Thread(target=self._serve, args=(self._wake,), name="penstock-sampler",
                                            daemon=True)
            thread = self._thread
        thread.start()

    def _serve(self, wake: threading.Event) -> None:
        empty = 0
        while True:
            sampled = self.sample()
            if sampled:
                time.sleep(_SAMPLE_SECONDS)  # which costs less than to wait for an event
            else:
                wake.wait(_GLANCE_SECONDS)
            woken = wake.is_set()
            wake.clear()  # before the look: whoever rests after it wakes the next glance
            empty = 0 if self._watched else empty + 1
            if empty >= _EMPTY_GLANCES or (empty and woken):
                with self._lock:
                    if not self._watched:
                        self._thread = None
                        return

    def sample(self) -> int:
        """Look at all that lasts, once; how many there were."""
        since = clock() - LASTING_NS
        lasting = [running for running in list(self._watched) if 0 < running.trace.began < since]
        if not lasting:
            return 0
        for running in lasting:
            stack = _stack(running)
            if stack:
                _count(running.trace, stack)
        self.samples += len(lasting)
        return len(lasting)

    def _forked(self) -> None:
        self.__init__()  # type: ignore[misc]


def _stack(running: Running) -> str:
    """The frames of the user's code, the outermost first."""
    found: list[str] = []
    if running.task is None or running.loop is None or asyncio.current_task(running.loop) is running.task:
        begins = None if running.task is None else getattr(running.task.get_coro(), "cr_code", None)
        for code in frames.codes(running.thread_id, _DEEPEST):
            found.append(_labels[code] if code in _labels else _label(code))
            if code is begins:  # below it lies whoever runs the loop
                break
        found.reverse()
    else:
        waiting: Any = running.task.get_coro()
        while waiting is not None and len(found) < _DEEPEST:
            awaiting: CodeType | None = getattr(waiting, "cr_code", None) or getattr(waiting, "gi_code", None)
            if awaiting is None:
                break
            found.append(_label(awaiting))
            waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    first = next((place for place, label in enumerate(found) if label[0] != _LEADING), len(found))
    return ";".join(found[first:]).replace(_LEADING, "")


_labels: dict[CodeType, str] = {}


def _label(code: CodeType) -> str:
    """`module.function`, by the names of the file and of the code; what may lead to the user's code is marked."""
    found = _labels.get(code)
    if found is None:
        file = os.path.splitext(os.path.basename(code.co_filename))[0]
        if file == "__init__":
            file = os.path.basename(os.path.dirname(code.co_filename))
        found = f"{file}.{code.co_qualname}".replace(";", ":").replace(" ", "_").replace(".<locals>", "")
        if code.co_filename.startswith(ROOTS):
            found = _LEADING + found
        if len(_labels) < _MOST_LABELS:
            _labels[code] = found
    return found


def _count(trace: Trace | None, stack: str) -> None:
    """Count it for a trace, and for those inside of it that are under way.

    The counts are made anew, never changed: the trace may end at this moment, and its own thread go through them.
    """
    while trace is not None:
        stacks = trace.flame or {}
        key = stack if stack in stacks or len(stacks) < _MOST_STACKS else OTHERS
        trace.flame = {**stacks, key: stacks.get(key, 0) + 1}
        trace = trace.inner


sampler = Sampler()
"""The one of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=sampler._forked)
