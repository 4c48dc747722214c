"""Inline mode: an enqueue runs the job at once, in the caller, and stores nothing.

Arguments are still encoded and decoded by the task's signature, and what an attempt comes to is decided as in a worker.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from itertools import count
from operator import itemgetter
from threading import Event
from typing import Any

from penstock.app import Penstock
from penstock.domain.errors import JobError, ResultGone, ResultTimeout, UnknownConnection
from penstock.domain.jobs import FINAL_STATES, Call, Claimed, Job, Outcome, asking, id_of
from penstock.domain.results import WAIT_SECONDS
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.middleware import apassed, passed
from penstock.queue.results import told
from penstock.queue.together import Together, in_order
from penstock.store.adapters.recognise import kind_of
from penstock.store.port import Row
from penstock.testing.running import FAR, Ran, Rehearsal, ends_the_test
from penstock.worker.gathering import Chunks
from penstock.worker.inline import PrivateLoop

_DEEPEST = 40
_depth: ContextVar[int] = ContextVar("penstock_inline_depth", default=0)


class Inline:
    """What has run since inline mode began: `jobs`, in the order in which they ended."""

    def __init__(self, app: Penstock) -> None:
        self.jobs: list[Ran] = []
        self._executor = Rehearsal(app.tasks, app.events)
        self._chunks = Chunks(app.tasks)
        self._middleware = app.middleware
        self._ids = count(1)
        self._kept: dict[str, tuple[int, str]] = {}
        self._tasks = app.tasks
        self._ended: dict[int, Row] = {}
        self._ran, self._met_job = asking(Ran, self), asking(Job, self)

    def enqueue(self, calls: Iterable[Call], connection: Any = None, together: Together | None = None) -> list[Job]:
        """Run each call in turn, after those that it waits for. An error of a job comes out here, and the calls after
        it are not run."""
        if connection is not None and kind_of(connection).asynchronous:
            raise UnknownConnection("this connection is asynchronous: use `await ….aenqueue(…)` with it")
        verbs = self._middleware.enqueue
        if not verbs:
            return self._run_all(calls, together)
        return passed(verbs, calls, lambda left: self._run_all(left, together))

    async def aenqueue(self, calls: Iterable[Call], connection: Any = None,
                       together: Together | None = None) -> list[Job]:
        """The same from `async` code, on its own event loop."""
        if connection is not None:
            kind_of(connection)
        verbs = self._middleware.enqueue
        if not verbs:
            return await self._arun_all(calls, together)
        return await apassed(verbs, calls, lambda left: self._arun_all(left, together))

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """What `app.enqueue_many` does in inline mode."""
        return self.enqueue(calls)

    def batch_number(self, connection: Any = None) -> int:
        return next(self._ids)

    async def abatch_number(self, connection: Any = None) -> int:
        return next(self._ids)

    def _run_all(self, calls: Iterable[Call], together: Together | None = None) -> list[Job]:
        listed = list(calls)
        order = in_order(listed, together)
        jobs = [job for some in self._together(listed[place] for place in order) for job in self._run(some)]
        return _as_given(order, jobs)

    async def _arun_all(self, calls: Iterable[Call], together: Together | None = None) -> list[Job]:
        listed = list(calls)
        order = in_order(listed, together)
        jobs = [job for some in self._together(listed[place] for place in order) for job in await self._arun(some)]
        return _as_given(order, jobs)

    def result(self, job_id: Job | int, timeout: float | None = WAIT_SECONDS) -> Any:
        """What a job has returned; nobody waits for one that is put off, since here each has one attempt."""
        id = id_of(job_id)
        row = self._ended.get(id)
        if row is None:
            raise ResultGone(f"job {id}: expected a job that has run inline, got none")
        if row[1] not in FINAL_STATES:
            raise ResultTimeout(f"job {id}: it was put off ({row[1]}), and inline mode runs each job once")
        return told(id, row, self._tasks)

    async def aresult(self, job_id: Job | int, timeout: float | None = WAIT_SECONDS) -> Any:  # noqa: ASYNC109
        """The same from `async` code."""
        return self.result(job_id, timeout)

    def _together(self, calls: Iterable[Call]) -> Iterator[list[Call]]:
        """One by one; of a chunk task those that follow one another, up to the size of its chunk."""
        gathered: list[Call] = []
        for call in calls:
            chunk = self._chunks.current().get(call.shape["task"])
            if gathered and (chunk is None or call.shape["task"] != gathered[0].shape["task"]
                             or len(gathered) == chunk.size):
                yield gathered
                gathered = []
            if chunk is None:
                yield [call]
            else:
                gathered.append(call)
        if gathered:
            yield gathered

    def _run(self, calls: list[Call]) -> list[Job]:
        jobs, attempt = self._begin(calls)
        if attempt is None:
            return jobs
        with _one_deeper(calls[0]):
            if not self._executor.is_async(attempt.task):
                return self._told(calls, jobs, attempt, self._executor.run(attempt))
            with PrivateLoop() as loop:
                return self._told(calls, jobs, attempt, loop.run(self._executor.arun(attempt)))

    async def _arun(self, calls: list[Call]) -> list[Job]:
        if not self._executor.is_async(calls[0].shape["task"]):
            return self._run(calls)
        jobs, attempt = self._begin(calls)
        if attempt is None:
            return jobs
        with _one_deeper(calls[0]):
            return self._told(calls, jobs, attempt, await self._alone(attempt))

    async def _alone(self, attempt: Attempt) -> Outcome:
        """Run in a context of its own, or the caller would have the attempt for its current job from then on."""
        return await asyncio.get_running_loop().create_task(self._executor.arun(attempt))

    def _met(self, call: Call) -> Job | None:
        """The job with the same unique key, if there is one that keeps it. What is to follow one that runs does so at
        once."""
        if call.unique_key is None or call.unique_key not in self._kept:
            return None
        id, state = self._kept[call.unique_key]
        if state == "executing" and call.shape["conflict"]:
            return None
        return self._met_job(id, call.shape["task"], call.shape["queue"], skipped=True)

    def _begin(self, calls: list[Call]) -> tuple[list[Job], Attempt | None]:
        """The job of each call, and the attempt at those that were not there already."""
        jobs: list[Job] = []
        claimed = []
        for call in calls:
            met = self._met(call)
            if met is None:
                claimed.append(job := self._claimed(call))
                met = Job(job.id, job.task, job.queue)
            jobs.append(met)
        if not claimed:
            return jobs, None
        identity, stopping = Identity(0, FAR), Event()
        if claimed[0].task in self._chunks:
            return jobs, ChunkAttempt(claimed[0], identity, stopping, jobs=claimed)
        return jobs, Attempt(claimed[0], identity, stopping)

    def _claimed(self, call: Call) -> Claimed:
        shape = call.shape
        task, id, arguments = shape["task"], next(self._ids), call.arguments
        if call.sealer is not None:
            arguments = call.sealer.sealed(task, id, arguments)
        job = Claimed(id, 0, task, shape["queue"], arguments, 1, shape["max_attempts"])
        self._keep(call, job.id, "executing")
        return job

    def _keep(self, call: Call, id: int, state: str) -> None:
        if call.unique_key is not None:
            if state in (call.shape["keeps"] or ()):
                self._kept[call.unique_key] = id, state
            elif self._kept.get(call.unique_key, (0, ""))[0] == id:
                del self._kept[call.unique_key]

    def _told(self, calls: list[Call], jobs: list[Job], attempt: Attempt, outcome: Outcome) -> list[Job]:
        found = {ran.id: ran for ran in self._executor.ran(attempt, outcome, self._ran)}
        self._ended |= {part.id: (attempt.task, part.state, part.error_class, part.error, part.result, True)
                        for part in outcome.parts or [outcome]}
        told = [job if job.skipped else found[job.id] for job in jobs]
        for call, ran in zip(calls, told, strict=True):
            if isinstance(ran, Ran):
                self._keep(call, ran.id, ran.state)
                self.jobs.append(ran)
        for ran in found.values():
            if ran.error is not None and (ran.failed or ends_the_test(ran.error)):
                raise ran.error
        return told


def _as_given(order: list[int], jobs: list[Job]) -> list[Job]:
    """The jobs in the order of their calls, which were run in another."""
    return [job for _, job in sorted(zip(order, jobs, strict=True), key=itemgetter(0))]


@contextlib.contextmanager
def _one_deeper(call: Call) -> Iterator[None]:
    depth = _depth.get()
    if depth >= _DEEPEST:
        raise JobError(f"inline: expected jobs that come to an end, got a chain of {_DEEPEST}, each enqueued by the one"
                       f" before, the last by {call.shape['task']}: run such jobs with penstock.testing.drain")
    token = _depth.set(depth + 1)
    try:
        yield
    finally:
        _depth.reset(token)


@contextlib.contextmanager
def inline(app: Penstock) -> Iterator[Inline]:
    """Let every enqueue of an app run its job at once, in the caller, for as long as the block lasts.

    What an enqueue returns is a `Ran` (a `Job` with its state, what it returned, and its signal); `Inline.jobs` has
    them all. Jobs for later run at once too, and so do jobs in the caller's transaction, before it commits. Jobs of a
    chunk task go together where several of them follow one another in one enqueue.
    """
    own = vars(app)
    inlined = Inline(app)
    verbs = {"enqueue": inlined.enqueue, "aenqueue": inlined.aenqueue, "enqueue_many": inlined.enqueue_many,
             "batch_number": inlined.batch_number, "abatch_number": inlined.abatch_number,
             "result": inlined.result, "aresult": inlined.aresult}
    before = {name: own[name] for name in verbs if name in own}
    own.update(verbs)
    try:
        yield inlined
    finally:
        for name in verbs:
            del own[name]
        own.update(before)
