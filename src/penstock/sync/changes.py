"""What each record that differs from its digest needs, told from its row of the state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.domain.records import RecordState
from penstock.sync.links import Linked
from penstock.sync.plan import Item, LayerPlan


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
    for each in differing:
        value = None if match is None else match(each.record)
        link = each.link
        item = Item(each.key, each.canonical, each.digest, match=None if value is None else str(value),
                    parent_key=link.parent_key, parent_id=link.parent_id, reference_ids=link.reference_ids)
        if row := held.get(each.key):
            _, item.remote_id, status, item.version = row
            item.known = True
            item.in_doubt = status == RecordState.IN_DOUBT and item.remote_id is None
        kind = "create" if item.remote_id is None else "update"
        if link.blocked_class is not None:
            kind, item.error_class, item.error = "blocked", link.blocked_class, link.blocked_by
        entries.append((kind, item))
    return entries
