"""Withholding: what a run may delete, decided for all of its layers before the first delete is sent.

Three passes over the deletes that lie on the spools, a page at a time: they are weighed against what people have
decided and against the guard; where they are too many, people are asked; and what may go is handed out in full batches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from penstock.domain.records import Counts, RecordState, Subject
from penstock.events import DeletesWithheld, Events
from penstock.store.port import Store, Transaction
from penstock.sync.approvals import ScopeApprovals, Standing
from penstock.sync.declare import SyncDefinition
from penstock.sync.guard import Sum, Weighed, decide
from penstock.sync.plan import Item, LayerPlan, decode_item
from penstock.sync.removal import DELETE
from penstock.sync.state import Fence, add_counts

_SCOPES = 1000
_PAGE = 1000


@dataclass(slots=True)
class LayerRemoval:
    """What is to be removed from one layer, and how much of it may go."""

    plan: LayerPlan
    approvals: ScopeApprovals
    keep_unclaimed: Callable[[Sequence[str]], set[str]] | None
    fresh: int = 0
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
        """Count the deletes by where they stand, and take off the approvals what came back."""
        found = dict.fromkeys((each.id for each in self.approvals.kept), 0)
        for items in self._pages():
            named = self.approvals.named([item.key for item in items])
            for several in named.values():
                for each in several:
                    found[each.id] += 1
            for item in items:
                if not _exists(item):
                    continue
                if item.key in named:
                    self.stands[named[item.key][0].standing] += 1
                else:
                    self.fresh += 1
        for kept in self.approvals.kept:
            if self.plan.proven and found[kept.id] < kept.records:
                for keys in self.approvals.keys(kept.id):
                    self.approvals.take_off(self._back(keys), [kept.id])

    def _back(self, keys: Sequence[str]) -> list[str]:
        """Those that are in the source again. A shared row that nobody has may still wait for other reads."""
        back = [key for key in keys if self.plan.spool.kind(key) != DELETE]
        if back and self.keep_unclaimed is not None:
            unclaimed = self.keep_unclaimed(back)
            return [key for key in back if key not in unclaimed]
        return back

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


class Withholding:
    """What one run may delete. `began_at`, in the store's time, is before the first page of the source was read."""

    def __init__(self, store: Store, events: Events, definition: SyncDefinition, subject: Subject,
                 fence: Fence) -> None:
        self._store = store
        self._events = events
        self._definition = definition
        self._subject = subject
        self._fence = fence
        row = store.read(lambda tx: tx.row("now"))
        assert row is not None
        self._began_at: int = row[0]
        self._layers: dict[str, LayerRemoval] = {}

    def decide(self, plans: Sequence[LayerPlan]) -> dict[str, LayerRemoval]:
        """Weigh all layers' deletes, and ask about those that are withheld; by a layer's name, what may go.

        Raises `StaleLease` if the run belongs to somebody else by now.
        """
        for plan in plans:
            approvals = ScopeApprovals(self._store, plan.layer.table, plan.state.scope, self._fence,
                                       self._read_at(plan))
            removal = LayerRemoval(plan, approvals, self._keep_unclaimed(plan) if plan.layer.account_scoped else None)
            removal.weigh()
            self._layers[plan.layer.name] = removal
        if any(removal.fresh or removal.open for removal in self._layers.values()):
            for name, reason in self._reasons().items():
                self._layers[name].withheld_for = reason
        if not self.believed():
            for removal in self._layers.values():
                if removal.plan.layer.account_scoped and removal.withheld_for is None:
                    removal.withheld_for = f"deletes of {self._subject.key} are withheld in other layers"
        for name, removal in self._layers.items():
            removal.tally = self._tally(removal.plan.layer.table)
            self._ask(name, removal)
        withheld = sum(removal.withheld for removal in self._layers.values())
        if withheld or any(removal.approvals.kept for removal in self._layers.values()):
            self._note(withheld)
        return self._layers

    def believed(self) -> bool:
        """Whether what the subject's own layers lack is believed: of none of them a delete was withheld.

        Else its read tells nothing of rows that it shares with others: who seems to have left may be among them.
        """
        return not any(removal.withheld for removal in self._layers.values()
                       if not removal.plan.layer.account_scoped)

    def _read_at(self, plan: LayerPlan) -> int:
        """What was asked at this time or before was asked before the reads that show what is absent.

        Runs of one subject take turns, so this one began after any that asked, be it in the same millisecond. Of rows
        that subjects share, each of them has to be read again.
        """
        if plan.layer.account_scoped:
            return (plan.read_since or 0) - 1
        return self._began_at

    def messages(self) -> list[str]:
        """What the run says of deletes that it left out."""
        found = []
        for name, removal in self._layers.items():
            undecided = removal.open + (removal.fresh if removal.withheld_for is not None else 0)
            if undecided:
                found.append(f"{name}: {undecided:,} deletes withheld until they are approved ({removal.withheld_for});"
                             f" see `penstock approve {self._definition.name}`")
            if decided := removal.withheld - undecided:
                found.append(f"{name}: {decided:,} deletes withheld as was decided")
        return found

    def _ask(self, name: str, removal: LayerRemoval) -> None:
        """Ask about what is withheld, unless an open question names just that."""
        fresh = removal.fresh if removal.withheld_for is not None else 0
        if not fresh and not removal.stands[Standing.EXPIRED]:
            return
        reason = removal.withheld_for or ""
        described = {"sync": self._definition.name, "layer": name, "subject": self._subject.key,
                     "account": self._subject.account, "reason": reason}
        id = removal.approvals.ask(described, removal.questioned(), removal.plan.layer.layer.guard.expires)
        self._events.emit(DeletesWithheld(
            run_id=self._fence.run_id, sync=self._definition.name, subject=self._subject.key, layer=name,
            records=fresh + removal.open, reason=reason, approval_id=id))

    def _reasons(self) -> dict[str, str]:
        """The layers that are withheld, with the reasons; of the others it is noted what is about to be deleted.

        That is one transaction, and runs of one layer take turns: of two at once, the second counts the first.
        """
        accounts = self._accounts()
        tables = sorted(removal.plan.layer.table for removal in self._layers.values())

        def work(tx: Transaction) -> dict[str, str]:
            add_counts(tx, self._fence, Counts())
            tx.rows("guard_lock", {"tables": tables})
            reasons = decide([self._weighed(tx, name, removal, accounts.get(name, 0))
                              for name, removal in self._layers.items()])
            for name, removal in self._layers.items():
                if removal.fresh and name not in reasons:
                    params = {"layer_table": removal.plan.layer.table, "run_id": self._fence.run_id,
                              "account": self._subject.account, "lease": self._fence.lease, "about_to": removal.fresh}
                    tx.execute("removals_prune", params)
                    tx.execute("removal_reserve", params)
            return reasons

        return self._store.write(work)

    def _weighed(self, tx: Transaction, name: str, removal: LayerRemoval, account_rows: int) -> Weighed:
        layer, scope = removal.plan.layer, removal.plan.state.scope
        guard = layer.layer.guard
        params = {"layer_table": layer.table, "run_id": self._fence.run_id, "account": self._subject.account}
        row = tx.row("removals_sums", params)
        assert row is not None
        own, account_removed, account_about_to, removed, about_to = row
        rows = _number(tx.row("rows_live", {"scope": scope, "count": guard.enough}, layer=layer.table))
        everywhere = _number(tx.row("rows_live_all", {"count": guard.enough}, layer=layer.table))
        return Weighed(name, guard, removal.fresh, bool(removal.open), frozenset(layer.targets),
                       Sum(own, 0, rows), Sum(account_removed, account_about_to, max(rows, account_rows)),
                       Sum(removed, about_to, everywhere))

    def _accounts(self) -> dict[str, int]:
        """How many rows the account has in each layer, where that may matter: those of the subject may be enough.

        Which subjects an account has is asked of `subjects()`, so it is not done inside a transaction.
        """
        found: dict[str, int] = {}
        scopes: list[str] | None = None
        for name, removal in self._layers.items():
            layer, enough = removal.plan.layer, removal.plan.layer.layer.guard.enough
            if layer.account_scoped or not removal.fresh:
                continue
            params = {"scope": removal.plan.state.scope, "count": enough}
            found[name] = _number(self._store.read(
                lambda tx, p=params, t=layer.table: tx.row("rows_live", p, layer=t)))  # type: ignore[misc]
            if found[name] >= enough:
                continue
            if scopes is None:
                scopes = [each.key for each in self._definition.sync.subjects()
                          if each.account == self._subject.account and each.key != self._subject.key]
            for start in range(0, len(scopes), _SCOPES):
                if found[name] < enough:
                    some = {"scopes": scopes[start:start + _SCOPES], "count": enough}
                    found[name] += _number(self._store.read(
                        lambda tx, p=some, t=layer.table: tx.row("rows_live_of", p, layer=t)))  # type: ignore[misc]
        return found

    def _tally(self, table: str) -> Callable[[Transaction, int], None]:
        params = {"layer_table": table, "run_id": self._fence.run_id}

        def tally(tx: Transaction, count: int) -> None:
            tx.execute("removal_count", {**params, "count": count})

        return tally

    def _note(self, withheld: int) -> None:
        """Tell it in the run's row."""
        def work(tx: Transaction) -> None:
            add_counts(tx, self._fence, Counts())
            tx.execute("run_withheld", {"withheld": withheld, "id": self._fence.run_id, "lease": self._fence.lease})

        self._store.write(work)

    def _keep_unclaimed(self, plan: LayerPlan) -> Callable[[Sequence[str]], set[str]]:
        """Of rows that subjects share, those that no subject has claimed since they were planned to go."""
        def still(keys: Sequence[str]) -> set[str]:
            params = {"scope": plan.state.scope, "keys": list(keys), "began_at": self._began_at}
            return {row[0] for row in self._store.read(
                lambda tx: tx.rows("rows_still_unclaimed", params, layer=plan.layer.table))}

        return still


def _number(row: tuple[int, ...] | None) -> int:
    return int(row[0]) if row else 0
