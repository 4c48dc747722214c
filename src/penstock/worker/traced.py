"""Attempts are traced: what is short and tells of nothing is counted, all else is a trace of its own.

A thread of a slot has one trace, which is there before anything runs. An attempt that has neither told it of anything
nor taken a millisecond leaves it as it was for the next one, so a short job costs a look at the clock and a count.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextvars import Token
from typing import Protocol

from penstock.domain.jobs import Outcome
from penstock.observe.brief import BRIEF_NS, BUCKETS, Brief
from penstock.observe.recorder import Recorder
from penstock.observe.sampler import Running, sampler
from penstock.observe.trace import Trace, active, clock
from penstock.queue.attempt import Attempt
from penstock.worker.executor import Executor

_MOST_LONG = 1000
_LONGEST_ERROR = 200
_FAILED = ("retryable", "discarded")


class Runner(Protocol):
    """Runs one attempt to its outcome, on the thread that asks."""

    def run(self, attempt: Attempt) -> Outcome: ...


class Tracer:
    """What the slots of one worker have in common. `long` are the tasks that were seen to take a millisecond or more,
    whose time on the CPU is worth a look."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.long: set[str] = set()

    def fresh(self) -> Trace:
        """A trace of nothing yet."""
        trace = Trace("task", "")
        trace.recorder = self.recorder
        return trace

    def ended(self, trace: Trace, attempt: Attempt, outcome: Outcome, took_ns: int, cpu_ns: int | None) -> None:
        """Record an attempt that is worth a trace of its own. Whatever fails in that, its outcome is not lost."""
        try:
            self._end(trace, attempt, outcome, took_ns, cpu_ns)
            self.recorder.ended(trace)
        except Exception as error:
            self.recorder.fault(error)

    def _end(self, trace: Trace, attempt: Attempt, outcome: Outcome, took_ns: int, cpu_ns: int | None) -> None:
        job = attempt.job
        if trace.kind == "task":
            trace.name = job.task
        if took_ns < BRIEF_NS:
            self.long.discard(job.task)
        elif len(self.long) < _MOST_LONG:
            self.long.add(job.task)
        about = ({"job_id": job.id, "queue": job.queue, "attempt": job.attempt} if attempt.jobs is None else
                 {"jobs": len(attempt.jobs), "queue": job.queue})
        trace.about = {**(trace.about or {}), **about}
        trace.waited(job.waited_ms * 1_000_000)
        if outcome.error_class is not None and outcome.counted > 0 and outcome.state in _FAILED:
            trace.fails(_said(outcome))
        if attempt.cpu_ns:
            cpu_ns = (cpu_ns or 0) + attempt.cpu_ns
        trace.end(cpu_ns=cpu_ns)


def _said(outcome: Outcome) -> str:
    """The class of an error and what it said, in one line: of a traceback the last that is not indented."""
    lines = [line for line in (outcome.error or "").splitlines() if line and not line[0].isspace()]
    last = lines[-1].rpartition(f"{outcome.error_class}: ")[2] if lines else ""
    return f"{outcome.error_class}: {last}"[:_LONGEST_ERROR] if last else str(outcome.error_class)


class TracedSlot:
    """Runs the attempts of one thread, and traces them; to be made on that thread, and closed there."""

    def __init__(self, tracer: Tracer, runner: Runner) -> None:
        trace = tracer.fresh()
        trace.began = 0  # nothing is under way
        self._brief = tracer.recorder.brief()
        self._token: Token[Trace | None] | None = active.set(trace)
        self._running = Running(trace, threading.get_ident())
        self.run = _running(tracer, runner, self._brief, self._running)
        """Run a `def` task on this thread."""
        sampler.watch(self._running)

    def close(self) -> None:
        sampler.leave(self._running)
        sampler.rest()
        self._brief.over = True
        if self._token is not None:
            active.reset(self._token)
            self._token = None


def _running(tracer: Tracer, runner: Runner, brief: Brief, running: Running) -> Callable[[Attempt], Outcome]:
    """What runs attempts on a thread. All that it needs is at hand: a job that does nothing pays for each look-up."""
    run, counts, long, now, trace = runner.run, brief.counts, tracer.long, clock, running.trace

    def traced(attempt: Attempt) -> Outcome:
        nonlocal trace
        name = attempt.job.task
        cpu_ns = time.thread_time_ns() if name in long else None
        trace.began = trace._at = began = now()
        outcome = run(attempt)
        took_ns = now() - began
        if took_ns < BRIEF_NS and not trace.touched and outcome.error_class is None:
            trace.began = 0
            if cpu_ns is not None:
                long.discard(name)
            try:
                known = counts[name]
            except KeyError:
                brief.add(name, took_ns)
            else:
                known[0] += took_ns
                known[BUCKETS[took_ns // 1000] + 1] += 1
        elif attempt.started_at:
            tracer.ended(trace, attempt, outcome, took_ns,
                         None if cpu_ns is None else time.thread_time_ns() - cpu_ns)
            trace = running.trace = tracer.fresh()
            trace.began = 0
            active.set(trace)
        else:  # it did not run at all
            trace.began = 0
        return outcome

    return traced


class TracedLoop:
    """Runs the attempts of one event loop, and traces them; all of its calls are on the loop's thread."""

    def __init__(self, tracer: Tracer, executor: Executor) -> None:
        self._tracer = tracer
        self._run = executor.arun
        self._brief: Brief | None = None
        self._idle: list[Trace] = []

    async def run(self, attempt: Attempt) -> Outcome:
        """Run an `async def` task, in a context of its own. Its time on the CPU is not known."""
        idle = self._idle
        trace = idle.pop() if idle else self._tracer.fresh()
        active.set(trace)
        running = Running(trace, threading.get_ident(), asyncio.current_task())
        sampler.watch(running)
        trace.began = trace._at = clock()
        outcome = await self._run(attempt)
        took_ns = clock() - trace.began
        sampler.leave(running)
        if took_ns < BRIEF_NS and not trace.touched and outcome.error_class is None:
            if self._brief is None:
                self._brief = self._tracer.recorder.brief()
            self._brief.add(attempt.job.task, took_ns)
            idle.append(trace)
        elif attempt.started_at:
            self._tracer.ended(trace, attempt, outcome, took_ns, None)
        return outcome

    def close(self) -> None:
        sampler.rest()
        if self._brief is not None:
            self._brief.over = True


