"""What an attempt came to: from what the body returned or raised to the outcome that is settled."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from penstock.domain.errors import (
    ArgumentsHeld,
    DeadlinePassed,
    InvalidResult,
    JobCancelled,
    Limited,
    NoWorkerProcess,
    StaleLease,
    Stopping,
    Throttled,
    Unavailable,
    UnknownTask,
)
from penstock.domain.jobs import Claimed, Outcome, Retention, class_of, message, storable, text_of
from penstock.domain.retry import RetryPolicy
from penstock.domain.signals import Cancel, Retry, Signal, Snooze
from penstock.events import JobFailed, JobPutOff, JobSkipped, JobStopped, ResultRefused
from penstock.events.telling import Events
from penstock.queue.attempt import ENDED, Attempt
from penstock.queue.recording import Recording
from penstock.queue.rules import Rules
from penstock.queue.task import Task

_HELD_MS = 60_000
_LEAST_LIMITED_SECONDS, _LONGEST_LIMITED_SECONDS = 0.1, 300.0
_LONGEST_ASKED_SECONDS = 86_400.0
_REFUSED = RetryPolicy(base_seconds=1.0, longest_seconds=300.0)
"""Of a task whose destination refuses calls for their rate, and does not say for how long."""
_DEFAULT_RETENTION = Retention()
_MS = timedelta(milliseconds=1)


class Decision:
    """Decides outcomes for the tasks of one app."""

    def __init__(self, tasks: Mapping[str, Task[Any, Any]], events: Events) -> None:
        self._tasks = tasks
        self._events = events
        self._kept: dict[str, tuple[float, int]] = {}
        self._refused: dict[str, tuple[int, float]] = {}

    def returned(self, attempt: Attempt, task: Task[Any, Any], result: object) -> Outcome:
        """The body returned: done, unless what it returned is a signal."""
        job = attempt.job
        if isinstance(result, Signal):
            return self.raised(attempt, result)
        if self._refused:
            self._refused.pop(job.task, None)
        took_ms = _took_ms(attempt)
        slow_ms, keep_ms = self._kept.get(job.task) or self._keep(job.task, task.rules.retention)
        if took_ms >= slow_ms:
            keep_ms = task.rules.retention.keep_ms("completed", round(took_ms))
        outcome = Outcome(job.id, job.lease, "completed", 1, took_ms, keep_ms)
        if task.recording is not None:
            self._record(outcome, task, task.recording, result)
        return outcome

    def _record(self, outcome: Outcome, task: Task[Any, Any], recording: Recording, result: object) -> None:
        """Have a result kept. What cannot be is told of, and changes nothing: the work is done."""
        try:
            outcome.result = task.packing.result_packed(outcome.id, recording.written(result))
            outcome.result_ms = recording.keep_ms
        except InvalidResult as error:
            outcome.error_class, outcome.error = type(error).__name__, storable(str(error))
            self._events.emit(ResultRefused(job_id=outcome.id, task=task.name, error=str(error)))

    def all_completed(self, first: Attempt, task: Task[Any, Any], jobs: Sequence[Claimed]) -> list[Outcome]:
        """The same for many jobs of one call: it took each of them as long. `first` is an attempt at one of them."""
        like = self.returned(first, task, None)
        took_ms, keep_ms = like.took_ms, like.keep_ms
        return [Outcome(job.id, job.lease, "completed", 1, took_ms, keep_ms) for job in jobs]

    def _keep(self, name: str, retention: Retention) -> tuple[float, int]:
        self._kept[name] = (retention.slow_after / _MS, retention.keep_ms("completed", 0))
        return self._kept[name]

    def raised(self, attempt: Attempt, error: BaseException) -> Outcome:
        """The body raised: a signal, an end before its time, or a failure."""
        if isinstance(error, asyncio.CancelledError):
            if attempt.ended is not None:
                error = ENDED[attempt.ended](f"job {attempt.job.id}: {attempt.ended}")
            elif attempt.stopping.is_set():
                error = Stopping(f"job {attempt.job.id}: the worker is stopping")
        match error:
            case Stopping() | StaleLease():
                return self.dropped(attempt)
            case JobCancelled():
                return self._stopped(attempt, "cancelled", "cancelled while it ran")
            case DeadlinePassed():
                return self._stopped(attempt, "deadline", "its deadline passed while it ran")
            case Cancel():
                return self._stopped(attempt, "cancelled", error.reason or "the task cancelled itself")
            case Snooze():
                return self._later(attempt, "scheduled", error.delay // _MS, error.reason)
            case Limited():
                wait_ms = round(min(max(error.seconds, _LEAST_LIMITED_SECONDS), _LONGEST_LIMITED_SECONDS) * 1000)
                task = self._tasks.get(attempt.job.task)
                in_order = task is not None and task.keyed is not None and task.keyed.in_order
                return self._later(attempt, "retryable" if in_order else "scheduled", wait_ms, str(error),
                                   class_of(error))
            case Throttled() | Unavailable() if (refused := self._put_off(attempt, error)) is not None:
                return refused
            case UnknownTask() | ArgumentsHeld() | NoWorkerProcess():
                outcome = self._again(attempt, "retryable", _HELD_MS, counted=0, reason=str(error),
                                      error_class=class_of(error))
            case _:
                outcome = self.failed(attempt, error)
        said = self._cleaned(attempt, f"{class_of(error)}: {message(error)}")
        self._events.emit(JobFailed(job_id=attempt.job.id, task=attempt.job.task, attempt=attempt.job.attempt,
                                    state=outcome.state, error=said))
        return outcome

    def _later(self, attempt: Attempt, state: str, delay_ms: int, reason: str, error_class: str | None = None
               ) -> Outcome:
        """The job goes on later, and counts no attempt."""
        outcome = self._again(attempt, state, delay_ms, counted=0, reason=reason, error_class=error_class)
        if JobPutOff in self._events.heard:
            self._events.emit(JobPutOff(job_id=outcome.id, task=attempt.job.task, seconds=outcome.delay_ms / 1000,
                                        reason=outcome.error or ""))
        return outcome

    def _stopped(self, attempt: Attempt, error_class: str, reason: str) -> Outcome:
        """The job has ended as cancelled while it ran."""
        outcome = self.ended(attempt, error_class, reason)
        self._events.emit(JobStopped(job_id=outcome.id, task=attempt.job.task, attempt=attempt.job.attempt,
                                     reason=outcome.error or ""))
        return outcome

    def _cleaned(self, attempt: Attempt, text: str) -> str:
        """What is said of an attempt, without those values of its job that nobody is to see."""
        task = self._tasks.get(attempt.job.task)
        marks = None if task is None else task.signature.marks
        return text if marks is None else marks.cleaned(text, attempt.job.arguments)

    def _put_off(self, attempt: Attempt, error: Throttled | Unavailable) -> Outcome | None:
        """A destination that has no room now is no fault of the job's: it goes again after the wait that was asked for.

        It is `retryable`, so that a serial key keeps its order. None where it is a failure: nothing was said of a time,
        or the job may not run twice.
        """
        task = self._tasks.get(attempt.job.task)
        asked = error.retry_after if isinstance(error.retry_after, int | float) else None  # a body may say anything
        if task is None or task.rules.delivery == "at_most_once" or (asked is None and isinstance(error, Unavailable)):
            return None
        if asked is None:
            wait = _REFUSED.delay_seconds(self._refusals(attempt))
        else:  # with limits it waits at its gate, which people may open sooner
            longest = _LONGEST_ASKED_SECONDS if task.limits is None else _LONGEST_LIMITED_SECONDS
            wait = min(max(_LEAST_LIMITED_SECONDS, asked), longest)
        return self._later(attempt, "retryable", round(wait * 1000), message(error), class_of(error))

    def _refusals(self, attempt: Attempt) -> int:
        """How often in a row the task was refused here; attempts that were under way together count once."""
        count, since = self._refused.get(attempt.job.task, (0, -1.0))
        if attempt.started_at > since:
            count, since = count + 1, time.monotonic()
            self._refused[attempt.job.task] = count, since
        return count

    def failed(self, attempt: Attempt, error: BaseException) -> Outcome:
        """A failure: again after a while, or the end where no attempts are left."""
        job = attempt.job
        text = text_of(error)
        if isinstance(error, Retry):
            text = error.reason or "the task asked to be tried again"
        task = self._tasks.get(job.task)
        once = task is not None and task.rules.delivery == "at_most_once"
        if once or job.attempt >= job.max_attempts:
            return self.ended(attempt, class_of(error), text, state="discarded")
        if isinstance(error, Retry) and error.delay is not None:
            delay_ms = max(error.delay // _MS, 0)
        else:
            delay_ms = round(task.rules.retry.delay_seconds(job.attempt) * 1000) if task else _HELD_MS
        return self._again(attempt, "retryable", delay_ms, counted=1, reason=text, error_class=class_of(error))

    def dropped(self, attempt: Attempt) -> Outcome:
        """The attempt is given back as if it had never been claimed."""
        return Outcome(attempt.job.id, attempt.job.lease, "available", counted=0, took_ms=_took_ms(attempt))

    def ended(self, attempt: Attempt, error_class: str, error: str, *, state: str = "cancelled") -> Outcome:
        """The job has ended, other than well."""
        return ended(attempt, self._rules(attempt), error_class, self._cleaned(attempt, error), state=state)

    def _rules(self, attempt: Attempt) -> Rules | None:
        task = self._tasks.get(attempt.job.task)
        return task.rules if task else None

    def _again(self, attempt: Attempt, state: str, delay_ms: int, *, counted: int, reason: str,
               error_class: str | None = None) -> Outcome:
        return Outcome(attempt.job.id, attempt.job.lease, state, counted, _took_ms(attempt), delay_ms=max(delay_ms, 0),
                       error_class=error_class, error=storable(self._cleaned(attempt, reason)) if reason else None)

    def stale(self, attempt: Attempt) -> Outcome:
        """A claim says that the job need not run any more."""
        return self.skipped(attempt, attempt.job.stale or "")

    def skipped(self, attempt: Attempt, reason: str) -> Outcome:
        """The job need not run any more: it is settled without having begun."""
        self._events.emit(JobSkipped(job_id=attempt.job.id, task=attempt.job.task, reason=reason))
        outcome = self.ended(attempt, reason, f"{reason} before it ran")
        outcome.counted = 0
        return outcome


def ended(attempt: Attempt, rules: Rules | None, error_class: str, error: str, *, state: str = "cancelled") -> Outcome:
    """The outcome of a job that has ended, other than well."""
    took_ms = _took_ms(attempt)
    retention = rules.retention if rules else _DEFAULT_RETENTION
    return Outcome(attempt.job.id, attempt.job.lease, state, 1, took_ms, retention.keep_ms(state, round(took_ms)),
                   error_class=error_class, error=storable(error))


def invalid(attempt: Attempt, rules: Rules) -> Outcome:
    """`valid_if` said that the job has become pointless."""
    outcome = ended(attempt, rules, "invalid", "valid_if said that it has become pointless")
    outcome.counted = 0
    return outcome


def _took_ms(attempt: Attempt) -> float:
    return (time.monotonic() - attempt.started_at) * 1000 if attempt.started_at else 0.0
