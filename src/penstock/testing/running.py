"""One attempt in the caller's thread, decided on as a worker does; beside the outcome, what it was decided from."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from penstock.domain.jobs import Claimed, Job, Outcome
from penstock.domain.signals import Signal
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.queue.task import Task
from penstock.worker.deciding import Decision
from penstock.worker.delivery import Delivery
from penstock.worker.django import left_open
from penstock.worker.executor import Executor

T = TypeVar("T")
Tasks = Mapping[str, Task[Any, Any]]

FAR = 1e12
"""A time of `time.monotonic()` that no test lives to see: the lease of an attempt that nobody else can take over."""


class Ran(Job, frozen=True, kw_only=True):
    """A job after an attempt.

    `state` is what it has become; `returned` what the body returned; `signal` the `Snooze`, `Cancel` or `Retry` that it
    returned or raised; `error` what it raised otherwise. `error_class` is what its row says: the name of an error's
    class, or `cancelled`, `invalid` (by `valid_if`), `invalidated`, `deadline`.
    """

    state: str
    returned: Any = None
    signal: Signal | None = None
    error: BaseException | None = None
    error_class: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the attempt raised an error and nothing else decided over it."""
        return self.error is not None and self.state in ("retryable", "discarded")


class _Recording(Decision):
    """Keeps what attempts returned and raised."""

    def __init__(self, tasks: Tasks, events: Events) -> None:
        super().__init__(tasks, events)
        self.results: dict[int, object] = {}
        self.errors: dict[int, BaseException] = {}

    def returned(self, attempt: Attempt, task: Task[Any, Any], result: object) -> Outcome:
        if not isinstance(result, Signal):
            self.results[attempt.job.id] = result
        return super().returned(attempt, task, result)

    def raised(self, attempt: Attempt, error: BaseException) -> Outcome:
        self.errors[attempt.job.id] = error
        return super().raised(attempt, error)


class Rehearsal(Executor):
    """Runs attempts as a worker's executor does, and tells what they came to. Django's connections are the caller's."""

    def __init__(self, tasks: Tasks, events: Events, delivery: Delivery | None = None) -> None:
        self._recording = _Recording(tasks, events)
        super().__init__(tasks, events, delivery=delivery, decision=self._recording)

    def run(self, attempt: Attempt) -> Outcome:
        token = left_open.set(True)
        try:
            return super().run(attempt)
        finally:
            left_open.reset(token)

    async def arun(self, attempt: Attempt) -> Outcome:
        token = left_open.set(True)
        try:
            return await super().arun(attempt)
        finally:
            left_open.reset(token)

    def ran(self, attempt: Attempt, outcome: Outcome, kind: type[Ran] = Ran) -> list[Ran]:
        """What is to be told of each job of an attempt, once."""
        parts = {part.id: part for part in outcome.parts or (outcome,)}
        return [self._ran(job, parts[job.id], kind) for job in attempt.claimed]

    def _ran(self, job: Claimed, outcome: Outcome, kind: type[Ran]) -> Ran:
        error = self._recording.errors.pop(job.id, None)
        state, error_class = outcome.state, outcome.error_class
        if state in ("scheduled", "retryable") and self._only_once(job.task):
            state, error_class = "discarded", error_class or "AtMostOnce"  # it has had its one attempt
        return kind(job.id, job.task, job.queue, state=state, error_class=error_class,
                    returned=self._recording.results.pop(job.id, None),
                    signal=error if isinstance(error, Signal) else None,
                    error=None if isinstance(error, Signal) else error)

    def _only_once(self, name: str) -> bool:
        task = self._tasks.get(name)
        return task is not None and task.rules.delivery == "at_most_once"


def ends_the_test(error: BaseException | None) -> bool:
    """Whether an error is meant for whoever runs the test: Ctrl-C, or a test that fails or skips itself in a task."""
    return not (error is None or isinstance(error, Exception | asyncio.CancelledError | SystemExit | GeneratorExit))
