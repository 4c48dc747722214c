"""The plan of one subject as people look at it: what would be done in each layer, and what that would cost.

It is made as `penstock plan` makes it: nothing is written, and the destination is asked nothing.
"""

from typing import Any

import msgspec

from penstock.domain.records import ChangeKind, Subject
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.deleting.layer_removal import LayerRemoval
from penstock.sync.deleting.weighing import foresee
from penstock.sync.planning.cost import Cost, cost, summed
from penstock.sync.planning.plan import MATCH, Item, LayerPlan, decode_item
from penstock.sync.serving.bounded import Bound
from penstock.sync.serving.preview import preview

KINDS = ("create", "update", "delete")


class PlannedRecord(msgspec.Struct, frozen=True):
    """A change by its key. `fields` are those that an update is about, where that is known; `adopts` is the remote id
    of a record that was observed, and is taken over."""

    key: str
    fields: list[str] | None = None
    adopts: str | None = None
    payload: Any = None


class PlannedLayer(msgspec.Struct, frozen=True):
    """What would be done in one layer. `first` are the first changes of each kind; of `withheld` deletes a person has
    yet to decide, for `withheld_for` a reason, and `decided` were kept back by a decision already."""

    layer: str
    counts: dict[str, int]
    first: dict[str, list[PlannedRecord]]
    fields: dict[str, dict[str, int]]
    problems: list[str]
    complete: bool
    read_first: bool
    withheld: int = 0
    withheld_for: str | None = None
    decided: int = 0


class PlannedSubject(msgspec.Struct, frozen=True):
    """What a run of one subject would do now."""

    sync: str
    subject: str
    account: str
    layers: list[PlannedLayer]
    cost: Cost

    @property
    def changes(self) -> int:
        return sum(layer.counts[kind] for layer in self.layers for kind in KINDS)


def planned_subject(store: Store, definition: SyncDefinition, subject: Subject, *, bound: Bound, first: int,
                    show_values: bool) -> PlannedSubject:
    """Plan one subject. Raises what its source raises, and `OutOfTime` where that is beyond the bound."""
    with preview(store, definition, subject, bound=bound) as plans:
        removals = foresee(store, definition, subject, plans)
        layers = [_layer(plan, removals[plan.layer.name], first, show_values) for plan in plans]
        summary = [summed(plan) for plan in plans]
    return PlannedSubject(definition.name, subject.key, subject.account, layers, cost(store, definition, summary))


def _layer(plan: LayerPlan, removal: LayerRemoval, first: int, show_values: bool) -> PlannedLayer:
    fields: dict[str, dict[str, int]] = {}
    for (field, how), count in sorted(plan.fields.items()):
        fields.setdefault(field, {})[how] = count
    undecided = removal.open + (removal.fresh if removal.withheld_for is not None else 0)
    return PlannedLayer(plan.layer.name, plan.summary(),
                        {kind: [_record(kind, item, show_values) for item in _first(plan, kind, first)]
                         for kind in KINDS},
                        fields, list(plan.problems), plan.complete, plan.unread,
                        undecided if removal.withheld else 0, removal.withheld_for,
                        removal.withheld - undecided if removal.withheld else 0)


def _first(plan: LayerPlan, kind: str, most: int) -> list[Item]:
    """The first of one kind; what was observed and is adopted with other values is updated like the rest."""
    found = [entry for each in ((kind, MATCH) if kind == "update" else (kind,))
             for entry in next(plan.spool.take(each, most), [])]
    return [decode_item(item) for _, item in found[:most]]


def _record(kind: str, item: Item, show_values: bool) -> PlannedRecord:
    fields = None if item.changed is None else [*item.changed, *item.dropped]
    payload = item.change(ChangeKind(kind)).payload if show_values and item.canonical else None
    return PlannedRecord(item.key, fields, None if item.observed is None else item.remote_id, payload)
