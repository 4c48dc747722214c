"""Taking the next run: in the transaction that settles the one before, so that nobody else sees the place empty.

It holds the lock under which runs are admitted, and the lease of the window's job: what a dispatcher may not admit is
not taken either, and a window that was rescued takes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.domain.errors import StaleLease
from penstock.domain.limits import key_of
from penstock.domain.lines import line_of
from penstock.store.port import Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.window.prediction import OWN, Recorded, fits

LOOK = 20
"""How many pending runs a window looks at for one that fits."""


class Taken(NamedTuple):
    """A run's row as a window begins with it; for `waited_ms` it was due.

    `layers` is what it did in them before (see sync/state/tally.py), `windows` are those that served it before, and
    `cancelled_by` is why it is to end, where somebody cancelled it.
    """

    id: int
    sync: str
    subject: str
    account: str
    size: int | None
    attempt: int
    options: str
    cursor: str | None
    written: int
    waited_ms: int
    layers: str = ""
    windows: str = ""
    cancelled_by: str | None = None


@dataclass(slots=True)
class Next:
    """The run that was taken; or why none was (`ended_by`), with the ids of those that did not fit."""

    run: Taken | None = None
    ended_by: str = ""
    skipped: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a window knows when it looks for its next run."""

    definition: SyncDefinition
    account: str
    job_id: int
    lease: int
    headroom: float
    recorded: Recorded

    def next(self, tx: Transaction, left: float) -> Next:
        """Take the most urgent run that fits into the seconds that are left. The admission is locked already.

        Raises `StaleLease` where the window's job is somebody else's by now.
        """
        if not tx.rows("window_holds", {"job_id": self.job_id, "lease": self.lease}):
            raise StaleLease(f"job {self.job_id}: its lease has passed to another worker")
        if self._held(tx):
            return Next(ended_by="gate")
        rows = tx.rows("runs_next", {"sync": self.definition.name, "account": self.account, "count": LOOK})
        if not rows:
            return Next(ended_by="nothing more")
        chosen, skipped = self._chosen(tx, rows, left)
        if chosen is None:
            return Next(ended_by="out of time", skipped=skipped)
        id, rank = chosen
        if fault := self._no_room(tx, rank):
            return Next(ended_by=fault)
        row = tx.row("run_take", {"id": id, "job_id": self.job_id, "lease": self.lease})
        if row is None:  # cancelled just now: what else there is, a dispatcher admits
            return Next(ended_by="nothing more")
        return Next(Taken(*row), skipped=skipped)

    def _held(self, tx: Transaction) -> bool:
        """Whether somebody paused the account, or a gate is shut that its runs go through."""
        name, account = self.definition.name, self.account
        held = tx.row("line_held", {"line": line_of(name, account), "sync": name})
        keys = {key_of(limit, name, {"account": account}) for limit in self.definition.options.limits}
        shut = tx.rows("gates_shut_of", {"keys": [*sorted(keys), f"sync:{name}:{account}"]})
        return bool(shut) or (held is not None and held[0] is not None)

    def _chosen(self, tx: Transaction, rows: Sequence[tuple[Any, ...]],
                left: float) -> tuple[tuple[int, int] | None, list[int]]:
        """Id and rank of the most urgent that fits, and the ids of those before it."""
        if left < self.headroom:
            return None, [row[0] for row in rows]
        own: dict[str, list[float]] = {}
        params = {"sync": self.definition.name, "subjects": [row[1] for row in rows], "count": OWN}
        for subject, took_ms in tx.rows("runs_took", params):
            own.setdefault(subject, []).append(took_ms / 1000)
        skipped: list[int] = []
        for id, subject, size, rank in rows:
            if fits(left, self.headroom, self.recorded.predicted(size, own.get(subject, []))):
                return (id, rank), skipped
            skipped.append(id)
        return None, skipped

    def _no_room(self, tx: Transaction, rank: int) -> str | None:
        """Why there is no room for another run of this account, if there is none, or others have the first claim to it.
        """
        options = self.definition.options
        running: dict[str, int] = dict(tx.rows("runs_running_of", {"sync": self.definition.name}))
        if running.get(self.account, 0) >= options.per_account:
            return "no room"
        others = options.max_concurrent - sum(running.values()) - 1
        if others < 0:
            return "no room"
        if others:
            return None  # who is more urgent has room beside this window
        params = {"sync": self.definition.name, "account": self.account, "rank": rank}
        row = tx.row("runs_rival", params)
        return "yielded" if row and row[0] else None
