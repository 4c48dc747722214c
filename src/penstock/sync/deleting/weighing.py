"""Weighing: whether what a run would delete is withheld, by what people decided and by what the guard counts.

It writes nothing, so that a plan can be weighed as a run is.
"""

from collections.abc import Mapping, Sequence

from penstock.domain.records import Subject
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.guard import Sum, Weighed, decide
from penstock.sync.deleting.approvals import ScopeApprovals
from penstock.sync.deleting.layer_removal import KeepUnclaimed, LayerRemoval
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.state.fence import Fence

_SCOPES = 1000


def foresee(store: Store, definition: SyncDefinition, subject: Subject,
            plans: Sequence[LayerPlan]) -> dict[str, LayerRemoval]:
    """By a layer's name, what a run that came to these plans now would delete and withhold. Nothing is noted or asked.

    The plans' spools have to be open.
    """
    weighing = Weighing(store, definition, subject, None)
    removals = weighing.removals(plans)
    reasons = {}
    if deletes(removals):
        accounts = weighing.accounts(removals)
        reasons = store.read(lambda tx: decide(weighing.weighed(tx, removals, accounts)))
    judge(subject.key, removals, reasons)
    return removals


def deletes(removals: Mapping[str, LayerRemoval]) -> bool:
    """Whether there is anything to decide on."""
    return any(removal.fresh or removal.open for removal in removals.values())


def judge(subject: str, removals: Mapping[str, LayerRemoval], reasons: Mapping[str, str]) -> None:
    """Withhold the layers that the guard gives reasons for, and what is then not believed of shared rows."""
    for name, reason in reasons.items():
        removals[name].withheld_for = reason
    if not believed(removals):
        for removal in removals.values():
            if removal.plan.layer.account_scoped and removal.withheld_for is None:
                removal.withheld_for = f"deletes of {subject} are withheld in other layers"


def believed(removals: Mapping[str, LayerRemoval]) -> bool:
    """Whether what the subject's own layers lack is believed: of none of them a delete was withheld.

    Else its read tells nothing of rows that it shares with others: who seems to have left may be among them.
    """
    return not any(removal.withheld for removal in removals.values() if not removal.plan.layer.account_scoped)


class Weighing:
    """What one run, or a plan (without a fence), would delete. Made before the first page of the source is read."""

    def __init__(self, store: Store, definition: SyncDefinition, subject: Subject, fence: Fence | None) -> None:
        self._store = store
        self._definition = definition
        self._subject = subject
        self._fence = fence
        row = store.read(lambda tx: tx.row("now"))
        assert row is not None
        self._began_at: int = row[0]

    def removals(self, plans: Sequence[LayerPlan]) -> dict[str, LayerRemoval]:
        """What the plans would delete, by the name of the layer, counted by what people have decided on it."""
        found = {}
        for plan in plans:
            approvals = ScopeApprovals(self._store, plan.layer.table, plan.state.scope, self._fence,
                                       self._read_at(plan))
            removal = LayerRemoval(plan, approvals, self.keep_unclaimed(plan) if plan.layer.account_scoped else None)
            removal.weigh()
            found[plan.layer.name] = removal
        return found

    def accounts(self, removals: Mapping[str, LayerRemoval]) -> dict[str, int]:
        """How many rows the account has in each layer, where that may matter: those of the subject may be enough.

        Which subjects an account has is asked of `subjects()`, so it is not done inside a transaction.
        """
        found: dict[str, int] = {}
        scopes: list[str] | None = None
        for name, removal in removals.items():
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

    def weighed(self, tx: Transaction, removals: Mapping[str, LayerRemoval],
                accounts: Mapping[str, int]) -> list[Weighed]:
        """The counts that the guard decides on; `accounts` says how many rows the account has in a layer."""
        return [self._weighed(tx, name, removal, accounts.get(name, 0)) for name, removal in removals.items()]

    def _weighed(self, tx: Transaction, name: str, removal: LayerRemoval, account_rows: int) -> Weighed:
        layer, scope = removal.plan.layer, removal.plan.state.scope
        guard = layer.layer.guard
        params = {"layer_table": layer.table, "account": self._subject.account,
                  "run_id": self._fence.run_id if self._fence else 0}
        row = tx.row("removals_sums", params)
        assert row is not None
        own, account_removed, account_about_to, removed, about_to = row
        rows = _number(tx.row("rows_live", {"scope": scope, "count": guard.enough}, layer=layer.table))
        everywhere = _number(tx.row("rows_live_all", {"count": guard.enough}, layer=layer.table))
        return Weighed(name, guard, removal.fresh, bool(removal.open), frozenset(layer.targets),
                       Sum(own, 0, rows), Sum(account_removed, account_about_to, max(rows, account_rows)),
                       Sum(removed, about_to, everywhere))

    def _read_at(self, plan: LayerPlan) -> int:
        """What was asked at this time or before was asked before the reads that show what is absent.

        Runs of one subject take turns, so this one began after any that asked, be it in the same millisecond. Of rows
        that subjects share, each of them has to be read again.
        """
        if plan.layer.account_scoped:
            return (plan.read_since or 0) - 1
        return self._began_at

    def keep_unclaimed(self, plan: LayerPlan) -> KeepUnclaimed:
        """Of rows that subjects share, those that no subject has claimed since a time, else since the run began."""
        def still(keys: Sequence[str], at: int | None = None) -> set[str]:
            params = {"scope": plan.state.scope, "keys": list(keys), "at": self._began_at if at is None else at}
            return {row[0] for row in self._store.read(
                lambda tx: tx.rows("rows_still_unclaimed", params, layer=plan.layer.table))}

        return still


def _number(row: tuple[int, ...] | None) -> int:
    return int(row[0]) if row else 0
