"""Rows that are newer than what the source was read from.

A source that looked at a snapshot does not know what was written since the snapshot's as-of time. What it says of rows
that changed since then is left to a later run, which has a newer one: else it would revert them, or delete them.
"""

from penstock.sync.planning.plan import NEWER, LayerPlan, decode_item
from penstock.sync.planning.removal import DELETE

_PAGE = 1000


def spare_newer(plan: LayerPlan, as_of_ms: int) -> int:
    """Take out of a plan what is about rows that changed, or were deleted, at that time or since; return how many.

    For a month it is remembered what was deleted.
    """
    spared = 0
    for kind, statement in (("create", "removed_since"), ("update", "rows_changed_since"),
                            (DELETE, "rows_changed_since")):
        for entries in plan.spool.take(kind, _PAGE):
            items = [decode_item(encoded) for _, encoded in entries]
            keys = [item.key for item in items if not item.unchanged]  # the very payload that was refused says no other
            rows = plan.state.ask(statement, {"keys": keys, "since": as_of_ms}) if keys else []
            plan.spool.change_kind([row[0] for row in rows], NEWER)
            spared += len(rows)
    return spared
