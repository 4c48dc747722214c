"""Traces inside of traces: the inner has phases, statements and calls of its own, and the outer counts them as well."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Token
from typing import Any

from penstock.domain.jobs import message
from penstock.observe.kept import storable
from penstock.observe.recorder import Recorder
from penstock.observe.sampler import Running, sampler
from penstock.observe.totals import Totals
from penstock.observe.trace import LIMITED, WAITED, Trace, active, clock

_LONGEST_ERROR = 200


class Nested:
    """One trace, of code that runs in one part (`with Nested(…) as trace:`) or in several, with other things between
    them that are none of it: `with nested.part():`, and `end` after the last.

    Its time on the CPU is known on a thread alone: of an event loop it is not, which does other things as well.
    """

    __slots__ = ("_before", "_began_ns", "_cpu_ns", "_running", "_token", "trace")

    def __init__(self, kind: str, name: str, recorder: Recorder, about: dict[str, Any] | None = None) -> None:
        self.trace = Trace(kind, name)
        self.trace.recorder = recorder
        self.trace.about = about
        self.trace.outer = active.get()
        self._token: Token[Trace | None] | None = None
        self._cpu_ns: int | None = 0
        self._running: Running | None = None
        self._before: list[int] = []
        self._began_ns = 0

    def __enter__(self) -> Trace:
        self._begin()
        return self.trace

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._token is not None:
            self._pause()
            if error is not None:
                self.fails(error)
            self.end()

    @contextmanager
    def part(self) -> Iterator[Trace]:
        """One part of it. What is raised there says that it failed."""
        self._begin()
        try:
            yield self.trace
        except BaseException as error:
            self.fails(error)
            raise
        finally:
            self._pause()

    def fails(self, error: BaseException) -> None:
        """It failed of an error, unless that says only that nobody wants its results any more."""
        if not isinstance(error, GeneratorExit):
            self.trace.fails(described(error))

    def end(self) -> None:
        """It is over, as of the end of its last part."""
        trace = self.trace
        trace.end(cpu_ns=self._cpu_ns, at=trace._at)
        outer = trace.outer
        if outer is not None and (trace.statements or trace.calls):
            if outer.within is None:
                outer.within = Within()
            outer.within.add(trace)
        trace.recorder.ended(trace)

    def _begin(self) -> None:
        trace, outer = self.trace, self.trace.outer
        self._token = active.set(trace)
        if self._cpu_ns is not None:
            self._cpu_ns = None if asyncio._get_running_loop() is not None else self._cpu_ns - time.thread_time_ns()
        now = clock()
        if self._began_ns:
            trace.began += now - trace._at  # what was between its parts is none of its time
        else:
            trace.began = now
        trace._at = self._began_ns = now
        self._before = list(trace.phases)
        if outer is None:  # else it is sampled with the one that it is inside of
            loop = asyncio._get_running_loop()
            task = None if loop is None else asyncio.current_task(loop)
            self._running = Running(trace, threading.get_ident(), task)
            sampler.watch(self._running)
        else:
            outer.touched = True
            if outer.inner is None:
                outer.inner = trace
                if now >= outer._due:
                    outer._mark(outer._entered[-1], now)
                outer.phases[outer._entered[-1]] += now - outer._at
                outer._at = now

    def _pause(self) -> None:
        trace, outer, token = self.trace, self.trace.outer, self._token
        self._token = None
        if self._running is not None:
            sampler.leave(self._running)
        if token is not None:
            with suppress(ValueError):  # it ends in another context, which has one of its own
                active.reset(token)
        if self._cpu_ns is not None:
            self._cpu_ns += time.thread_time_ns()
        now = clock()
        trace.phases[trace._entered[-1]] += now - trace._at
        trace._at = now
        if outer is not None and outer.inner is trace:
            outer.inner = None
            if outer._at == self._began_ns:  # else it was told of something itself, and its time goes on from there
                for place, (after, before) in enumerate(zip(trace.phases, self._before, strict=True)):
                    if place != WAITED:
                        outer.phases[place] += after - before
                outer._at = now
        if outer is not None:
            outer.passed(trace, self._began_ns, now)


def described(error: BaseException) -> str:
    """The class and the first line of an error, which of a driver's is the one without the values of rows."""
    line = message(error).strip().partition("\n")[0][:_LONGEST_ERROR]
    return storable(f"{type(error).__name__}: {line}" if line else type(error).__name__)


class Within(Totals):
    """What the traces inside of one came to, until that ends as well."""

    __slots__ = ()

    def add(self, trace: Trace) -> None:
        self._statements(trace.statements)
        self._calls(trace.calls)

    def join(self, trace: Trace) -> None:
        """Add it to the trace that they were inside of: there its statements came in one trace."""
        for key, statement in list(self.statements.items()):  # what was inside may be at work still
            own = trace.statements.setdefault(key, statement)
            if own is not statement:
                own.absorb(statement)
            own.traces, own.most_calls = 1, own.calls
        for route, call in list(self.calls.items()):
            made = trace.calls.setdefault(route, call)
            if made is not call:
                made.absorb(call)
            made.traces, made.most_calls = 1, made.calls


def inside(kind: str, name: str, **about: Any) -> Nested | None:
    """A trace inside of the one that is active; None where there is none."""
    outer = active.get()
    return None if outer is None or outer.recorder is None else Nested(kind, name, outer.recorder, about)


@contextmanager
def phase(number: int) -> Iterator[None]:
    """What goes on inside counts for a phase of the active trace, if there is one."""
    trace = active.get()
    if trace is None:
        yield
        return
    trace.enter(number)
    try:
        yield
    finally:
        trace.leave(number)


def waits(begins: bool) -> None:
    """A wait for a permit begins, or is over."""
    trace = active.get()
    if trace is not None:
        if begins:
            trace.enter(LIMITED)
        else:
            trace.leave(LIMITED)
