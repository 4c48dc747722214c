"""Planning: a stream of source pages held against a layer's state becomes changes on a spool.

A plan is inert: making one writes nothing to the store and calls nobody. Memory is O(page): what differs goes to
disk, what is seen costs a bit, what is unchanged costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from penstock.domain.bits import Bits
from penstock.domain.digest import digest, encode
from penstock.domain.records import Change, ChangeKind, Counts, RecordState
from penstock.store.spool import Entry, Spool
from penstock.sync.define import LayerDefinition
from penstock.sync.links import UNLINKED, Linked, Links
from penstock.sync.ports import Run
from penstock.sync.read import Unreadable, pages
from penstock.sync.state import LayerState

_MOST_PROBLEMS = 5


class Item(msgspec.Struct, array_like=True):
    """One change as it lies on the spool. `canonical` is what was digested: payload, parent's and references' ids."""

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

    def change(self, kind: ChangeKind) -> Change:
        """This item as a verb gets it. The payload is made of plain JSON values, exactly those that were digested."""
        payload = msgspec.json.decode(self.canonical)[0] if self.canonical else None
        return Change(kind, self.key, payload, self.remote_id, self.parent_id, self.reference_ids, self.match,
                      self.version)


encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(Item).decode


@dataclass(slots=True)
class LayerPlan:
    """What would change in one layer. Kinds on the spool: create, update, delete, blocked, duplicate, failed."""

    layer: LayerDefinition
    state: LayerState
    counts: Counts = field(default_factory=Counts)
    spool: Spool = field(default_factory=Spool)
    complete: bool = False
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        """Keep the first few things that are wrong with the source, for the run's message."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{self.layer.name}: {text}")

    def summary(self) -> dict[str, int]:
        """How many records there are of each kind of change."""
        kinds = self.spool.counts()
        return {"create": kinds.get("create", 0), "update": kinds.get("update", 0),
                "delete": kinds.get("delete", 0), "skip": self.counts.skipped,
                "blocked": kinds.get("blocked", 0),
                "failed": self.counts.failed + kinds.get("failed", 0) + kinds.get("duplicate", 0)}


def plan_layer(layer: LayerDefinition, run: Run, state: LayerState, states: Mapping[str, LayerState],
               planned: Mapping[str, Spool] | None = None) -> LayerPlan:
    """Read the layer's source to its end and lay what differs from its state on a spool. The caller closes it."""
    plan = LayerPlan(layer, state)
    try:
        _read(plan, run, Links(layer, states, planned))
    except BaseException:
        plan.spool.close()
        raise
    return plan


def _read(plan: LayerPlan, run: Run, links: Links) -> None:
    seen = Bits()
    stream = pages(plan.layer, run)
    while True:
        try:
            page = next(stream)
        except StopIteration as stop:
            plan.complete = stop.value is not None
            break
        plan.counts.read += len(page)
        _difference(plan, run, links, page, seen)
    # A record without a key may be the very one that looks absent; and an empty source proves nothing.
    if plan.complete and plan.counts.read and not plan.counts.failed and plan.layer.on_delete != "keep":
        _absent(plan, seen)


def _difference(plan: LayerPlan, run: Run, links: Links, page: Sequence[Any], seen: Bits) -> None:
    layer = plan.layer
    records, keys = _keyed(plan, page)
    held = {row[0]: row for row in plan.state.look_up(keys)} if keys else {}
    linked = links.resolve(records) if links else None
    render, match = layer.render, layer.match
    entries: list[Entry] = []
    ids: list[int] = []
    skipped = 0
    for place, (record, key) in enumerate(zip(records, keys, strict=True)):
        row = held.get(key)
        link = UNLINKED if linked is None else linked[place]
        if row is not None:
            ids.append(row[1])
        try:
            payload = None if render is None else render(record, run)
            canonical = encode((payload, link.parent_id, link.reference_ids))
        except Exception as error:
            entries.append(_entry("failed", Item(key, parent_key=link.parent_key, error_class="render",
                                                 error=f"{type(error).__name__}: {error}")))
            continue
        sent = digest(canonical)
        if row is not None and row[2] == sent and link.blocked_class is None:
            skipped += 1
            continue
        value = None if match is None else match(record)
        item = Item(key, canonical, sent, None, None, None if value is None else str(value), link.parent_key,
                    link.parent_id, link.reference_ids)
        entries.append(_entry(_kind(item, link, row), item))
    plan.counts.skipped += skipped
    again = seen.add(ids)
    if again:
        twice = set(again)
        entries += [_entry("duplicate", Item(row[0])) for row in held.values() if row[1] in twice]
    if entries:
        plan.spool.lay(entries)


def _kind(item: Item, link: Linked, row: Sequence[Any] | None) -> str:
    """What a record that differs needs, told from its state row (key, id, digest, remote id, status, version)."""
    if row is not None:
        item.known, item.remote_id, item.version = True, row[3], row[5]
        item.in_doubt = row[4] == RecordState.IN_DOUBT and row[3] is None
    if link.blocked_class is not None:
        item.error_class, item.error = link.blocked_class, link.blocked_by
        return "blocked"
    return "create" if item.remote_id is None else "update"


def _entry(kind: str, item: Item) -> Entry:
    return item.key, kind, encode_item(item)


def _keyed(plan: LayerPlan, page: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The records of a page that have a key, with their keys; the others are counted as failed and reported."""
    read = plan.layer.key
    records, keys = [], []
    for record in page:
        try:
            key = None if isinstance(record, Unreadable) else read(record)
            fault = record.error if isinstance(record, Unreadable) else None if key else "a record without its key"
        except (TypeError, AttributeError, KeyError) as error:
            key, fault = None, f"a record whose key cannot be read: {error}"
        if key is None:
            plan.counts.failed += 1
            plan.problem(fault or "a record without its key")
        else:
            records.append(record)
            keys.append(key)
    return records, keys


def _absent(plan: LayerPlan, seen: Bits) -> None:
    """Lay a delete for every row that a complete read did not meet."""
    if plan.layer.account_scoped or len(seen) == plan.state.count():
        return
    for rows in plan.state.pages():
        plan.spool.lay([
            _entry("delete", Item(key, remote_id=remote_id, version=version, parent_key=parent_key, known=True,
                                  in_doubt=status == RecordState.IN_DOUBT and remote_id is None))
            for id, key, parent_key, remote_id, version, status in rows
            if id not in seen and status not in (RecordState.DISABLED, RecordState.OBSERVED)
        ])
