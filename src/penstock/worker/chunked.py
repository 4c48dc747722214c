"""One call with many jobs, from claim to decision.

Nothing that its function does, raises or returns leaves here as an exception, and every job that came in leaves with
one outcome: what was said of it, or what the call came to.
"""

import asyncio
import contextlib
import inspect
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any

import msgspec

from penstock.domain.envelope import Context
from penstock.domain.errors import InvalidArguments, InvalidOutcomes
from penstock.domain.jobs import Claimed, Outcome
from penstock.domain.signals import Signal
from penstock.events import JobStarted, OutcomesInvalid
from penstock.events.telling import Events
from penstock.queue.arguments.packing import open_arguments
from penstock.queue.attempt import Attempt, current
from penstock.queue.chunk import ChunkAttempt, ChunkJob, ChunkSignature
from penstock.queue.task import Task
from penstock.worker.deciding import Decision, invalid
from penstock.worker.delivery import Delivery
from penstock.worker.django import aclose_stale, close_stale

_MOST_NAMED, _LONGEST = 20, 40


class Chunked:
    """Runs calls; holds no state of theirs. The arguments are those of `Executor`."""

    def __init__(self, events: Events, decision: Decision, delivery: Delivery | None,
                 watch: Callable[[Attempt], object] | None, asked: AbstractSet[int]) -> None:
        self._events = events
        self._decision = decision
        self._delivery = delivery
        self._watch = watch
        self._asked = asked

    def run(self, attempt: Attempt, task: Task[Any, Any]) -> Outcome:
        """Call a `def` task on this thread."""
        return _carried_out(self.arun(attempt, task))

    async def arun(self, attempt: Attempt, task: Task[Any, Any]) -> Outcome:
        """Call an `async def` task on this event loop. Of a `def` task it awaits nothing."""
        call = Call(attempt, task, self._decision, self._events)
        token = current.set(attempt)
        attempt.started_at = attempt.told_at = time.monotonic()
        await _closed_stale(task)
        try:
            jobs = call.begin(self._asked)
            if task.rules.watched and self._watch is not None:
                self._watch(attempt)
            if task.rules.valid_if is not None:
                jobs = await call.valid(jobs, task.rules.valid_if)
            if jobs:
                if JobStarted in self._events.heard:
                    for job in jobs:
                        self._events.emit(JobStarted(job_id=job.id, task=task.name, attempt=job.attempt))
                with await _permit(attempt, task):
                    result = task.body(jobs)
                    if task.is_async:
                        result = await result
                call.returned(result)
        except BaseException as error:
            call.raised(error)
        finally:
            attempt.finished = True
            current.reset(token)
            await _closed_stale(task)
        call.outcome.took_ms = (time.monotonic() - attempt.started_at) * 1000
        if self._delivery is None or not task.rules.careful:
            return call.outcome
        if not task.is_async:
            return self._delivery.end(attempt, task, call.outcome)
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(None, self._delivery.end, attempt, task, call.outcome))


