"""Subjects that are gone: what they claim of rows that subjects share is let go by a person.

A subject that `subjects()` gives no more keeps its claims, since a list that was cut off looks just like one that
shrank. Once they are let go, the rows that nobody else claims go as any others do: after every subject of the account
has been read since, and not too many of them without approval.
"""

from collections.abc import Sequence

import msgspec

from penstock.domain.errors import RunAtWork, SurgeryRefused
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition

_PAGE = 1000


class Claimed(msgspec.Struct, frozen=True):
    """How many rows of a layer a subject claims, and how many of them it alone."""

    layer: str
    subject: str
    rows: int
    alone: int


def vanished(store: Store, definition: SyncDefinition) -> list[Claimed]:
    """What is claimed by subjects that `subjects()` does not give, by layer and subject."""
    given = {subject.key for subject in definition.sync.subjects()}
    found = []
    for layer in definition.layers:
        if layer.account_scoped:
            rows = store.read(lambda tx, t=layer.table: tx.rows("claiming", layer=t))  # type: ignore[misc]
            found += claimed(store, definition, [row[0] for row in rows if row[0] not in given], layer.name)
    return found


def claimed(store: Store, definition: SyncDefinition, subjects: Sequence[str],
            layer_name: str | None = None) -> list[Claimed]:
    """What some subjects claim, in one layer or in all."""
    found = []
    for layer in definition.layers:
        if layer.account_scoped and layer_name in (None, layer.name):
            for subject in subjects:
                row = store.read(lambda tx, t=layer.table, s=subject: tx.row(  # type: ignore[misc]
                    "claims_counted", {"subject": s}, layer=t))
                if row and row[0]:
                    found.append(Claimed(layer.name, subject, row[0], row[1]))
    return found


def unclaim(store: Store, definition: SyncDefinition, subject: str) -> None:
    """Let go all that a subject claims.

    Raises `SurgeryRefused` where the subject is still there, and `RunAtWork` while a window serves it; then nothing is
    changed.
    """
    load = getattr(definition.sync, "load", None)
    if any(each.key == subject for each in definition.sync.subjects()) or (load and load(subject) is not None):
        raise SurgeryRefused(f"{definition.name}: expected a subject that is gone, got {subject!r}, which subjects() or"
                             " load() gives: its next run claims what its source has, and drops the rest")

    def work(tx: Transaction) -> None:
        tx.rows("lock_admission")
        for id, _, at_work in tx.rows("runs_at_work", {"sync": definition.name, "subject": subject, "account": None}):
            if at_work:
                raise RunAtWork(f"run {id} of {subject} is at work: expected none, since it may claim; try again when"
                                " it has ended, or let the command wait for that with --wait SECONDS")
        for layer in definition.layers:
            if not layer.account_scoped:
                continue
            params = {"layer_table": layer.table, "subject": subject, "after": 0, "count": _PAGE}
            tx.rows("claims_lock", params)
            while ids := [row[0] for row in tx.rows("claims_page", params, layer=layer.table)]:
                for name in ("claims_drop", "rows_unclaim"):
                    tx.execute(name, {**params, "ids": ids}, layer=layer.table)
            tx.execute("read_forget", params)

    store.write(work)
