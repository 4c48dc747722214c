"""What each record that differs from its digest needs, told from its row of the state."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from penstock.domain.records import RecordState
from penstock.sync.planning.links import Linked
from penstock.sync.planning.plan import WAITING, Item, LayerPlan
from penstock.sync.state.rows import Held


@dataclass(slots=True)
class Differing:
    """A record whose digest is not the one in state, on its way to the spool."""

    record: Any
    key: str
    canonical: bytes
    digest: bytes
    link: Linked


def changes(plan: LayerPlan, differing: Sequence[Differing]) -> list[tuple[str, Item]]:
    """The kind of change that each differing record needs, told from its whole state row, and the change."""
    if not differing:
        return []
    held = plan.state.look_up([each.key for each in differing])
    match = plan.layer.match
    entries = []
    records = [each.record for each in differing]
    columns = [reference.keys(records) for reference in plan.layer.references]
    references = zip(*columns, strict=True) if columns else repeat(())
    for each, reference_keys in zip(differing, references, strict=False):
        value = None if match is None else match(each.record)
        link = each.link
        item = Item(each.key, each.canonical, each.digest, match=None if value is None else str(value),
                    parent_key=link.parent_key, parent_id=link.parent_id, reference_ids=link.reference_ids,
                    reference_keys=reference_keys)
        if row := held.get(each.key):
            remember(item, row)
        kind = "create" if item.remote_id is None else "update"
        if link.blocked_class is not None:
            kind = "blocked"
            # Who is in doubt stays so whatever becomes of the parent: it is to be looked up before it is sent again.
            item.noted = item.in_doubt or (item.was, item.error_class, item.error) == (
                RecordState.BLOCKED, link.blocked_class, link.blocked_by)
            item.error_class, item.error = link.blocked_class, link.blocked_by
        elif item.was == RecordState.FAILED and item.wait_ms > 0 and item.unchanged:
            kind = WAITING
        elif item.attempts or item.in_doubt:
            plan.retried += 1
        entries.append((kind, item))
    return entries if plan.matches is None else plan.matches.held_against(entries)


def remember(item: Item, row: Held) -> None:
    """Give an item what is known of its record."""
    item.known, item.was = True, row.status
    item.remote_id, item.version = row.remote_id, row.version
    item.in_doubt = row.status == RecordState.IN_DOUBT and row.remote_id is None
    item.error_class, item.error = row.error_class, row.error
    item.attempts, item.wait_ms = row.attempts or 0, row.wait_ms or 0
    item.tried = None if row.tried is None else bytes(row.tried)
