"""What is to be removed from one layer in one run: how much is new, how much was asked about, and what may go.

Passes over the deletes that lie on the spool, a page at a time. Weighing them writes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from penstock.domain.records import RecordState
from penstock.store.port import Transaction
from penstock.sync.deleting.approvals import ScopeApprovals, Standing
from penstock.sync.planning.plan import Item, LayerPlan, decode_item
from penstock.sync.planning.removal import DELETE

_PAGE = 1000


class KeepUnclaimed(Protocol):
    """Of keys of rows that subjects share, those that nobody has claimed since a time, else since the run began."""

    def __call__(self, keys: Sequence[str], at: int | None = None) -> set[str]: ...


@dataclass(slots=True)
class LayerRemoval:
    """What is to be removed from one layer, and how much of it may go. `named` is of how much each approval speaks."""

    plan: LayerPlan
    approvals: ScopeApprovals
    keep_unclaimed: KeepUnclaimed | None
    fresh: int = 0
    named: dict[int, int] = field(default_factory=dict)
    stands: dict[Standing, int] = field(default_factory=lambda: dict.fromkeys(Standing, 0))
    withheld_for: str | None = None
    tally: Callable[[Transaction, int], None] | None = None

    @property
    def open(self) -> int:
        """How many were asked about and nobody has decided, or the decision has expired."""
        return self.stands[Standing.ASKED] + self.stands[Standing.EXPIRED]

    @property
    def withheld(self) -> int:
        """How many stay, for now."""
        fresh = self.fresh if self.withheld_for is not None else 0
        return fresh + self.open + self.stands[Standing.REFUSED] + self.stands[Standing.LATER]

    def weigh(self) -> None:
        """Count the deletes by where they stand."""
        self.named = dict.fromkeys((each.id for each in self.approvals.kept), 0)
        for items in self._pages():
            named = self.approvals.named([item.key for item in items])
            for several in named.values():
                for each in several:
                    self.named[each.id] += 1
            for item in items:
                if not _exists(item):
                    continue
                if item.key in named:
                    self.stands[named[item.key][0].standing] += 1
                else:
                    self.fresh += 1

    def take_off_returned(self) -> None:
        """Take off the approvals what a whole read shows to be back.

        A row that subjects share may be back in any of them; see `Withholding.void`.
        """
        if not self.plan.proven or self.keep_unclaimed is not None:
            return
        for kept in self.approvals.kept:
            if self.named[kept.id] < kept.records:
                for keys in self.approvals.keys(kept.id):
                    self.approvals.take_off([key for key in keys if self.plan.spool.kind(key) != DELETE], [kept.id])

    def questioned(self) -> Iterator[list[str]]:
        """The keys that a question is to name: those that nobody has decided on."""
        undecided = (None, Standing.ASKED, Standing.EXPIRED)
        for items in self._pages():
            stands = self.approvals.standings([item.key for item in items])
            yield [item.key for item in items if _exists(item) and stands.get(item.key) in undecided]

    def never_sent(self) -> Iterator[list[Item]]:
        """What is to be forgotten only, since the destination never had it."""
        for items in self._pages():
            if unsent := [item for item in items if not _exists(item)]:
                yield unsent

    def batches(self, size: int) -> Iterator[tuple[list[Item], bool]]:
        """What may be deleted in calls of `size`; first what was approved (True), then what needs no approval."""
        for approved in (True, False) if self.approvals.kept else (False,):
            if approved or self.withheld_for is None:
                yield from ((batch, approved) for batch in _regrouped(self._allowed(approved), size))

    def held_elsewhere(self) -> set[str]:
        """The keys whose remote record another row holds as well, which stays: it may not be deleted.

        A destination that normalises keys may have taken two records for one.
        """
        found: set[str] = set()
        for batch, _ in self.batches(_PAGE):
            keys = {item.remote_id: item.key for item in batch if item.remote_id is not None}
            for remote_id, scope, key in self.plan.state.ask("state_taken", {"remote_ids": list(keys)}):
                own = scope == self.plan.state.scope
                if not own or (key != keys[remote_id] and self.plan.spool.kind(key) != DELETE):
                    found.add(keys[remote_id])
        return found

    def _allowed(self, approved: bool) -> Iterator[list[Item]]:
        for items in self._pages():
            stands = self.approvals.standings([item.key for item in items])
            wanted = Standing.APPROVED if approved else None
            chosen = [item for item in items if _exists(item) and stands.get(item.key) is wanted]
            if chosen and self.keep_unclaimed is not None:
                free = self.keep_unclaimed([item.key for item in chosen])
                chosen = [item for item in chosen if item.key in free]
            yield chosen

    def carried_out(self) -> None:
        """Take off the approvals what they let go; what the destination refused to delete stays on them."""
        if not self.stands[Standing.APPROVED]:
            return
        for kept in self.approvals.kept:
            if kept.standing is Standing.APPROVED:
                for keys in self.approvals.keys(kept.id):
                    there = self.plan.state.look_up(keys)
                    self.approvals.take_off([key for key in keys if key not in there
                                             or there[key].status == RecordState.DISABLED], [kept.id])

    @contextmanager
    def counted(self, approved: bool) -> Iterator[None]:
        """Deletes that are saved meanwhile count against the guard, unless they were approved."""
        self.plan.state.tally = None if approved else self.tally
        try:
            yield
        finally:
            self.plan.state.tally = None

    def _pages(self) -> Iterator[list[Item]]:
        for entries in self.plan.spool.take(DELETE, _PAGE):
            yield [decode_item(encoded) for _, encoded in entries]


def _exists(item: Item) -> bool:
    """Whether the destination has it, or may have it."""
    return item.remote_id is not None or item.in_doubt


def _regrouped(pages: Iterator[list[Item]], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for page in pages:
        for item in page:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch
