"""Audits by the clock: a sync with `audit_every` has each subject's destination read back about so often.

A periodic task looks now and then for subjects whose last whole audit is too long ago, and requests a few of them: so
many that all have their turn in time, and never all at once. An audit whose calls were used up is gone on with at the
next tick. The requests are folded, admitted and served as any other.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from penstock.domain.errors import DeclarationError
from penstock.domain.options import Audit, RunOptions
from penstock.queue.task import Task
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.destination.seen import can_tell

TASK = "penstock.audits"
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(hours=1)
_TICKS = 24


class App(Protocol):
    """What is needed of the app."""

    tasks: dict[str, Task[Any, Any]]

    @property
    def store(self) -> Store: ...

    @property
    def task(self) -> Callable[..., Any]: ...

    @property
    def periodic(self) -> Callable[..., None]: ...

    def definition(self, sync: str) -> SyncDefinition: ...

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None: ...


def declared(app: App, definition: SyncDefinition, queue: str) -> SyncDefinition:
    """Have a sync's subjects audited, if it says how often. Raises `DeclarationError` where that cannot be."""
    every = definition.options.audit_every
    if every is None:
        return definition
    if not isinstance(every, timedelta) or every < _SHORTEST:
        raise DeclarationError(f"{definition.name}: audit_every: expected a timedelta of a minute or more, got"
                               f" {every!r}")
    if not any(can_tell(layer) for layer in definition.layers):
        raise DeclarationError(f"{definition.name}: audit_every: no layer of it can be read back: expected one with"
                               " fetch(remote_ids, run) or read(run), of its own or of its destination")
    if TASK not in app.tasks:
        def request_audits(sync: str) -> None:
            app.request(due(app.store, app.definition(sync)))

        app.task(name=TASK, queue=queue)(request_audits)
    app.periodic(f"{TASK}.{definition.name}", app.tasks[TASK].call(definition.name), every=tick(every))
    return definition


def tick(every: timedelta) -> timedelta:
    """How often it is looked for subjects that are due."""
    return timedelta(seconds=math.ceil(min(max(every / _TICKS, _SHORTEST), _LONGEST).total_seconds()))


def due(store: Store, definition: SyncDefinition) -> list[dict[str, Any]]:
    """Requests for the subjects that were audited the longest ago, if that is too long; this tick's share of them.

    A first contact counts as an audit: all that was there has just been seen.
    """
    every = definition.options.audit_every
    assert every is not None
    layers = [layer for layer in definition.layers if can_tell(layer)]
    rows = store.read(lambda tx: tx.rows("contacts_audited", {"layer_tables": [layer.table for layer in layers]}))
    row = store.read(lambda tx: tx.row("now"))
    assert row is not None
    before = row[0] - every // timedelta(milliseconds=1)
    at = {(table, scope): seen_at for table, scope, seen_at in rows}
    subjects = list(definition.sync.subjects())
    waiting = sorted((min(at.get((layer.table, layer.scope(each.key, each.account))) or 0 for layer in layers),
                      each.key, each.account) for each in subjects)
    share = math.ceil(len(subjects) * (tick(every) / every))
    options = RunOptions.of(audit=Audit()).text
    return [{"sync": definition.name, "subject": key, "account": account, "priority": 0, "reason": "audit_every",
             "options": options} for seen_at, key, account in waiting[:share] if seen_at <= before]
