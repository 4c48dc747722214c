"""Raises and ends alerts. Whichever worker comes first looks, for all of them; a change is noted once.

What is wrong, what changes and what is to be told of it are read and written in one transaction, under a lock that one
worker has at a time. A worker that finds that another one has just looked, does nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from penstock.alerts.conditions import look
from penstock.alerts.ends import Notes
from penstock.domain.alerts import Alert, Alerts, Firing, Name, changes
from penstock.events import AlertChanged, Event
from penstock.events.telling import Events
from penstock.store.port import Store, Transaction

LOOK_SECONDS = 5.0
_NOTES = "notes"
_MOST = 10_000
_KEPT_MS = 7 * 86_400_000
_PRUNE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A row of what is to be told."""

    kind: str
    about: str
    state: str
    since_at: int
    summary: str
    details: dict[str, Any]


class Watch:
    """`look` looks now, unless another worker has within `every_seconds`. `syncs` gives those that are declared."""

    def __init__(self, store: Store, events: Events, rules: Alerts, syncs: Callable[[], Iterable[str]],
                 every_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._events = events
        self._rules = rules
        self._syncs = syncs
        self._every_ms = every_seconds * 1000

    def look(self) -> None:
        """Raise and end alerts, and note what is to be told. Where another worker has just done it: nothing."""
        if self._fresh(self._store.look("alert_note", {"name": _NOTES}), self._store.look("now")[0][0]):
            return
        told = self._store.write(self._look)
        for event in told:
            self._events.emit(event)
        if told:
            self._store.wake()

    def prune(self) -> None:
        """Forget what was to be told more than a week ago, whether anybody was there to be told or not."""
        kept = {"kept_ms": _KEPT_MS, "count": _PRUNE_BATCH}
        while self._store.write(lambda tx: tx.execute("alert_news_prune", kept)) == _PRUNE_BATCH:
            pass

    def _fresh(self, rows: list[Any], now: int) -> bool:
        return bool(rows) and 0 <= now - rows[0][0] < self._every_ms * 0.9

    def _look(self, tx: Transaction) -> list[Event]:
        locked = tx.row("lock_alerts")
        noted, row = tx.rows("alert_note", {"name": _NOTES}), tx.row("now")
        assert row is not None
        now = int(row[0])
        if not locked or not locked[0] or self._fresh(noted, now):
            return []
        notes = msgspec.json.decode(noted[0][1], type=Notes) if noted else Notes()
        firing = {Name(alert.kind, alert.about): alert for alert in firing_alerts(tx)}
        found = look(tx, self._rules, self._syncs(), firing, notes, now)
        told = changes(firing, found, now, self._rules.calm // timedelta(milliseconds=1))
        events: list[Event] = []
        for condition in told.raised:
            raised = Change(condition.kind, condition.about, "firing", now, condition.summary, condition.details)
            if tx.execute("alert_raise", {**_name(raised.kind, raised.about), "since_at": now,
                                          "summary": raised.summary, "details": _text(raised.details)}):
                events.append(_noted(tx, raised, now))
        for alert in told.over:
            tx.execute("alert_over", _name(alert.kind, alert.about))
            events.append(_noted(tx, Change(alert.kind, alert.about, "recovered", alert.since_at,
                                            f"over: {alert.summary}", alert.details), now))
        for name, calm_at in told.calm_at.items():
            tx.execute("alert_calm", {**_name(*name), "calm_at": calm_at})
        tx.execute("alert_note_put", {"name": _NOTES, "noted_at": now, "content": _text(notes)})
        return events


def firing_alerts(tx: Transaction, count: int = _MOST) -> list[Firing]:
    """The first `count` alerts that fire, the oldest first."""
    return [Firing(kind, about, since_at, calm_at, summary, msgspec.json.decode(details))
            for kind, about, since_at, calm_at, summary, details in tx.rows("alerts_firing", {"count": count})]


def latest_news(tx: Transaction, count: int) -> list[Alert]:
    """The last changes, the newest first, whether they were told or not."""
    return [Alert(id, kind, about, state, since_at, changed_at, summary, msgspec.json.decode(details))
            for id, kind, about, state, since_at, changed_at, summary, details
            in tx.rows("alert_news_latest", {"count": count})]


def _noted(tx: Transaction, change: Change, now: int) -> Event:
    row = tx.row("alert_news_add", {**_name(change.kind, change.about), "state": change.state,
                                    "since_at": change.since_at, "changed_at": now, "summary": change.summary,
                                    "details": _text(change.details)})
    assert row is not None
    return AlertChanged(alert_id=row[0], kind=change.kind, about=change.about, state=change.state,
                        summary=change.summary)


def _name(kind: str, about: str) -> dict[str, Any]:
    return {"kind": kind, "about": about}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
