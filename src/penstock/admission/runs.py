"""Lines of runs: one for each account of a sync. What runs is counted from the runs themselves, by their index."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from penstock.admission.policy import Decision, Line, Piece, Room, View
from penstock.domain.jobs import Call
from penstock.domain.lines import line_of
from penstock.events import Event, RunAdmitted
from penstock.queue.enqueue import plan
from penstock.store.port import Row, Transaction

Account = tuple[str, str]
"""A sync and an account of it."""
_DUE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class SyncRoom:
    """How many runs of a sync may be under way, in all and for each account; the gates before an account's; and after
    how many milliseconds each subject is to be requested again, if it is by the clock."""

    max_concurrent: int
    per_account: int
    gates: Callable[[str], Sequence[str]] = lambda account: ()
    period_ms: int | None = None


Rooms = Mapping[str, SyncRoom]


def account_of(line: str) -> Account:
    """The sync and the account whose line it is, however its text was written."""
    sync, account = msgspec.json.decode(line.removeprefix("run:"), type=tuple[str, str])
    return sync, account


class RunLines:
    """The lines of runs that a step touches, brought up to date together."""

    def __init__(self, tx: Transaction, rooms: Rooms) -> None:
        self._tx = tx
        self._rooms = rooms
        self._touched: dict[Account, int | None] = {}
        self._admitted: dict[int, int] = {}

    def touch(self, account: Account, rank: int | None = None) -> None:
        """Something happened to a line. `rank`: from where on something may wait that its head does not know of."""
        low = self._touched.get(account)
        self._touched[account] = rank if low is None else low if rank is None else min(low, rank)

    def admit(self, decision: Decision, job_id: int) -> None:
        """A run goes ahead as this job."""
        assert decision.line.account is not None
        self._admitted[decision.piece.id] = job_id
        self.touch((decision.line.room, decision.line.account), decision.line.pieces[0].rank)

    def due(self) -> None:
        """Runs whose time has come join their lines."""
        for sync, account, rank in self._tx.rows("runs_due", {"count": _DUE_BATCH}):
            self.touch((sync, account), rank)

    def update(self) -> list[Event]:
        """Let the admitted runs go ahead, and look at the touched lines again; return what there is to tell."""
        if not self._touched:
            return []
        accounts = list(self._touched)
        rooms = [self._rooms.get(sync) for sync, _ in accounts]
        admitted = self._tx.batch("runs_lines", {
            "lines": [line_of(*each) for each in accounts], "syncs": [sync for sync, _ in accounts],
            "accounts": [account for _, account in accounts],
            "mosts": [room and room.per_account for room in rooms],
            "gates": [room and msgspec.json.encode(list(room.gates(account))).decode()
                      for room, (_, account) in zip(rooms, accounts, strict=True)],
            "lows": list(self._touched.values()), "ids": list(self._admitted),
            "job_ids": list(self._admitted.values())})
        self._touched.clear()
        self._admitted.clear()
        return [RunAdmitted(*row) for row in admitted]


def room(sync: str, declared: SyncRoom, running: int, paused: bool) -> Room:
    """What of a sync may be admitted while so many of its runs run."""
    if paused:
        return Room(0, f"sync {sync} is paused")
    return Room(declared.max_concurrent - running,
                f"{running} runs of {sync} are under way, and at most {declared.max_concurrent} may be")


def lines(tx: Transaction, rows: Sequence[Row], rooms: Rooms, sync: str, count: int) -> list[Line]:
    """Lines as the policy sees them; those with more places than one with what waits behind their heads."""
    found = []
    for name, account, running, _, served_at, gates, _, _, rank, id, priority, *_ in rows:
        most = rooms[sync].per_account
        pieces = [Piece(id, rank, priority)]
        if most - running > 1 and count > len(rows):
            behind = tx.rows("runs_behind", {"sync": sync, "account": account, "rank": rank, "id": id,
                                             "count": min(most - running - 1, count)})
            pieces += [Piece(each[0], each[3], each[2]) for each in behind]
        found.append(Line(name, sync, tuple(pieces), running, most, account, served_at,
                          tuple(msgspec.json.decode(gates, type=list[str])) if gates else ()))
    return found


def admit(tx: Transaction, decisions: Sequence[Decision], lines: RunLines, window_call: Callable[[int], Call]) -> None:
    """Let runs go ahead with the lines' next update, each as a job that serves it."""
    chosen = [each for each in decisions if each.admit]
    if chosen:
        jobs = sorted(row[0] for row in tx.rows(*plan([window_call(each.piece.id) for each in chosen])))
        for each, job in zip(chosen, jobs, strict=True):
            lines.admit(each, job)


__all__ = ["Account", "RunLines", "SyncRoom", "View", "account_of", "admit", "line_of", "lines", "room"]
