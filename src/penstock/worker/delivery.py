"""Attempts that are persisted one by one: `ack="each"` and `delivery="at_most_once"`.

At most once: the job is settled before its body runs, as discarded, and told again when the body has ended. A worker
that dies in between leaves a job that says that it began and never reported; nobody runs it again.
"""

from typing import Any

from penstock.domain.errors import StoreError
from penstock.domain.jobs import FINAL_STATES, Outcome
from penstock.queue.attempt import Attempt
from penstock.queue.claim import settle
from penstock.queue.task import Task
from penstock.store.port import Store
from penstock.worker.deciding import ended

_BEGAN = "it began, and never said how it ended: the worker was lost, and it runs at most once"


class Delivery:
    """Writes single attempts to the store, on the thread that ran them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, attempt: Attempt, task: Task[Any, Any]) -> bool:
        """Settle before the body where the task asks for it; False if the job may not run here."""
        if task.rules.delivery != "at_most_once":
            return True
        outcome = ended(attempt, task.rules, "AtMostOnce", _BEGAN, state="discarded")
        try:
            return not settle(self._store, [outcome])
        except StoreError:
            return False  # it may have been settled; then it stays as it is, for it must not run twice

    def end(self, attempt: Attempt, task: Task[Any, Any], outcome: Outcome) -> Outcome:
        """Persist what the attempt came to before its slot takes another job."""
        try:
            if task.rules.delivery == "at_most_once":
                outcome.written = self._told(attempt, task, outcome)
            elif not settle(self._store, [outcome]):
                outcome.written = True
        except StoreError:
            pass  # the batch of the worker tries again
        return outcome

    def _told(self, attempt: Attempt, task: Task[Any, Any], outcome: Outcome) -> bool:
        """Say what a job came to that was settled when it began; False if that was said before."""
        state, error_class, keep_ms = outcome.state, outcome.error_class, outcome.keep_ms
        if state not in FINAL_STATES:  # it wants to run again, which it must not
            state, error_class = "discarded", error_class or "AtMostOnce"
            keep_ms = task.rules.retention.keep_ms(state, round(outcome.took_ms))
        return bool(self._store.run("at_most_once_end", {
            "id": attempt.job.id, "lease": attempt.job.lease, "state": state, "took_ms": round(outcome.took_ms),
            "keep_ms": keep_ms, "error_class": error_class, "error": outcome.error,
        }))
