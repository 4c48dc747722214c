"""A courier's service, as far as this example needs one: a file of parcels, and rules of its own."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from penstock.sync import Change, Done, Refused, Rejected, Run

PATH = os.environ.get("COURIER", "courier.db")
MOST_KG = 30
POSTCODES = {"AB1", "CD2", "EF3"}


class Courier:
    """Takes parcels, at most 30 kg in one call. No two may have one reference."""

    batch_size = 10
    enforces_key = True

    def create(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
        if (weight := sum(change.payload["kg"] for change in changes)) > MOST_KG:
            raise Refused("too_heavy", f"{weight} kg in one call, {MOST_KG} are allowed")  # the engine splits the call
        with closing(opened()) as parcels:
            outcomes = [self._take(parcels, change) for change in changes]
        if "COURIER_HANGS_UP" in os.environ and os.path.exists(os.environ["COURIER_HANGS_UP"]):
            os.remove(os.environ["COURIER_HANGS_UP"])
            raise ConnectionResetError("the courier hung up before it answered")
        return outcomes

    def update(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
        with closing(opened()) as parcels:
            for change in changes:
                parcels.execute("update parcel set postcode = ?, kg = ? where id = ?",
                                (change.payload["postcode"], change.payload["kg"], change.remote_id))
        return [Done(change.remote_id) for change in changes]

    def delete(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
        with closing(opened()) as parcels:
            parcels.executemany("delete from parcel where id = ?", [(change.remote_id,) for change in changes])
        return [Done() for _ in changes]

    def find(self, references: Sequence[str], run: Run) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with closing(opened()) as parcels:
            for reference in references:
                for (id,) in parcels.execute("select id from parcel where reference = ?", (reference,)):
                    found.setdefault(reference, []).append(str(id))
        return found

    def _take(self, parcels: sqlite3.Connection, change: Change) -> Done | Rejected:
        if change.payload["postcode"] not in POSTCODES:
            return Rejected("unknown_postcode", f"no courier goes to {change.payload['postcode']!r}")
        try:
            taken = parcels.execute("insert into parcel (reference, postcode, kg) values (?, ?, ?)",
                                    (change.payload["reference"], change.payload["postcode"], change.payload["kg"]))
        except sqlite3.IntegrityError:
            return Rejected("conflict", f"there is a parcel {change.payload['reference']} already")
        return Done(str(taken.lastrowid))


def opened() -> sqlite3.Connection:
    parcels = sqlite3.connect(PATH, isolation_level=None)
    parcels.execute("create table if not exists parcel"
                    " (id integer primary key, reference text unique, postcode text, kg integer)")
    return parcels
