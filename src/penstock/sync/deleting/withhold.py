"""Withholding: what a run may delete, decided for all of its layers before the first delete is sent.

The deletes are weighed (see weighing.py); where they are too many, people are asked; of the others it is noted what the
run is about to delete.
"""

from collections.abc import Callable, Sequence

from penstock.domain.records import Counts, Subject
from penstock.events import DeletesWithheld
from penstock.events.telling import Events
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.guard import decide
from penstock.sync.deleting.approvals import ScopeApprovals, Standing
from penstock.sync.deleting.layer_removal import LayerRemoval
from penstock.sync.deleting.weighing import Weighing, believed, deletes, judge
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.state.fence import Fence, add_counts


class Withholding:
    """What one run may delete. Made before the first page of the source is read."""

    def __init__(self, store: Store, events: Events, definition: SyncDefinition, subject: Subject,
                 fence: Fence) -> None:
        self._store = store
        self._events = events
        self._definition = definition
        self._subject = subject
        self._fence = fence
        self._weighing = Weighing(store, definition, subject, fence)
        self._layers: dict[str, LayerRemoval] = {}

    def void(self, plan: LayerPlan) -> None:
        """Take off the approvals what the source has again: they are about records that are still absent.

        Told before anything is sent, so that a run that ends early has told it. A shared row that came back may have
        left again meanwhile: it is off if it had a claim since it was asked about.
        """
        approvals = ScopeApprovals(self._store, plan.layer.table, plan.state.scope, self._fence, 0)
        still = self._weighing.keep_unclaimed(plan) if plan.layer.account_scoped else None
        for kept in approvals.kept:
            for keys in approvals.keys(kept.id):
                back = {key for key, row in plan.state.look_up(keys).items() if row.id in plan.seen}
                if still is not None:
                    back |= set(keys) - still(keys, kept.asked_at)
                approvals.take_off(sorted(back), [kept.id])

    def decide(self, plans: Sequence[LayerPlan]) -> dict[str, LayerRemoval]:
        """Weigh all layers' deletes, and ask about those that are withheld; by a layer's name, what may go.

        Raises `StaleLease` if the run belongs to somebody else by now.
        """
        for plan in plans:
            if plan.layer.account_scoped:
                self.void(plan)  # this run has claimed since
        self._layers = self._weighing.removals(plans)
        for removal in self._layers.values():
            removal.take_off_returned()
        judge(self._subject.key, self._layers, self._reasons() if deletes(self._layers) else {})
        for name, removal in self._layers.items():
            removal.tally = self._tally(removal.plan.layer.table)
            self._ask(name, removal)
        withheld = sum(removal.withheld for removal in self._layers.values())
        if withheld or any(removal.approvals.kept for removal in self._layers.values()):
            self._note(withheld)
        return self._layers

    def believed(self) -> bool:
        """Whether what the subject's own layers lack is believed; see `believed` of sync/deleting/weighing.py."""
        return believed(self._layers)

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
        accounts = self._weighing.accounts(self._layers)
        tables = sorted(removal.plan.layer.table for removal in self._layers.values())

        def work(tx: Transaction) -> dict[str, str]:
            add_counts(tx, self._fence, Counts())
            tx.rows("guard_lock", {"tables": tables})
            reasons = decide(self._weighing.weighed(tx, self._layers, accounts))
            for name, removal in self._layers.items():
                if removal.fresh and name not in reasons:
                    params = {"layer_table": removal.plan.layer.table, "run_id": self._fence.run_id,
                              "account": self._subject.account, "lease": self._fence.lease, "about_to": removal.fresh}
                    tx.execute("removals_prune", params)
                    tx.execute("removal_reserve", params)
            return reasons

        return self._store.write(work)

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
