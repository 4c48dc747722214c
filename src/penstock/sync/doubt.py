"""In doubt: creates whose answer may be lost.

A create is recorded as in doubt before it is sent; whatever happens to the answer, it is looked up before it is sent
again.
"""

from collections import Counter
from collections.abc import Sequence

from penstock.domain.records import ChangeKind, Counts, RecordState
from penstock.sync.plan import Item, LayerPlan
from penstock.sync.state import Mark
from penstock.sync.verbs import Verbs


class Doubts:
    """What is known and found out of the creates of one layer's plan."""

    def __init__(self, plan: LayerPlan, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._verbs = verbs

    def intent(self, item: Item) -> Mark:
        """What is noted before a create is sent; with its remote id, where that is known without an answer."""
        identify = getattr(self._layer.layer.destination, "identify", None)
        remote_id = identify(item.change(ChangeKind.CREATE)) if identify is not None else None
        return Mark(item.key, RecordState.IN_DOUBT, item.parent_key, remote_id)

    def look_up(self, doubted: list[Item]) -> list[Item]:
        """Find out what became of creates whose answer was lost; return those that surely never happened.

        What was found once, and is held by no other row, gets its remote id. What is found more than once, or
        cannot be looked up, stays in doubt for a person.
        """
        if not doubted:
            return []
        if getattr(self._layer.layer.destination, "idempotent", False):
            return doubted
        if self._layer.verb("find") is None:
            self._doubtful(doubted, "no_lookup", "its create was not answered, and the layer has no find")
            return []
        values = [item.match or item.key for item in doubted]
        found = self._verbs.find(self._layer, values)
        held = self._plan.state.held([remote_id for ids in found.values() for remote_id in ids])
        wanted = Counter(remote_id for value in values for remote_id in found.get(value, []))
        absent, unclear = [], []
        for item, value in zip(doubted, values, strict=True):
            ids = found.get(value, [])
            if not ids:
                absent.append(item)
            elif len(ids) == 1 and ids[0] not in held and wanted[ids[0]] == 1:
                item.remote_id = ids[0]
            else:
                unclear.append(item)
        self._doubtful(unclear, "ambiguous", "its create was not answered; what matches it is several, or taken")
        return absent

    def _doubtful(self, items: Sequence[Item], error_class: str, error: str) -> None:
        if items:
            marks = [Mark(item.key, RecordState.IN_DOUBT, item.parent_key, error_class=error_class, error=error)
                     for item in items]
            self._plan.state.save(marks, Counts(failed=len(items)))
