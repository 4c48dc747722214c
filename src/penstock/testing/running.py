"""One attempt in the caller's thread, decided on as a worker does; beside the outcome, what it was decided from."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from penstock.domain.jobs import Job, Outcome
from penstock.domain.signals import Signal
from penstock.events import Events
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

    `state` is what it has become; `result` what the body returned; `signal` the `Snooze`, `Cancel` or `Retry` that it
    returned or raised; `error` what it raised otherwise. `error_class` is what its row says: the name of an error's
    class, or `cancelled`, `invalid` (by `valid_if`), `invalidated`, `deadline`.
    """

    state: str
    result: Any = None
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
        self.results: dict[Attempt, object] = {}
        self.errors: dict[Attempt, BaseException] = {}

    def returned(self, attempt: Attempt, task: Task[Any, Any], result: object) -> Outcome:
        if not isinstance(result, Signal):
            self.results[attempt] = result
        return super().returned(attempt, task, result)

    def raised(self, attempt: Attempt, error: BaseException) -> Outcome:
        self.errors[attempt] = error
        return super().raised(attempt, error)


class Rehearsal(Executor):
    """Runs attempts as a worker's executor does, and tells what they came to. Django's connections are the caller's."""

    def __init__(self, tasks: Tasks, events: Events, delivery: Delivery | None = None) -> None:
        super().__init__(tasks, events, delivery=delivery)
        self._decision = self._recording = _Recording(tasks, events)

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

    def ran(self, attempt: Attempt, outcome: Outcome) -> Ran:
        """What is to be told of an attempt, once."""
        error = self._recording.errors.pop(attempt, None)
        state, error_class = outcome.state, outcome.error_class
        if state in ("scheduled", "retryable") and self._only_once(attempt.task):
            state, error_class = "discarded", error_class or "AtMostOnce"  # it has had its one attempt
        return Ran(attempt.id, attempt.task, attempt.queue, state=state, error_class=error_class,
                   result=self._recording.results.pop(attempt, None),
                   signal=error if isinstance(error, Signal) else None,
                   error=None if isinstance(error, Signal) else error)

    def _only_once(self, name: str) -> bool:
        task = self._tasks.get(name)
        return task is not None and task.rules.delivery == "at_most_once"


def ends_the_test(error: BaseException | None) -> bool:
    """Whether an error is meant for whoever runs the test: Ctrl-C, or a test that fails or skips itself in a task."""
    return not (error is None or isinstance(error, Exception | asyncio.CancelledError | SystemExit | GeneratorExit))
