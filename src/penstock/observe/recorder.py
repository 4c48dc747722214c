"""The traces of one process on their way to the store: added up until they are written, every ten seconds.

What ended since the last flush is added to the sums of its hour, by the store's clock, and the rows of this process
that changed are written again, with what they have come to. A flush that is lost is made up for by the next one, and
one that was made twice changes nothing.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from penstock.observe.brief import BUCKETS, Brief
from penstock.observe.kept import Keeps, Name
from penstock.observe.slowness import Told, slow_statements
from penstock.observe.totals import Totals
from penstock.observe.trace import Trace
from penstock.observe.writing import Writing
from penstock.store.port import Store

FLUSH_SECONDS = 10.0
_IDLE_FLUSHES = 6
_MOST_NAMES = 500
_OTHERS = "(others)"
logger = logging.getLogger("penstock")


Explain = Callable[[Told], object]
"""Told of a slow statement with its parameters as they were, on the thread that ran it. It has to be quick."""


class Nowhere(Exception):
    """There is no store for traces, and will be none: they are dropped. It says why, unless that was asked for."""


class Recorder:
    """Takes traces that have ended. Safe to use from any thread; nothing is opened before there is something to write.

    `store` gives the store at each flush, `keeps` says what may be kept of parameters, by database, and `explain` is
    told of slow statements. A thread writes every
    `every_seconds`, begun when there is something to write, ended by `close` or after a minute without; what is left
    when the process ends is written then.
    """

    def __init__(self, store: Callable[[], Store], *, keeps: Keeps = lambda database: "plain",
                 explain: Explain | None = None, every_seconds: float = FLUSH_SECONDS) -> None:
        self._store = store
        self.explain = explain
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._fresh: dict[Name, Totals] = {}
        self._briefs: list[Brief] = []
        self._writing = Writing(uuid4().hex[:16], keeps)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._closed = False
        self._faults: set[str] = set()
        self._told: dict[tuple[str, str | None], float] = {}
        _all.add(self)

    def ended(self, trace: Trace) -> None:
        """Count a trace that has ended, and tell of its slow statements."""
        explain = self.explain
        if explain is not None and trace.statements:
            self._quietly(lambda: [explain(told) for told in slow_statements(trace, self._told)])
        of = trace.kind, trace.name
        with self._lock:
            totals = self._fresh.get(of)
            if totals is None:
                totals = self._new(of)
            totals.add(trace)
        if self._thread is None:
            self._begin()

    def brief(self) -> Brief:
        """Counts for a thread of its own, which are read until it says that it is over."""
        found = Brief()
        with self._lock:
            self._briefs.append(found)
        self._begin()
        return found

    def open(self) -> None:
        """Have what ends written by a thread again, where that was closed."""
        self._closed = False

    def flush(self, *, everything: bool = True) -> None:
        """Write what there is to write; if not `everything`, of sampled stacks no more than once a minute.

        Raises what the store raises; what was not written is by the next flush. Where there is no store, and will be
        none, it raises `Nowhere`, and nothing is left to write.
        """
        with self._flushing:
            with self._lock:
                self._read_briefs()
                fresh, self._fresh = self._fresh, {}
            if not fresh and not self._writing.waits:
                return
            try:
                self._writing.write(self._store(), fresh, everything=everything)
            except Nowhere:
                raise
            except BaseException:
                with self._lock:
                    self._fresh = self._again(fresh)
                raise

    def close(self) -> None:
        """Write what there is, and end the thread. What ends later is written by the next `flush` or `close`, or when
        the process ends, and by a thread again once it is opened."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            stop, self._stop = self._stop, threading.Event()
        stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._quietly(self.flush)

    def _new(self, of: Name) -> Totals:
        if len(self._fresh) >= _MOST_NAMES:
            of = of[0], _OTHERS
        return self._fresh.setdefault(of, Totals())

    def _read_briefs(self) -> None:
        over = {id(brief) for brief in self._briefs if brief.over}  # before they are read for the last time
        for brief in self._briefs:
            for name, (total_ns, durations) in brief.news().items():
                totals = self._fresh.get(("task", name)) or self._new(("task", name))
                longest = BUCKETS.index(max(durations)) * 1000
                totals.count(sum(durations.values()), total_ns, durations, longest)
        self._briefs = [brief for brief in self._briefs if id(brief) not in over]

    def _again(self, fresh: dict[Name, Totals]) -> dict[Name, Totals]:
        """What could not be written, with what has come meanwhile."""
        for of, totals in self._fresh.items():
            if of in fresh:
                fresh[of].absorb(totals)
            elif len(fresh) < _MOST_NAMES:
                fresh[of] = totals
        return fresh

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=_serve, args=(weakref.ref(self), self._stop, self._every_seconds),
                                            name="penstock-traces", daemon=True)
            thread = self._thread
        thread.start()

    def _forked(self) -> None:
        """In a child of a fork: what the parent has counted is the parent's to write, and its threads are not here."""
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._thread, self._stop = None, threading.Event()
        self._fresh, self._briefs = {}, []
        self._writing = Writing(uuid4().hex[:16], self._writing.keeps)

    def _step(self) -> bool:
        """One flush; whether there was anything to write."""
        before = self._writing.written
        self._quietly(lambda: self.flush(everything=False))
        return self._writing.written != before or bool(self._fresh)

    def _quietly(self, step: Callable[[], Any]) -> None:
        """Whoever is traced never notices that this fails."""
        try:
            step()
        except Exception as error:
            self.fault(error)

    def fault(self, error: Exception) -> None:
        """A trace could not be taken or kept: say so, once for each kind of error."""
        kind = type(error).__name__
        if kind in self._faults or (isinstance(error, Nowhere) and not error.args):
            return
        self._faults.add(kind)
        logger.warning("traces cannot be kept for now: %s",
                       error if isinstance(error, Nowhere) else f"{kind}: {error}")


_all: "weakref.WeakSet[Recorder]" = weakref.WeakSet()


def _serve(of: "weakref.ref[Recorder]", stop: threading.Event, every_seconds: float) -> None:
    """The thread of a recorder, which does not keep it alive."""
    idle = 0
    while not stop.wait(every_seconds):
        recorder = of()
        if recorder is None:
            return
        idle = 0 if recorder._step() else idle + 1
        if idle >= _IDLE_FLUSHES and not recorder._briefs:
            with recorder._lock:
                if not recorder._fresh:
                    if recorder._stop is stop:
                        recorder._thread = None
                    return
        del recorder


@atexit.register
def _close_all() -> None:
    for recorder in list(_all):
        recorder.close()


def _forked() -> None:
    for recorder in list(_all):
        recorder._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
