"""What the source has no more."""

from collections.abc import Sequence

from penstock.domain.bits import Bits
from penstock.domain.records import RecordState
from penstock.store.port import Row
from penstock.sync.planning.plan import Item, LayerPlan, entry

DELETE = "delete"


def lay_absent(plan: LayerPlan) -> None:
    """Lay a delete for every row that a complete read did not meet. An empty source proves nothing."""
    plan.proven = True
    prunes = prunes_unmanaged(plan)
    if len(plan.seen) == plan.state.count(observed=prunes):
        return
    if prunes and plan.state.fenced:
        plan.state.note("observed_release", {})
    for rows in plan.state.pages():
        there = Bits()
        there.add([row[0] for row in rows])
        absent = set(there - plan.seen)
        if absent:
            lay_deletes(plan, plan.state.rows([key for id, key in rows if id in absent]), prunes)


def prunes_unmanaged(plan: LayerPlan) -> bool:
    """Whether records that were only observed go as well. Not in a first run: its state may have been lost."""
    return plan.layer.layer.prune_unmanaged and plan.state.managed_before()


def lay_deletes(plan: LayerPlan, rows: Sequence[Row], prunes: bool = False) -> None:
    """Lay deletes of rows given as (id, key, parent key, remote id, version, status); where it `prunes`, of any row."""
    spared = (RecordState.DISABLED,) if prunes else (RecordState.DISABLED, RecordState.OBSERVED)
    plan.spool.lay([
        entry(DELETE, Item(key, remote_id=remote_id, version=version, parent_key=parent_key, known=True,
                           in_doubt=status == RecordState.IN_DOUBT and remote_id is None))
        for _, key, parent_key, remote_id, version, status in rows
        if status not in spared
    ])
