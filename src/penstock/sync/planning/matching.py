"""Matching: a record that was never sent may be one that the destination held before, and was observed there.

It is adopted where exactly one observed record has its value of `match`, and it alone has that value among those that
are to be created. Else it stays in doubt, and a person says which it is: to guess would change somebody's record, and
to create it would make a second one. Where `read` tells the parent, records of another parent are not meant.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from penstock.domain.fields import PARENT, field_digests
from penstock.domain.keys import observed_value, spoken_key
from penstock.domain.records import RecordState
from penstock.store.spool import Spool
from penstock.sync.planning.plan import AMBIGUOUS, MATCH, MATCHED, NEVER_SENT, Item, LayerPlan, decode_item, entry
from penstock.sync.state.findings import implied

_SHOWN = 3
_ADVICE = "say which it is with `penstock state adopt`, or make them differ"


class Candidate(NamedTuple):
    """An observed row."""

    key: str
    remote_id: str
    fields: Mapping[str, bytes]


class Matching:
    """Of one layer's plan. Its spool has the remote ids that records are matched with."""

    def __init__(self, plan: LayerPlan) -> None:
        self._plan = plan
        self._wanted = Spool()
        self._any: bool | None = None
        self._also = implied(plan.layer)

    @property
    def any(self) -> bool:
        """Whether anything was observed in this scope. Asked when the first record is to be created."""
        if self._any is None:
            self._any = bool(self._plan.state.ask("observed_any", {}))
        return self._any

    def held_against(self, changes: list[tuple[str, Item]]) -> list[tuple[str, Item]]:
        """The same changes, of which creates of what was observed are matches, or ambiguous."""
        for kind, item in changes:
            if kind == "create" and item.tried == NEVER_SENT:
                item.in_doubt = False
        creates = [item for kind, item in changes if kind == "create" and not item.in_doubt]
        if not creates or not self.any:
            return changes
        found = self._candidates(list(dict.fromkeys(self._value(item) for item in creates)))
        kinds = {item.key: self._kind(item, found.get(self._value(item), [])) for item in creates}
        self._wanted.lay((item.remote_id or "", MATCH, b"") for item in creates if item.observed)
        return [(kinds.get(item.key, kind), item) for kind, item in changes]

    def _value(self, item: Item) -> str:
        return observed_value(item.key if self._plan.layer.match is None else item.match or "")

    def _candidates(self, values: list[str]) -> dict[str, list[Candidate]]:
        found: dict[str, list[Candidate]] = defaultdict(list)
        wanted = {value: None for value in values if value}
        for key, remote_id, kept in self._plan.state.ask("observed_with", {"values": list(wanted)}):
            value = spoken_key(key)
            if value in wanted:
                found[value].append(Candidate(key, remote_id, self._plan.state.decoded(kept)))
        return found

    def _kind(self, item: Item, candidates: list[Candidate]) -> str:
        sent = field_digests(item.canonical)
        possible = [each for each in candidates if each.fields.get(PARENT) in (None, sent.get(PARENT))]
        if not possible:
            return "create"
        if len(possible) > 1:
            ids = ", ".join(each.remote_id for each in possible[:_SHOWN])
            return _ambiguous(item, f"{len(possible)} records at the destination match it ({ids}"
                                    f"{', …' if len(possible) > _SHOWN else ''}); {_ADVICE}")
        [one] = possible
        item.remote_id, item.observed, item.answered = one.remote_id, one.key, dict(one.fields)
        alike = all(one.fields.get(name) == digest for name, digest in sent.items()) and all(
            one.fields.get(name, digest) == digest for name, digest in self._also.items() if name not in sent)
        return MATCHED if alike else MATCH

    def settle(self) -> None:
        """After the read: tell apart the records that were matched with one and the same."""
        try:
            if not self._wanted.counts().get("duplicate"):
                return
            for kind in (MATCH, MATCHED):
                for items in _items(self._plan, kind):
                    several = [item for item in items if self._wanted.kind(item.remote_id or "") == "duplicate"]
                    for item in several:
                        _ambiguous(item, f"other records of the source match {item.remote_id} at the destination as"
                                         f" well; {_ADVICE}")
                    self._plan.spool.replace([entry(AMBIGUOUS, item) for item in several])
        finally:
            self.close()

    def close(self) -> None:
        self._wanted.close()


def _items(plan: LayerPlan, kind: str) -> Iterator[list[Item]]:
    for entries in plan.spool.take(kind):
        yield [decode_item(encoded) for _, encoded in entries]


def _ambiguous(item: Item, error: str) -> str:
    """Leave it in doubt. Nothing was sent, so it need not be looked up before it is sent after all."""
    item.noted = item.was == RecordState.IN_DOUBT and item.error == error
    item.remote_id = item.observed = item.answered = None
    item.error_class, item.error, item.tried = AMBIGUOUS, error, NEVER_SENT
    return AMBIGUOUS
