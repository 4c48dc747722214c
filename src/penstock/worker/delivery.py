"""What slots ask of the store for single attempts: `ack="each"` and `delivery="at_most_once"`, and cursors.

At most once: the job is settled before its body runs, as discarded, and told again when the body has ended. A worker
that dies in between leaves a job that says that it began and never reported; nobody runs it again.
"""

from collections.abc import Callable
from typing import Any

from penstock.domain.errors import StoreError
from penstock.domain.jobs import FINAL_STATES, Outcome
from penstock.queue.attempt import Attempt
from penstock.queue.claim import record, settle
from penstock.queue.progress import cursor_of, save
from penstock.queue.task import Task
from penstock.store.port import Store, Transaction
from penstock.worker.deciding import ended

_BEGAN = "it began, and never said how it ended: the worker was lost, and it runs at most once"


class Delivery:
    """Writes single attempts to the store, on the thread that ran them; never through a connection of a loop's.

    `told` is called when that was news for jobs that wait.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.told: Callable[[], object] = lambda: None

    def cursor(self, job_id: int) -> str | None:
        """What the attempts of a job before this one left, for whoever goes on from there."""
        return cursor_of(self._store, job_id)

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
            if attempt.said is not None:
                save(self._store, [attempt])
            if task.rules.delivery == "at_most_once":
                outcome.written = self._told(attempt, task, outcome)
            elif outcome.parts is not None:
                stale = settle(self._store, outcome.parts, told=self.told)
                for part in outcome.parts:
                    part.written = part.id not in stale
            elif not settle(self._store, [outcome], told=self.told):
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
        params = {"id": attempt.job.id, "lease": attempt.job.lease, "state": state, "took_ms": round(outcome.took_ms),
                  "keep_ms": keep_ms, "error_class": error_class, "error": outcome.error}
        if outcome.result is None:
            return bool(self._store.run("at_most_once_end", params))

        def work(tx: Transaction) -> bool:
            told = bool(tx.rows("at_most_once_end", params))
            record(tx, [outcome] if told else [])
            return told

        return self._store.write(work)
