"""Records whose key is another field now (`key_was`): their rows get the new keys as the source is read.

When the store is migrated, the keys of a layer's rows are marked as former ones, so that an old key is never taken for
a new one, whatever their values. Here a page of records is held against the marked rows before it is planned: a row
moves to the new key of its record, and so is neither created again nor deleted. A scope without marked rows, once all
have moved, costs one look.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.domain.keys import FORMER
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.state.layer import LayerState

Before = Callable[[Sequence[Any]], None]
"""What is to be done with a page of records before it is planned."""


def find_moving(plan: LayerPlan, states: Mapping[str, LayerState]) -> Before | None:
    """None where nothing has to be done for any page, as nearly always."""
    steps: list[Before] = []
    if plan.layer.former_keys is not None and plan.state.ask("keys_were_any", {})[0][0]:
        steps.append(lambda page: _move(plan, page))
    parent = plan.layer.parent
    if parent is not None and plan.state.fenced and states[parent.target].rekeyed:
        steps.append(lambda page: _name_parents(plan, page))
    if not steps:
        return None

    def before(page: Sequence[Any]) -> None:
        for step in steps:
            step(page)

    return before


def _move(plan: LayerPlan, page: Sequence[Any]) -> None:
    """Move the rows of a page's records, unless something is known under their new keys."""
    former_keys = plan.layer.former_keys
    assert former_keys is not None
    former = dict(_pairs(page, plan.layer.keys, former_keys))
    marked = {FORMER + key for pair in former.items() for key in pair}
    held = plan.state.look_up([*former, *marked])
    moves: dict[str, str] = {}
    for key, was in former.items():
        if key in held:
            continue
        for row in (FORMER + was, FORMER + key):  # who declares key_was late has marked rows with new keys as well
            if row in held and row not in moves:
                moves[row] = key
                break
    if moves:
        plan.state.rekey(moves)


def _name_parents(plan: LayerPlan, page: Sequence[Any]) -> None:
    """Have the rows of a page's records name their parents by the new keys."""
    assert plan.layer.parent is not None
    plan.state.set_parents(dict(_pairs(page, plan.layer.keys, plan.layer.parent.keys)))


def _pairs(page: Sequence[Any], *readers: Callable[[Sequence[Any]], list[str | None]]) -> list[tuple[str, str]]:
    """Two keys of each record that has both. What cannot be read is no concern of this place."""
    pairs = []
    for record in page:
        try:
            first, second = (read([record])[0] for read in readers)
        except (TypeError, AttributeError, KeyError):
            continue
        if first is not None and second is not None:
            pairs.append((first, second))
    return pairs
