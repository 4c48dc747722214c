"""Claims: in an account-scoped layer many subjects share a row, and it is absent only when none of them has it.

A subject claims the rows that a complete read of its source gave. A row that lost its last claim is deleted (or
disabled) only after every subject of the account has completed a read that began since: until then it may have
moved to a subject that was read too early to have it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from penstock.domain.bits import Bits
from penstock.domain.records import Counts
from penstock.store.port import Row, Store, Transaction
from penstock.sync.planning.plan import AMBIGUOUS, MATCH, MATCHED, LayerPlan
from penstock.sync.planning.removal import lay_deletes, prunes_unmanaged
from penstock.sync.state.fence import Fence, add_counts

_PAGE = 1000
_NEW = ("create", "blocked", "failed", "duplicate", MATCH, MATCHED, AMBIGUOUS)
"""The kinds of entries on a spool that may have made a row."""


class Claims:
    """One subject's claims on one account-scoped layer, in one run, or (without a fence) as a plan only looks at them.

    Made before the first page is read.
    """

    def __init__(self, store: Store, table: str, scope: str, subject: str, fence: Fence | None) -> None:
        self._store = store
        self._table = table
        self._scope = scope
        self._subject = subject
        self._fence = fence
        row = store.read(lambda tx: tx.row("now"))
        assert row is not None
        self._began_at: int = row[0]
        self._read = False
        self._gone = False

    def settle(self, plan: LayerPlan) -> None:
        """After the layer's creates and updates: claim what the source has, drop what it surely has no more.

        A read that proves nothing claims as well: who has just been created, and leaves before the next whole read,
        would otherwise be nobody's for ever.
        """
        for kind in _NEW:
            for entries in plan.spool.take(kind, _PAGE):  # rows that were in no page of the state
                params = {"scope": self._scope, "keys": [key for key, _ in entries]}
                plan.seen.add(sorted(row[0] for row in self._rows("state_ids", params)))
        claimed = Bits()
        for ids in self._claimed():
            claimed.add(ids)
        if len(claimed) and not plan.counts.read and not plan.gone:
            return  # a source that is suddenly empty proves nothing
        for ids in _batches(plan.seen - claimed):
            self._write([("claims_add", ids), ("rows_claim", ids)])
        if not plan.complete:
            return
        for ids in _batches(claimed - plan.seen):
            self._write([("claims_lock", None), ("claims_drop", ids), ("rows_unclaim", ids)])
        self._read, self._gone = True, plan.gone

    def completed(self) -> None:
        """Let this read count for the rows that subjects share: it was whole, and what it lacks is believed."""
        if self._read:
            self._write([("read_forget" if self._gone else "read_completed", None)])

    def absent(self, plan: LayerPlan, subjects: Callable[[], Iterable[str]]) -> None:
        """Lay deletes of the rows that nobody has claimed since before every subject's last complete read began.

        A run whose own read proves nothing lays none: who left every subject may just have come to this one. What this
        read has seen stays, though a plan does not claim it.
        """
        if not plan.complete or not (plan.counts.read or plan.gone):
            return
        prunes = prunes_unmanaged(plan)
        if not self._any_unclaimed(prunes):
            plan.proven = True
            return
        before = self._all_read_since(subjects())
        if before is None:
            return
        plan.proven, plan.read_since = True, before
        if prunes:
            plan.state.note("observed_release", {})
        after = ""
        while True:
            params = {"scope": self._scope, "after": after, "before": before, "prunes": int(prunes), "count": _PAGE}
            rows = self._rows("rows_unclaimed", params)
            if not rows:
                return
            after = rows[-1][1]
            lay_deletes(plan, [row for row in rows if row[0] not in plan.seen], prunes)

    def _any_unclaimed(self, prunes: bool) -> bool:
        """Whether any row of the account waits for its subjects to be read."""
        return bool(self._rows("rows_unclaimed_any", {"scope": self._scope, "prunes": int(prunes)})[0][0])

    def _all_read_since(self, subjects: Iterable[str]) -> int | None:
        """The earliest beginning of the subjects' last complete reads; None where one has none."""
        rows = self._rows("reads_completed", {"layer_table": self._table, "scope": self._scope})
        began: dict[str, int] = dict(rows)
        began[self._subject] = self._began_at
        times = [began.get(subject) for subject in subjects]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    def _claimed(self) -> Iterator[list[int]]:
        after = 0
        while rows := self._rows("claims_page", {"subject": self._subject, "after": after, "count": _PAGE}):
            after = rows[-1][0]
            yield [row[0] for row in rows]

    def _rows(self, name: str, params: Mapping[str, object]) -> list[Row]:
        return self._store.read(lambda tx: tx.rows(name, params, layer=self._table))

    def _write(self, statements: list[tuple[str, list[int] | None]]) -> None:
        """Run statements in one transaction, under the run's lease."""
        params = {"subject": self._subject, "scope": self._scope, "layer_table": self._table,
                  "began_at": self._began_at}

        def work(tx: Transaction) -> None:
            assert self._fence is not None
            add_counts(tx, self._fence, Counts())
            for name, ids in statements:
                tx.execute(name, params if ids is None else {**params, "ids": ids}, layer=self._table)

        self._store.write(work)


def _batches(numbers: Iterator[int]) -> Iterator[list[int]]:
    while batch := list(islice(numbers, _PAGE)):
        yield batch
