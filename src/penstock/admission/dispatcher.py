"""The dispatcher: folds committed requests into runs, and admits runs by the policy. One acts at a time.

A request is folded into the pending run of its subject, or into a new one; while a run is under way it stays where
it is, and becomes the next run. So what arrives in the middle of a run is neither lost nor run twice. It stays as well
behind a pending run of other options (see domain/folding.py), to which it lends its priority.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.admission.policy import Head, Room, decide
from penstock.domain.folding import Folded, Request, fold, merge_reasons
from penstock.domain.jobs import Call
from penstock.domain.records import Subject
from penstock.events import Event, Events, RunAdmitted, RunSettled
from penstock.queue.enqueue import plan
from penstock.store.carry import renamed_sync
from penstock.store.port import Store, Transaction

_FOLD_BATCH = 1000

Subjects = Callable[[str, set[str]], Mapping[str, Subject]]
"""From a sync's name and keys to the subjects that its `subjects()` gives under them."""
Known = Mapping[tuple[str, str], Subject | None]
"""What `subjects()` was asked for, by (sync, key); None where it has no such subject."""


class Dispatcher:
    """Does one step at a time; `step` says how many seconds may go by before the next is needed."""

    def __init__(self, store: Store, events: Events, *, rooms: Mapping[str, Room], subjects: Subjects,
                 window_call: Callable[[int], Call], every_seconds: float,
                 renamed: Mapping[str, str] | None = None) -> None:
        """`renamed`: from a sync's former name to its name. Programs of before go on to request by the former."""
        self._renamed = renamed or {}
        self._store = store
        self._events = events
        self._rooms = rooms
        self._subjects = subjects
        self._window_call = window_call
        self._every_seconds = every_seconds

    def step(self) -> float:
        if not self._rooms:
            return self._every_seconds
        known = self._resolved()
        told, full, due_seconds = self._store.write(lambda tx: self._act(tx, known))
        for event in told:
            self._events.emit(event)
        if any(isinstance(event, RunAdmitted) for event in told):
            self._store.wake()
        return 0.0 if full else min(due_seconds, self._every_seconds)

    def _resolved(self) -> Known:
        """The subjects of requests without an account. User code gives them, so no transaction is open meanwhile."""
        wanted: dict[str, set[str]] = {}
        for request in self._store.read(self._waiting):
            if request.account is None:
                wanted.setdefault(request.sync, set()).add(request.subject)
        known: dict[tuple[str, str], Subject | None] = {}
        for sync, keys in wanted.items():
            found = self._subjects(sync, keys)
            known.update({(sync, key): found.get(key) for key in keys})
        return known

    def _waiting(self, tx: Transaction) -> list[Request]:
        rows = tx.rows("requests_waiting", {"syncs": list(self._rooms), "count": _FOLD_BATCH})
        return [Request(*row) for row in rows]

    def _act(self, tx: Transaction, known: Known) -> tuple[list[Event], bool, float]:
        locked = tx.row("lock_dispatch")
        if not locked or not locked[0]:
            return [], False, self._every_seconds
        for was, sync in self._renamed.items():
            for step in renamed_sync(sync, was):
                tx.execute(step.name, step.params)
        told: list[Event] = [
            RunSettled(run_id=id, sync=sync, subject=subject, status="failed", error="its window was lost")
            for id, sync, subject in tx.rows("runs_orphaned")
        ]
        waiting = self._waiting(tx)
        for folded in fold(waiting):
            told += self._fold(tx, folded, known)
        told += self._admit(tx)
        due = tx.row("runs_next_due")
        seconds = self._every_seconds if due is None or due[0] is None else max(due[0] / 1000, 0.005)
        return told, len(waiting) == _FOLD_BATCH, seconds

    def _fold(self, tx: Transaction, folded: Folded, known: Known) -> list[Event]:
        told: list[Event] = []
        key = (folded.sync, folded.subject)
        subject = known.get(key)
        account = folded.account or (subject.account if subject else None)
        pending = tx.row("run_pending", {"sync": folded.sync, "subject": folded.subject})
        if pending is not None and pending[3] != folded.options:
            if folded.priority > pending[1]:
                tx.execute("run_fold", {"id": pending[0], "priority": folded.priority, "reasons": pending[2]})
            return []
        if pending is not None:
            tx.execute("run_fold", {
                "id": pending[0], "priority": max(pending[1], folded.priority),
                "reasons": _encode(merge_reasons(msgspec.json.decode(pending[2], type=list[str]), folded.reasons)),
            })
        elif account is not None:
            tx.row("run_create", {**_asked(folded), "account": account, "size": subject.size if subject else None})
        elif key not in known:
            return []  # it was committed after subjects() was asked; the next step asks again
        else:
            error = f"subjects() of {folded.sync} gives no subject {folded.subject!r}, so its account is unknown"
            row = tx.row("run_refuse", {**_asked(folded), "error_class": "UnknownSubject", "error": error})
            assert row is not None
            told.append(RunSettled(run_id=row[0], sync=folded.sync, subject=folded.subject, status="failed",
                                   error=error))
        tx.execute("requests_remove", {"ids": folded.ids})
        return told

    def _admit(self, tx: Transaction) -> list[Event]:
        heads = [Head(*row) for row in tx.rows("runs_heads")]
        if not heads:
            return []
        running = {(sync, account): count for sync, account, count in tx.rows("runs_running")}
        told: list[Event] = []
        for decision in decide(heads, running, self._rooms):
            if not decision.admit:
                continue
            head = decision.head
            (job,) = tx.rows(*plan([self._window_call(head.run_id)]))
            if tx.execute("run_admit", {"id": head.run_id, "job_id": job[0]}):
                told.append(RunAdmitted(run_id=head.run_id, sync=head.sync, subject=head.subject))
        return told


def _asked(folded: Folded) -> dict[str, Any]:
    return {"sync": folded.sync, "subject": folded.subject, "priority": folded.priority,
            "reasons": _encode(folded.reasons), "requested_at": folded.requested_at, "options": folded.options}


def _encode(reasons: list[str]) -> str:
    return msgspec.json.encode(reasons).decode()
