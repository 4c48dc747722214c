"""A run that is bound to a plan: it reads the source again, plans again, and of that applies what the plan names.

A change is applied if it is still of the same kind, to the same remote record, and sends the same. What is not so any
more has *moved*, and is left alone like what the plan does not name; both are said. What is at the destination already
as the plan has it was made before, by this run or another, and is no trouble.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from penstock.domain.options import RunOptions
from penstock.domain.records import RecordState
from penstock.store.port import Row, Store
from penstock.store.spool import Entry, Spool
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.dropped import REBASE
from penstock.sync.planning.plan import ADOPT, AMBIGUOUS, MATCH, MATCHED, Item, LayerPlan, decode_item
from penstock.sync.planning.removal import DELETE
from penstock.sync.restricting.planned import Named, PlannedLayer, Plans, declared, named
from penstock.sync.state.layer import LayerState

_SENT = ("create", "update", ADOPT, MATCH, MATCHED)
_LEFT, _MADE = "left", "made"  # kinds on a spool that nobody applies
_MOST_SAID = 5
_LONGEST_KEY = 60
_DONE = {"create": "created", "update": "updated", DELETE: "deleted", ADOPT: "adopted", REBASE: "noted only",
         AMBIGUOUS: "left in doubt"}


class BoundState(LayerState):
    """State that does not tell what was sent of the records that a plan names, so that each of them is planned."""

    def __init__(self, plan_id: int, subject: str, layer: str, store: Store, *given: Any, **options: Any) -> None:
        super().__init__(store, *given, **options)
        self.planned = PlannedLayer(store, plan_id, subject, layer)

    def digests(self, keys: Sequence[str]) -> list[Row]:
        rows = super().digests(keys)
        names = self.planned.named([row[0] for row in rows if row[2] is not None])
        return [(key, id, None if key in names else digest) for key, id, digest in rows]

    def in_step(self, items: Sequence[Item]) -> set[str]:
        """The keys of those that the destination surely has as they are."""
        held = {key: digest for key, _, digest in super().digests([item.key for item in items])}
        return {item.key for item in items if item.digest is not None and held.get(item.key) == item.digest}


class _NamedOnly(Spool):
    """A spool that takes what a plan names, and all deletes, since the guard is to see them all."""

    def __init__(self, planned: PlannedLayer) -> None:
        super().__init__()
        self._planned = planned
        self.others = 0

    def lay(self, entries: Iterable[Entry]) -> None:
        laid = list(entries)
        names = self._planned.named([key for key, kind, _ in laid if kind != DELETE])
        kept = [entry for entry in laid if entry[1] == DELETE or entry[0] in names]
        self.others += sum(kind in _SENT and key not in names for key, kind, _ in laid)
        if kept:
            super().lay(kept)


class Binding:
    """One run's plan, and what was found of it. Raises `PlanRefused` where it is no longer kept."""

    def __init__(self, store: Store, sync: str, subject: str, plan_id: int) -> None:
        plans = Plans(store)
        self._declared = plans.layers(plan_id, sync)
        self._total = plans.count(plan_id, subject)
        self._moved = 0
        self._said: list[str] = []
        self._others = 0
        self._renderers: list[str] = []

    def plan(self, layer: LayerDefinition, run: Run, states: Mapping[str, LayerState]) -> LayerPlan:
        """The plan of a layer, of which creates and updates are kept as they were planned. The caller closes it."""
        state = states[layer.name]
        assert isinstance(state, BoundState)
        if state.planned.any():
            for name in ("buckets_remove", "cursor_remove"):  # what is in step there may not be after this run
                state.note(name, {"subject": run.subject.key})
        if self._declared.get(layer.name, declared(layer)) != declared(layer):
            self._renderers.append(layer.name)
        spool = _NamedOnly(state.planned)
        plan = plan_layer(layer, run, state, states, spool=spool, whole=True)
        try:
            plan.after_upserts.clear()  # what is saved there has to be true of all records
            for kind in (*_SENT, REBASE, AMBIGUOUS):
                for entries in spool.take(kind):
                    self._hold(plan, kind, [decode_item(encoded) for _, encoded in entries])
            for page in state.planned.pages():
                self._not_to_be_sent(plan, [name for name in page if name.kind != DELETE])
        except BaseException:
            spool.close()
            raise
        self._others += spool.others
        return plan

    def removals(self, plan: LayerPlan) -> None:
        """Leave the deletes that were not planned, once the guard has weighed all of them."""
        assert isinstance(plan.state, BoundState)
        for entries in plan.spool.take(DELETE):
            names = plan.state.planned.named([key for key, _ in entries])
            left = []
            for key, encoded in entries:
                name, now = names.get(key), named(DELETE, decode_item(encoded))
                if name == now:
                    continue
                left.append(key)
                if name is None:
                    self._others += 1
                elif name.kind == DELETE:
                    self._move(plan, key, "is another remote record now")
                # else it was told when creates and updates were
            plan.spool.change_kind(left, _LEFT)
        for page in plan.state.planned.pages():
            self._not_to_be_deleted(plan, [name for name in page if name.kind == DELETE])

    def messages(self) -> list[str]:
        """What the run says of its plan: nothing, if all of it was applied and nothing else was found."""
        found = []
        if self._moved:
            more = "; …" if self._moved > len(self._said) else ""
            found.append(f"{self._moved:,} of {self._total:,} changes moved since the plan was made:"
                         f" {'; '.join(self._said)}{more}")
        if self._others:
            found.append(f"{self._others:,} new changes not in the plan left for a later run")
        if found and self._renderers:
            found.append(f"the renderer of {', '.join(self._renderers)} changed since the plan was made, or its key,"
                         " match or mode")
        return found

    def _hold(self, plan: LayerPlan, kind: str, items: Sequence[Item]) -> None:
        """Hold a page of what is to be created or updated now against the plan."""
        state = plan.state
        assert isinstance(state, BoundState)
        names = state.planned.named([item.key for item in items])
        in_step = state.in_step(items)
        made: list[str] = []
        left: list[str] = []
        for item in items:
            name, now = names[item.key], named(kind, item)
            if item.key in in_step:
                same = name.kind != DELETE and name.digest == now.digest
                (made if same else left).append(item.key)
                if not same:
                    back = "is in the source again" if name.kind == DELETE else "was sent otherwise since"
                    self._move(plan, item.key, back)
            elif name != now:
                left.append(item.key)
                self._move(plan, item.key, _difference(name, now))
        plan.counts.skipped += len(made)
        plan.spool.change_kind(made, _MADE)
        plan.spool.change_kind(left, _LEFT)

    def _not_to_be_sent(self, plan: LayerPlan, names: Sequence[Named]) -> None:
        """Tell of creates and updates that the source does not ask for any more."""
        for name in self._absent(plan, names, but=(DELETE,)):
            self._move(plan, name.key, "is not in the source any more")

    def _not_to_be_deleted(self, plan: LayerPlan, names: Sequence[Named]) -> None:
        """Tell of deletes that are not to be made any more, except where the record is gone already."""
        missing = self._absent(plan, names)
        rows = plan.state.look_up([name.key for name in missing])
        for name in missing:
            row = rows.get(name.key)
            if row is not None and row.status != RecordState.DISABLED:
                self._move(plan, name.key, "is in the source again" if row.id in plan.seen
                           else "is not surely absent from the source now")

    def _absent(self, plan: LayerPlan, names: Sequence[Named], but: Collection[str] = ()) -> list[Named]:
        """Those for which nothing lies on the spool, or what is of a kind that does not count."""
        kinds = plan.spool.kinds([name.key for name in names])
        missing = [name for name in names if kinds.get(name.key) in (None, *but)]
        if plan.layer.mode == "create_only":  # there an update is no change, and is not laid
            rows = plan.state.look_up([name.key for name in missing])
            missing = [name for name in missing if name.key not in rows or rows[name.key].id not in plan.seen]
        return missing

    def _move(self, plan: LayerPlan, key: str, how: str) -> None:
        self._moved += 1
        if len(self._said) < _MOST_SAID:
            short = key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
            self._said.append(f"{plan.layer.name} {short} {how}")


def _difference(name: Named, now: Named) -> str:
    """How a change is not the one that was planned."""
    if name.kind == DELETE:
        return "is in the source again"
    if name.kind != now.kind:
        return f"is to be {_DONE[now.kind]} now, not {_DONE[name.kind]}"
    if name.remote_id != now.remote_id:
        return "is another remote record now"
    return f"is to be {_DONE[now.kind]} otherwise now"


def binding(store: Store, sync: str, subject: str, options: RunOptions) -> Binding | None:
    """The plan of a run with these options, if it is bound to one."""
    return None if options.plan is None else Binding(store, sync, subject, options.plan)
