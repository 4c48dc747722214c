"""Requests become runs: each is folded into the pending run of its subject, or into a new one.

While a run is under way a request stays where it is, and becomes the next run: what arrives in the middle is neither
lost nor run twice. It stays as well behind a pending run of other options (see domain/folding.py), to which it lends
its priority.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.admission.runs import Rooms, RunLines
from penstock.domain.folding import Folded, Request, fold, merge_reasons
from penstock.domain.records import Subject
from penstock.events import Event, RunSettled
from penstock.store.port import Row, Transaction

BATCH = 1000

Subjects = Callable[[str, set[str]], Mapping[str, Subject]]
"""From a sync's name and keys to the subjects that its `subjects()` gives under them."""
Known = Mapping[tuple[str, str], Subject | None]
"""What `subjects()` was asked for, by (sync, key); None where it has no such subject."""


def waiting(tx: Transaction, syncs: list[str]) -> list[Request]:
    """Requests that may be folded now, the oldest first."""
    return [Request(*row) for row in tx.rows("requests_waiting", {"syncs": syncs, "count": BATCH})]


def request_due(tx: Transaction, rooms: Rooms) -> bool:
    """Request the subjects whose time has come; whether there were any."""
    found = False
    for sync, room in rooms.items():
        if room.period_ms is not None:
            found = bool(tx.rows("subjects_due", {"sync": sync, "period": room.period_ms, "count": BATCH})) or found
    return found


def note_asked(tx: Transaction, requests: Sequence[Request], rooms: Rooms) -> None:
    """What somebody requested need not be requested by the clock for a while."""
    for sync, room in rooms.items():
        if room.period_ms is not None:
            asked = {each.subject: each.requested_at for each in requests
                     if each.sync == sync and each.reason != "every"}
            if asked:
                tx.batch("subjects_asked", {"subjects": list(asked), "requested_ats": list(asked.values()),
                                            "sync": sync, "period": room.period_ms})


def fold_requests(tx: Transaction, requests: Sequence[Request], known: Known,
                  lines: RunLines) -> tuple[list[Event], bool]:
    """Fold requests into runs; return what there is to tell, and whether anything was folded.

    Those whose account is not known yet stay for the next step.
    """
    asked = fold(requests)
    if not asked:
        return [], False
    pending = {(row[1], row[2]): row for row in tx.batch("runs_pending", {
        "syncs": [each.sync for each in asked], "subjects": [each.subject for each in asked]})}
    folding = _Folding(tx, known)
    for each in asked:
        run = pending.get((each.sync, each.subject))
        if run is None:
            folding.new(each)
        else:
            folding.into(run, each)
    return folding.told, folding.write(lines)


class _Folding:
    """What one step folds, gathered so that it is written in a few statements."""

    def __init__(self, tx: Transaction, known: Known) -> None:
        self._tx = tx
        self._known = known
        self._new: dict[tuple[str, str], tuple[Folded, str, int | None]] = {}
        self._changed: dict[int, tuple[int, str]] = {}
        self._done: list[int] = []
        self.told: list[Event] = []

    def into(self, run: Row, asked: Folded) -> None:
        id, _, _, _, priority, reasons, options = run
        if id in self._changed:
            priority, reasons = self._changed[id]
        if options != asked.options:
            if asked.priority > priority:
                self._changed[id] = asked.priority, reasons
            return
        merged = _encode(merge_reasons(msgspec.json.decode(reasons, type=list[str]), asked.reasons))
        self._changed[id] = max(priority, asked.priority), merged
        self._done += asked.ids

    def new(self, asked: Folded) -> None:
        key = (asked.sync, asked.subject)
        subject = self._known.get(key)
        account = asked.account or (subject.account if subject else None)
        if key in self._new:
            first = self._new[key][0]  # of other options: it waits, and lends its priority
            first.priority = max(first.priority, asked.priority)
        elif account is not None:
            self._new[key] = asked, account, subject.size if subject else None
            self._done += asked.ids
        elif key in self._known:
            self._refuse(asked)

    def _refuse(self, asked: Folded) -> None:
        error = f"subjects() of {asked.sync} gives no subject {asked.subject!r}, so its account is unknown"
        row = self._tx.row("run_refuse", {
            "sync": asked.sync, "subject": asked.subject, "priority": asked.priority, "reasons": _encode(asked.reasons),
            "requested_at": asked.requested_at, "options": asked.options, "error_class": "UnknownSubject",
            "error": error})
        assert row is not None
        self.told.append(RunSettled(run_id=row[0], sync=asked.sync, subject=asked.subject, status="failed",
                                    error=error))
        self._done += asked.ids

    def write(self, lines: RunLines) -> bool:
        if self._changed:
            rows = self._tx.batch("runs_fold", {
                "ids": list(self._changed), "priorities": [each[0] for each in self._changed.values()],
                "reasons": [each[1] for each in self._changed.values()]})
            for sync, account, delayed, rank in rows:
                if not delayed:
                    lines.touch((sync, account), rank)
        if self._new:
            self._create(list(self._new.values()), lines)
        if self._done:
            self._tx.execute("requests_remove", {"ids": self._done})
        return bool(self._changed or self._done)

    def _create(self, new: list[tuple[Folded, str, int | None]], lines: RunLines) -> None:
        columns: dict[str, list[Any]] = {
            "syncs": [asked.sync for asked, _, _ in new], "subjects": [asked.subject for asked, _, _ in new],
            "accounts": [account for _, account, _ in new], "sizes": [size for _, _, size in new],
            "priorities": [asked.priority for asked, _, _ in new],
            "reasons": [_encode(asked.reasons) for asked, _, _ in new],
            "requested_ats": [asked.requested_at for asked, _, _ in new],
            "options": [asked.options for asked, _, _ in new]}
        self._tx.batch("runs_create", columns)
        for asked, account, _ in new:
            lines.touch((asked.sync, account), asked.requested_at - asked.priority * 60_000)


def _encode(reasons: list[str]) -> str:
    return msgspec.json.encode(reasons).decode()
