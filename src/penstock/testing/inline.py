"""Inline mode: an enqueue runs the job at once, in the caller, and stores nothing.

Arguments are still encoded and decoded by the task's signature, and what an attempt comes to is decided as in a worker.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from itertools import count
from threading import Event
from typing import Any

from penstock.app import Penstock
from penstock.domain.errors import JobError, UnknownConnection
from penstock.domain.jobs import Call, Claimed, Job, Outcome
from penstock.queue.attempt import Attempt, Identity
from penstock.store.adapters.recognise import kind_of
from penstock.testing.running import FAR, Ran, Rehearsal, ends_the_test
from penstock.worker.inline import PrivateLoop

_DEEPEST = 40
_depth: ContextVar[int] = ContextVar("penstock_inline_depth", default=0)


class Inline:
    """What has run since inline mode began: `jobs`, in the order in which they ended."""

    def __init__(self, app: Penstock) -> None:
        self.jobs: list[Ran] = []
        self._executor = Rehearsal(app.tasks, app.events)
        self._ids = count(1)
        self._kept: dict[str, int] = {}

    def enqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        """Run each call in turn. An error of a job comes out here, and the calls after it are not run."""
        if connection is not None and kind_of(connection).asynchronous:
            raise UnknownConnection("this connection is asynchronous: use `await ….aenqueue(…)` with it")
        return [self._run(call) for call in calls]

    async def aenqueue(self, calls: Iterable[Call], connection: Any = None) -> list[Job]:
        """The same from `async` code, on its own event loop."""
        if connection is not None:
            kind_of(connection)
        return [await self._arun(call) for call in calls]

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """What `app.enqueue_many` does in inline mode."""
        return self.enqueue(calls)

    def _run(self, call: Call) -> Job:
        if (met := self._met(call)) is not None:
            return met
        attempt = self._attempt(call)
        with _one_deeper(call):
            if not self._executor.is_async(attempt.task):
                return self._told(call, attempt, self._executor.run(attempt))
            with PrivateLoop() as loop:
                return self._told(call, attempt, loop.run(self._executor.arun(attempt)))

    async def _arun(self, call: Call) -> Job:
        if not self._executor.is_async(call.shape["task"]):
            return self._run(call)
        if (met := self._met(call)) is not None:
            return met
        attempt = self._attempt(call)
        with _one_deeper(call):
            return self._told(call, attempt, await self._alone(attempt))

    async def _alone(self, attempt: Attempt) -> Outcome:
        """Run in a context of its own, or the caller would have the attempt for its current job from then on."""
        return await asyncio.get_running_loop().create_task(self._executor.arun(attempt))

    def _met(self, call: Call) -> Job | None:
        """The job with the same unique key, if there is one that keeps it."""
        if call.unique_key is None or call.unique_key not in self._kept:
            return None
        return Job(self._kept[call.unique_key], call.shape["task"], call.shape["queue"], skipped=True)

    def _attempt(self, call: Call) -> Attempt:
        shape = call.shape
        job = Claimed(next(self._ids), 0, shape["task"], shape["queue"], call.arguments, 1, shape["max_attempts"])
        self._keep(call, job.id, "executing")
        return Attempt(job, Identity(0, FAR), Event())

    def _keep(self, call: Call, id: int, state: str) -> None:
        if call.unique_key is not None:
            if state in (call.shape["keeps"] or ()):
                self._kept[call.unique_key] = id
            elif self._kept.get(call.unique_key) == id:
                del self._kept[call.unique_key]

    def _told(self, call: Call, attempt: Attempt, outcome: Outcome) -> Ran:
        ran = self._executor.ran(attempt, outcome)
        self._keep(call, ran.id, ran.state)
        self.jobs.append(ran)
        if ran.error is not None and (ran.failed or ends_the_test(ran.error)):
            raise ran.error
        return ran


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

    What an enqueue returns is a `Ran` (a `Job` with its state, result and signal); `Inline.jobs` has them all. Jobs
    for later run at once too, and so do jobs in the caller's transaction, before it commits.
    """
    own = vars(app)
    inlined = Inline(app)
    verbs = {"enqueue": inlined.enqueue, "aenqueue": inlined.aenqueue, "enqueue_many": inlined.enqueue_many}
    before = {name: own[name] for name in verbs if name in own}
    own.update(verbs)
    try:
        yield inlined
    finally:
        for name in verbs:
            del own[name]
        own.update(before)
