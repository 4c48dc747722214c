"""Planning: a stream of source pages held against a layer's state becomes changes on a spool.

A plan is inert: making one writes nothing to the store and calls nobody. Memory is O(page): what differs goes to
disk, what is seen costs a bit, what is unchanged costs nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from penstock.domain.bits import Bits
from penstock.domain.records import Change, ChangeKind, Counts
from penstock.store.spool import Entry, Spool
from penstock.sync.define import LayerDefinition
from penstock.sync.state import LayerState

_MOST_PROBLEMS = 5


class Item(msgspec.Struct, array_like=True):
    """One change as it lies on the spool. `canonical` is what was digested: payload, parent's and references' ids.

    `changed` are the names of the fields that an update is about, where the state knows, and `dropped` those that the
    payload had before.
    """

    key: str
    canonical: bytes = b""
    digest: bytes | None = None
    remote_id: str | None = None
    version: str | None = None
    match: str | None = None
    parent_key: str | None = None
    parent_id: str | None = None
    reference_ids: tuple[str, ...] = ()
    known: bool = False
    in_doubt: bool = False
    error_class: str | None = None
    error: str | None = None
    changed: tuple[str, ...] | None = None
    dropped: tuple[str, ...] = ()

    def change(self, kind: ChangeKind) -> Change:
        """This item as a verb gets it. The payload is made of plain JSON values, exactly those that were digested."""
        payload = msgspec.json.decode(self.canonical)[0] if self.canonical else None
        fields = None if self.changed is None else (*self.changed, *self.dropped)
        return Change(kind, self.key, payload, self.remote_id, self.parent_id, self.reference_ids, self.match,
                      self.version, fields)


encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(Item).decode


@dataclass(slots=True)
class LayerPlan:
    """What would change in one layer.

    Kinds on the spool: create, update, delete, blocked, duplicate, failed; and rebase: only its digest is saved.
    `fields` counts updates by the name of a field and whether it is `changed` or `added`.
    """

    layer: LayerDefinition
    state: LayerState
    counts: Counts = field(default_factory=Counts)
    spool: Spool = field(default_factory=Spool)
    complete: bool = False
    seen: Bits = field(default_factory=Bits)
    problems: list[str] = field(default_factory=list)
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    renderer: str = ""
    renderer_kept: str | None = None

    def problem(self, text: str) -> None:
        """Keep the first few things that are wrong with the source, for the run's message."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{self.layer.name}: {text}")

    def summary(self) -> dict[str, int]:
        """How many records there are of each kind of change."""
        kinds = self.spool.counts()
        return {"create": kinds.get("create", 0), "update": kinds.get("update", 0),
                "delete": kinds.get("delete", 0), "skip": self.counts.skipped + kinds.get("rebase", 0),
                "blocked": kinds.get("blocked", 0),
                "failed": self.counts.failed + kinds.get("failed", 0) + kinds.get("duplicate", 0)}


def entry(kind: str, item: Item) -> Entry:
    """An item as the spool takes it."""
    return item.key, kind, encode_item(item)