class Call:
    """What becomes of the jobs of one call. `outcome` has a part for each that was decided on."""

    def __init__(self, attempt: Attempt, task: Task[Any, Any], decision: Decision, events: Events) -> None:
        self._attempt = attempt
        self._deadlines = attempt.deadlines if isinstance(attempt, ChunkAttempt) else {}
        self._task = task
        self._decision = decision
        self._events = events
        self._open: Sequence[Claimed] = attempt.claimed  # those that are not yet decided on
        self._parts: list[Outcome] = []
        self.outcome = Outcome(attempt.job.id, attempt.job.lease, "completed", parts=self._parts)

    def begin(self, asked: AbstractSet[int]) -> list[ChunkJob[Any]]:
        """The jobs to call the function with; those that need not run, or cannot, are decided on."""
        if asked or self._deadlines:
            self._leave_out(asked)
        contexts: dict[int, Context] = {}
        if self._task.upgrades or any(job.arguments[:1] == "[" for job in self._open):
            contexts = self._opened()
        signature = self._task.signature
        assert isinstance(signature, ChunkSignature)
        values = signature.decode_all([job.arguments for job in self._open])
        given = [ChunkJob(job.id, value, job.attempt, job.max_attempts, asked)
                 for job, value in zip(self._open, values, strict=True)]
        if contexts:
            given = [msgspec.structs.replace(job, context=contexts[job.id]) for job in given]
        unfit = {job.id: job.arguments for job in given if type(job.arguments) is InvalidArguments}
        if unfit:
            self._decide(unfit)
            return [job for job in given if job.id not in unfit]
        return given

    def _opened(self) -> dict[int, Context]:
        """Open envelopes, and make arguments of older versions fit; each job has a context of its own."""
        contexts: dict[int, Context] = {}
        errors: dict[int, BaseException] = {}
        opened = []
        for job in self._open:
            one = self._one(job)
            try:
                open_arguments(one, self._task.packing)
            except Exception as error:
                errors[job.id] = error
            contexts[job.id] = one.context
            opened.append(one.job)
        self._open = opened
        self._decide(errors)
        return contexts

    def _leave_out(self, asked: AbstractSet[int]) -> None:
        """Jobs that waited here and need not begin any more."""
        now, left = time.monotonic(), []
        for job in self._open:
            if job.id in asked:
                self._parts.append(self._decision.skipped(self._one(job), "cancelled"))
            elif self._deadlines.get(job.id, now + 1) <= now:
                self._parts.append(self._decision.skipped(self._one(job), "deadline"))
            else:
                left.append(job)
        self._open = left

    async def valid(self, jobs: list[ChunkJob[Any]], valid_if: Callable[..., Any]) -> list[ChunkJob[Any]]:
        """Those of the jobs that have not become pointless. A question that raises fails the one that it was about."""
        valid: list[ChunkJob[Any]] = []
        failed: dict[int, BaseException] = {}
        pointless = set()
        for job in jobs:
            try:
                answer = valid_if(job.arguments)
                if inspect.isawaitable(answer) and self._task.is_async:
                    answer = await answer
            except Exception as error:
                failed[job.id] = error
            else:
                if answer:
                    valid.append(job)
                else:
                    pointless.add(job.id)
        if pointless:
            self._parts += [invalid(self._one(job), self._task.rules) for job in self._open if job.id in pointless]
            self._open = [job for job in self._open if job.id not in pointless]
        if failed:
            self._decide(failed)
        return valid

    def returned(self, result: object) -> None:
        """The function returned: nothing, a signal for all, or outcomes of some."""
        if result is None:
            self._complete()
        elif isinstance(result, Signal):
            self.raised(result)
        elif isinstance(result, Mapping):
            self._said(result)
        else:
            if inspect.iscoroutine(result):
                result.close()
            self._wrong(f"task {self._task.name}: expected None, or a mapping of jobs, or their ids, to what became of"
                        f" them, got {_kind(result)}; all {len(self._open)} jobs of the call failed")

    def raised(self, error: BaseException) -> None:
        """The function raised: that is what its jobs came to, each of them."""
        if self._open:
            self._decide(dict.fromkeys((job.id for job in self._open), error))
            self._came_to(self._parts[-1])

    def _said(self, said: Mapping[Any, object]) -> None:
        """What was said of jobs of this call stands. Where something was said of others, it may have been meant for one
        that was not mentioned, so that one is not believed to have completed: it failed."""
        open_ids = {job.id for job in self._open}
        errors: dict[int, BaseException] = {}
        completed: dict[int, object] = {}
        strangers: list[str] = []
        faults = []
        for key, value in said.items():
            id = key.id if isinstance(key, ChunkJob) else key
            if type(id) is not int or id not in open_ids:
                strangers.append(_shown(id) if self._task.signature.marks is None else _kind(id))
            elif isinstance(value, BaseException):
                errors[id] = value
            elif value is None or self._task.recording is not None:
                completed[id] = value
            else:
                fault = (f"task {self._task.name}: expected of job {id} a Retry, Cancel or Snooze, an exception or"
                         f" None, got {_kind(value)}")
                errors[id] = InvalidOutcomes(fault)
                faults.append(fault)
        if strangers:
            faults.append(f"task {self._task.name}: expected outcomes of jobs of this call, got {len(strangers)} of"
                          f" jobs that it was not given ({_listed(strangers)}): they are told by job, or job.id; the"
                          " jobs of which nothing was said failed")
            error = InvalidOutcomes(faults[-1])
            errors.update((id, error) for id in open_ids if id not in errors and id not in completed)
        for fault in faults:
            self._events.emit(OutcomesInvalid(task=self._task.name, error=fault))
        self._decide(errors)
        if faults:
            self._came_to(next((part for part in self._parts if part.error_class == InvalidOutcomes.__name__),
                               self.outcome))
        self._complete(completed)

    def _wrong(self, fault: str) -> None:
        self._events.emit(OutcomesInvalid(task=self._task.name, error=fault))
        self.raised(InvalidOutcomes(fault))

    def _came_to(self, part: Outcome) -> None:
        """The call as a whole came to what one of its jobs did."""
        whole = self.outcome
        whole.state, whole.counted, whole.error_class, whole.error = (
            part.state, part.counted, part.error_class, part.error)

    def _decide(self, errors: Mapping[int, BaseException]) -> None:
        """Some of the jobs came to a signal or an error each."""
        if errors:
            self._parts += [self._decision.raised(self._one(job), errors[job.id])
                            for job in self._open if job.id in errors]
            self._open = [job for job in self._open if job.id not in errors]

    def _complete(self, results: Mapping[int, object] = MappingProxyType({})) -> None:
        """All those that are left have completed, with these results where they are recorded."""
        if self._task.recording is not None:
            self._parts += [self._decision.returned(self._one(job), self._task, results.get(job.id))
                            for job in self._open]
        elif self._open:
            self._parts += self._decision.all_completed(self._one(self._open[0]), self._task, self._open)
        self._open = ()

    def _one(self, job: Claimed) -> Attempt:
        """The call as an attempt at one of its jobs."""
        call = self._attempt
        return Attempt(job, call.identity, call.stopping, started_at=call.started_at, ended=call.ended)


