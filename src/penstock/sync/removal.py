"""What the source has no more."""

from collections.abc import Sequence

from penstock.domain.records import RecordState
from penstock.store.port import Row
from penstock.sync.plan import Item, LayerPlan, entry


def lay_absent(plan: LayerPlan) -> None:
    """Lay a delete for every row that a complete read did not meet. An empty source proves nothing."""
    if len(plan.seen) == plan.state.count():
        return
    for rows in plan.state.pages():
        lay_deletes(plan, [row for row in rows if row[0] not in plan.seen])


def lay_deletes(plan: LayerPlan, rows: Sequence[Row]) -> None:
    """Lay deletes of rows given as (id, key, parent key, remote id, version, status)."""
    plan.spool.lay([
        entry("delete", Item(key, remote_id=remote_id, version=version, parent_key=parent_key, known=True,
                              in_doubt=status == RecordState.IN_DOUBT and remote_id is None))
        for _, key, parent_key, remote_id, version, status in rows
        if status not in (RecordState.DISABLED, RecordState.OBSERVED)
    ])
