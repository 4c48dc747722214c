"""Approvals: the questions that withheld deletes ask of people, and the answers.

A question names the keys that it is about, of one layer in one scope. It is asked once: while the same records are
withheld, later runs ask nothing; where there are more, a new question that names all takes its place, so that nobody
approves what was not shown. Keys that come back are taken off it. An answer holds for those keys alone and for a while;
a question, or an answer, whose time is over is asked again where its records are still absent.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec

from penstock.domain.errors import UnknownApproval
from penstock.domain.records import Counts
from penstock.store.port import Params, Row, Store, Transaction
from penstock.sync.state.fence import Fence, add_counts

_PAGE = 1000
_FIRST = 5
_KEPT_MS = 30 * 86_400_000  # expired ones, in case their subject runs again
_MOST_PRUNED = 100


class Approval(msgspec.Struct, frozen=True):
    """A question that a run asked of people, or its answer. Times are in milliseconds since 1970, UTC.

    `status` is `asked`, `approved` (the next run carries it out) or `refused`; `records` is how many keys it names,
    `first` the first few of them, `reason` why the guard tripped, `subject` the one whose run asked.
    """

    id: int
    sync: str
    layer: str
    subject: str
    account: str
    status: str
    records: int
    reason: str
    asked_at: int
    expires_at: int
    decided_at: int | None
    decided_by: str | None
    first: list[str] = []


class Standing(StrEnum):
    """Where a key that is to be deleted stands. Who has none was not asked about."""

    APPROVED = "approved"
    LATER = "later"  # approved, but the source was not read since it was asked
    REFUSED = "refused"
    ASKED = "asked"
    EXPIRED = "expired"


_ORDER = list(Standing)


@dataclass(frozen=True, slots=True)
class Kept:
    """One approval of a scope, as a run takes it."""

    id: int
    standing: Standing
    records: int
    asked_at: int


class ScopeApprovals:
    """Those of one layer in one scope, as one run sees them: what was asked after `read_at` it cannot carry out yet.

    Without a fence they can only be read.
    """

    def __init__(self, store: Store, table: str, scope: str, fence: Fence | None, read_at: int) -> None:
        self._store = store
        self._place = {"layer_table": table, "scope": scope}
        self._fence = fence
        self._read_at = read_at
        rows = store.read(lambda tx: tx.rows("approvals_of_scope", self._place))
        self.kept = [Kept(id, self._standing(status, asked_at, bool(expired)), records, asked_at)
                     for id, status, records, asked_at, expired in rows]

    def _standing(self, status: str, asked_at: int, expired: bool) -> Standing:
        if expired:
            return Standing.EXPIRED
        if status == "approved" and asked_at > self._read_at:
            return Standing.LATER
        return Standing(status)

    def named(self, keys: Sequence[str]) -> dict[str, list[Kept]]:
        """The approvals that name each of the keys, the one that counts first."""
        if not self.kept or not keys:
            return {}
        by_id = {each.id: each for each in self.kept}
        params = {"ids": list(by_id), "keys": list(keys)}
        found: dict[str, list[Kept]] = {}
        for key, id in self._store.read(lambda tx: tx.rows("approval_keys_named", params)):
            found.setdefault(key, []).append(by_id[id])
        for several in found.values():
            several.sort(key=lambda each: _ORDER.index(each.standing))
        return found

    def standings(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Where each of the keys stands, of those that some approval names."""
        return {key: several[0].standing for key, several in self.named(keys).items()}

    def keys(self, id: int) -> Iterator[list[str]]:
        """The keys that an approval names, in order, a page at a time."""
        after = ""
        while rows := self._rows("approval_keys_page", {"id": id, "after": after, "count": _PAGE}):
            after = rows[-1][0]
            yield [row[0] for row in rows]

    def take_off(self, keys: Sequence[str], ids: Collection[int] | None = None) -> None:
        """Take keys off approvals (off all of the scope, unless `ids` says which): they are back, or were deleted.

        What names nothing any more is gone.
        """
        params = {"ids": list(ids if ids is not None else [each.id for each in self.kept]), "keys": list(keys)}
        if params["ids"] and keys:
            def work(tx: Transaction) -> None:
                add_counts(tx, self._writer, Counts())
                for name in ("approval_keys_remove", "approvals_recount", "approvals_carried_out"):
                    tx.execute(name, params)

            self._store.write(work)

    def ask(self, described: Mapping[str, Any], pages: Iterable[Sequence[str]], expires: timedelta) -> int:
        """Ask about keys; return the number of the question, which replaces those that are open or expired.

        `described` has the columns `sync`, `layer`, `subject`, `account` and `reason`. Nobody sees the question before
        it names all.
        """
        id = self._written("approval_note", {**self._place, **described, "run_id": self._writer.run_id},
                           forget=("approvals_abandoned", {**self._place, "run_id": self._writer.run_id}))
        for keys in pages:
            params = {"id": id, "keys": list(keys)}
            self._written("approval_keys_add", params)

        def work(tx: Transaction) -> None:
            add_counts(tx, self._writer, Counts())
            tx.rows("guard_lock", {"tables": [self._place["layer_table"]]})
            rows = tx.rows("approvals_of_scope", self._place)
            others = [row[0] for row in rows if row[1] == "asked" or row[4]]
            asked_meanwhile = [row[0] for row in rows if row[1] == "asked" and row[0] not in {k.id for k in self.kept}]
            if asked_meanwhile:  # by a run of another subject of this account
                tx.execute("approval_keys_move", {"id": id, "ids": asked_meanwhile})
            old = tx.rows("approvals_old", {"kept_ms": _KEPT_MS, "count": _MOST_PRUNED})
            tx.execute("approvals_forget", {"ids": others + [row[0] for row in old]})
            tx.execute("approval_ask", {"id": id, "expires_ms": expires // timedelta(milliseconds=1)})

        self._store.write(work)
        return id

    def _written(self, name: str, params: Params, forget: tuple[str, Params] | None = None) -> int:
        """Run one statement under the run's lease; before it forget what another gives the numbers of."""
        def work(tx: Transaction) -> int:
            add_counts(tx, self._writer, Counts())
            if forget is not None:
                tx.execute("approvals_forget", {"ids": [row[0] for row in tx.rows(*forget)]})
            row = tx.row(name, params) if name == "approval_note" else None
            if row is None:
                tx.execute(name, params)
            return int(row[0]) if row else 0

        return self._store.write(work)

    @property
    def _writer(self) -> Fence:
        assert self._fence is not None, "only a run writes"
        return self._fence

    def _rows(self, name: str, params: Params) -> list[Row]:
        return self._store.read(lambda tx: tx.rows(name, params))


def withheld(store: Store, sync: str) -> list[Approval]:
    """What is withheld of a sync, and what was decided of it and is not carried out yet, the oldest first."""
    def work(tx: Transaction) -> list[Approval]:
        found = []
        for row in tx.rows("approvals_listed", {"sync": sync}):
            first = tx.rows("approval_keys_page", {"id": row[0], "after": "", "count": _FIRST})
            found.append(Approval(*(*row, [key for (key,) in first])))
        return found

    return store.read(work)


def withheld_page(store: Store, sync: str, *, after: int = 0, count: int = 50) -> list[Approval]:
    """The same a page at a time: those behind a number."""
    def work(tx: Transaction) -> list[Approval]:
        found = []
        for row in tx.rows("approvals_page", {"sync": sync, "after": after, "count": count}):
            first = tx.rows("approval_keys_page", {"id": row[0], "after": "", "count": _FIRST})
            found.append(Approval(*(*row, [key for (key,) in first])))
        return found

    return store.read(work)


def withheld_keys(store: Store, sync: str, id: int, *, after: str = "", count: int = 100) -> Approval | None:
    """One question with a page of its keys, those behind one, as `first`; None where a sync has no such question."""
    def work(tx: Transaction) -> Approval | None:
        row = tx.row("approval_told", {"id": id, "sync": sync})
        if row is None:
            return None
        keys = tx.rows("approval_keys_page", {"id": id, "after": after, "count": count})
        return Approval(*(*row, [key for (key,) in keys]))

    return store.read(work)


def decided(store: Store, sync: str, ids: Sequence[int], *, by: str, refuse: bool = False) -> list[Approval]:
    """Approve withheld deletes, or refuse them; return what was decided now. All or nothing.

    Raises `UnknownApproval` where one of the numbers is of no open question of this sync.
    """
    wanted = list(dict.fromkeys(ids))
    params = {"ids": wanted, "sync": sync, "status": "refused" if refuse else "approved", "decided_by": by}

    def work(tx: Transaction) -> None:
        done = {row[0] for row in tx.rows("approvals_decide", params)}
        if missing := [str(id) for id in wanted if id not in done]:
            raise UnknownApproval(f"{sync}: expected the numbers of open questions, got {', '.join(missing)}: they were"
                                  " decided, replaced by others that name more, or have expired; look at `penstock"
                                  f" approve {sync}`")

    if wanted:
        store.write(work)
    return [each for each in withheld(store, sync) if each.id in set(wanted)]