def ended_by(attempt: Attempt, decide: Callable[[Attempt], Outcome]) -> Outcome:
    """What an attempt comes to that somebody else ends: of a call with many jobs, the same for each of them."""
    if attempt.jobs is None:
        return decide(attempt)
    parts = [decide(Attempt(job, attempt.identity, attempt.stopping, started_at=attempt.started_at,
                            ended=attempt.ended)) for job in attempt.jobs]
    return Outcome(attempt.job.id, attempt.job.lease, parts[0].state, took_ms=parts[0].took_ms,
                   error_class=parts[0].error_class, error=parts[0].error, parts=parts)


async def _closed_stale(task: Task[Any, Any]) -> None:
    if task.is_async:
        await aclose_stale()
    else:
        close_stale()


async def _permit(attempt: Attempt, task: Task[Any, Any]) -> Any:
    """What the call spends of the limits of its task: one permit, whatever number of jobs it has."""
    if task.limits is None:
        return contextlib.nullcontext()
    return await task.limits.atake(attempt) if task.is_async else task.limits.take(attempt)


def _carried_out(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run a coroutine that awaits nothing which could make it wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    raise AssertionError("a `def` task has nothing to wait for")


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    return ", ".join(keys[:_MOST_NAMED]) + more


def _shown(value: object) -> str:
    """A value for a message: a number or a short text as it is, else its type, since it may hold anything."""
    if isinstance(value, int) or (isinstance(value, str) and len(value) <= _LONGEST):
        return repr(value)
    return _kind(value)


def _kind(value: object) -> str:
    """A value for a message that nobody is to see the value in."""
    return repr(value) if isinstance(value, int) else f"a value of type {type(value).__qualname__}"
