"""Parents and references of records: from their keys to the remote ids that they are sent with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.domain.records import RecordState
from penstock.store.spool import Spool
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.planning.plan import MATCH, MATCHED
from penstock.sync.state.layer import LayerState

_TO_COME = ("create", MATCH, MATCHED)
"""The kinds of changes by which a record gets its remote id."""


@dataclass(frozen=True, slots=True)
class Linked:
    """The remote ids of one record's parent and references; or what keeps it from being sent."""

    parent_key: str | None = None
    parent_id: str | None = None
    reference_ids: tuple[str, ...] = ()
    blocked_class: str | None = None
    blocked_by: str | None = None


UNLINKED = Linked()


class Links:
    """Resolves the links of one layer's records, a page at a time.

    `planned` holds the spools of layers that were planned but not applied (a preview): a record that is yet to
    be created there blocks nobody, it only has no remote id to show.
    """

    def __init__(self, layer: LayerDefinition, states: Mapping[str, LayerState],
                 planned: Mapping[str, Spool] | None = None) -> None:
        self._links = [link for link in (layer.parent, *layer.references) if link is not None]
        self._has_parent = layer.parent is not None
        self._states = states
        self._planned = planned or {}

    def __bool__(self) -> bool:
        return bool(self._links)

    def resolve(self, records: Sequence[Any]) -> list[Linked]:
        """One `Linked` per record, in order; records with the same links share it."""
        columns, found = [], []
        for link in self._links:
            keys = link.keys(records)
            wanted = {key for key in keys if key is not None}
            columns.append(keys)
            found.append(self._states[link.target].remote_ids(list(wanted)) if wanted else {})
        rows = list(zip(*columns, strict=True))
        made = {row: self._linked([self._one(link.target, key, ids)
                                   for link, key, ids in zip(self._links, row, found, strict=True)])
                for row in set(rows)}
        return [made[row] for row in rows]

    def _one(self, target: str, key: str | None, found: Mapping[str, tuple[str | None, str]]) -> "_Link":
        remote_id, status = found.get(key or "", (None, None))
        if remote_id is not None and status != RecordState.IN_DOUBT:
            return _Link(key, remote_id)
        if key is not None and target in self._planned and self._planned[target].kind(key) in _TO_COME:
            return _Link(key, None)
        if key is None:
            return _Link(key, None, "parent_missing", f"it names no record of {target}")
        if status is None:
            return _Link(key, None, "parent_missing", f"{target} {key!r} is not known: no run has sent it")
        return _Link(key, None, "parent_failed", f"{target} {key!r} is {status}")

    def _linked(self, row: Sequence["_Link"]) -> Linked:
        parent, references = (row[0], row[1:]) if self._has_parent else (None, row)
        trouble = next((link for link in row if link.error_class), None)
        return Linked(
            parent_key=parent.key if parent else None, parent_id=parent.remote_id if parent else None,
            reference_ids=tuple(link.remote_id or "" for link in references),
            blocked_class=trouble.error_class if trouble else None, blocked_by=trouble.error if trouble else None,
        )


@dataclass(frozen=True, slots=True)
class _Link:
    key: str | None
    remote_id: str | None
    error_class: str | None = None
    error: str | None = None
