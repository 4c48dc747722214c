"""The row of one limit of one key, locked, changed and saved: one short transaction, whoever else wants it waits."""

from typing import Any

import msgspec

from penstock.domain.slots import Entry, Ledger
from penstock.store.port import Store, Transaction

MOST_TURNS = 1000
"""How often a part of a row changes before the next one takes over (see store/sql/limits.sql)."""
_TRIES = 100
_MOST_PRUNED = 10_000

_decode = msgspec.json.Decoder(list[list[int]]).decode


class LimitRow(msgspec.Struct):
    """What the store has of one limit of one key."""

    key: str
    name: str
    part: int
    next_us: int
    since_us: int
    seen_us: int
    interval_us: int | None
    slowed_at: int | None
    grown_at: int | None
    turns: int
    spent: str

    @property
    def entries(self) -> list[list[int]]:
        return entries(self.spent)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.next_us, self.since_us, self.seen_us, tuple(Entry(*each) for each in self.entries))

    def keep(self, ledger: Ledger) -> None:
        self.next_us, self.since_us, self.seen_us = ledger.next_us, ledger.since_us, ledger.seen_us
        self.spend(ledger.spent)

    def spend(self, entries: Any) -> None:
        self.spent = msgspec.json.encode(entries).decode()


def entries(spent: str) -> list[list[int]]:
    """What the column `spent` holds."""
    return _decode(spent)


def locked(tx: Transaction, key: str, name: str, interval_us: int | None = None) -> LimitRow:
    """The row, which is made where there is none, with the time after it was had."""
    for _ in range(_TRIES):
        row = tx.row("limit_lock", {"key": key, "name": name})
        if row is not None:
            return LimitRow(key, name, *row)
        # None, or the part that was found has just been left for the next
        tx.execute("limit_begin", {"key": key, "name": name, "part": 0, "next_us": 0, "since_us": 0, "seen_us": 0,
                                   "interval_us": interval_us, "slowed_at": None, "grown_at": None, "spent": "[]"})
    raise AssertionError(f"the row of {key} {name} was left faster than it could be had")


def saved(tx: Transaction, row: LimitRow) -> None:
    """Save a row that is locked; after many turns as its next part."""
    params = {"key": row.key, "name": row.name, "part": row.part, "next_us": row.next_us, "since_us": row.since_us,
              "seen_us": row.seen_us, "interval_us": row.interval_us, "slowed_at": row.slowed_at,
              "grown_at": row.grown_at, "spent": row.spent}
    if row.turns < MOST_TURNS:
        tx.execute("limit_save", params)
        return
    tx.execute("limit_leave", {"key": row.key, "name": row.name, "part": row.part})
    row.part += 1
    tx.execute("limit_begin", {**params, "part": row.part})


def prune(store: Store) -> None:
    """Forget limits that have said nothing for days."""
    store.write(lambda tx: tx.execute("limits_prune", {"count": _MOST_PRUNED}))
