"""Planning: a stream of source pages held against a layer's state becomes changes on a spool.

A plan is inert: making one writes nothing to the store and calls nobody. Memory is O(page): what differs goes to
disk, what is seen costs a bit, what is unchanged costs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import repeat
from typing import Any, cast

import msgspec

from penstock.domain.bits import Bits
from penstock.domain.digest import DIGEST_BYTES, encode
from penstock.domain.records import Change, ChangeKind, Counts, RecordState
from penstock.store.port import Row
from penstock.store.spool import Entry, Spool
from penstock.sync.define import LayerDefinition
from penstock.sync.links import UNLINKED, Linked, Links
from penstock.sync.ports import Run
from penstock.sync.read import Unreadable, pages
from penstock.sync.state import LayerState

_MOST_PROBLEMS = 5
_NO_ROW = (None, -1, None)


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
    seen: Bits = field(default_factory=Bits)
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
    stream = pages(plan.layer, run)
    while True:
        try:
            page = next(stream)
        except StopIteration as stop:
            plan.complete = stop.value is not None
            break
        plan.counts.read += len(page)
        _difference(plan, run, links, page)
    if plan.counts.failed:
        plan.complete = False  # a record without a key may be the very one that looks absent
    if plan.complete and plan.counts.read and plan.layer.on_delete != "keep" and not plan.layer.account_scoped:
        _absent(plan)


@dataclass(slots=True)
class _Differing:
    """A record whose digest is not the one in state, on its way to the spool."""

    record: Any
    key: str
    canonical: bytes
    digest: bytes
    link: Linked


def _difference(plan: LayerPlan, run: Run, links: Links, page: Sequence[Any]) -> None:
    """Hold one page against state. This loop is the price of every unchanged record: keep it bare."""
    records, keys = _keyed(plan, page)
    rows = plan.state.digests(keys)
    aligned = [row[0] for row in rows] == keys
    if not aligned:
        held = {row[0]: row for row in rows}
        rows = [held.get(key, _NO_ROW) for key in keys]
    linked: Iterable[Linked] = links.resolve(records) if links else repeat(UNLINKED, len(records))
    render = plan.layer.render or _no_payload
    differing: list[_Differing] = []
    entries: list[Entry] = []
    for record, key, row, link in zip(records, keys, rows, linked, strict=True):
        try:
            canonical = encode((render(record, run), link.parent_id, link.reference_ids))
        except Exception as error:
            entries.append(_entry("failed", Item(key, parent_key=link.parent_key, error_class="render",
                                                 error=f"{type(error).__name__}: {error}")))
            continue
        sent = blake2b(canonical, digest_size=DIGEST_BYTES).digest()
        if row[2] != sent or link.blocked_class is not None:
            differing.append(_Differing(record, key, canonical, sent, link))
    plan.counts.skipped += len(records) - len(differing) - len(entries)
    again = plan.seen.add([row[1] for row in rows] if aligned else [row[1] for row in rows if row is not _NO_ROW])
    entries += [_entry("duplicate", Item(row[0])) for row in rows if row[1] in again] if again else []
    entries += _changes(plan, differing)
    if entries:
        plan.spool.lay(entries)


def _no_payload(record: Any, run: Run) -> None:
    """A layer without `render` sends only remote ids."""


def _changes(plan: LayerPlan, differing: Sequence[_Differing]) -> list[Entry]:
    """What each differing record needs, told from its whole state row."""
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
        entries.append(_entry(kind, item))
    return entries


def _entry(kind: str, item: Item) -> Entry:
    return item.key, kind, encode_item(item)


def _keyed(plan: LayerPlan, page: Sequence[Any]) -> tuple[Sequence[Any], list[str]]:
    """The records of a page that have a key, with their keys; the others are counted as failed and reported."""
    try:
        keys = plan.layer.keys(page)
    except (TypeError, AttributeError, KeyError):
        keys = [None]
    if None not in keys:
        return page, cast("list[str]", keys)
    records, found = [], []
    for record in page:
        try:
            key = None if isinstance(record, Unreadable) else plan.layer.keys([record])[0]
            fault = record.error if isinstance(record, Unreadable) else "a record without its key"
        except (TypeError, AttributeError, KeyError) as error:
            key, fault = None, f"a record whose key cannot be read: {error}"
        if key is None:
            plan.counts.failed += 1
            plan.problem(fault)
        else:
            records.append(record)
            found.append(key)
    return records, found


def _absent(plan: LayerPlan) -> None:
    """Lay a delete for every row that a complete read did not meet. An empty source proves nothing."""
    if len(plan.seen) == plan.state.count():
        return
    for rows in plan.state.pages():
        lay_deletes(plan, [row for row in rows if row[0] not in plan.seen])


def lay_deletes(plan: LayerPlan, rows: Sequence[Row]) -> None:
    """Lay deletes of rows given as (id, key, parent key, remote id, version, status)."""
    plan.spool.lay([
        _entry("delete", Item(key, remote_id=remote_id, version=version, parent_key=parent_key, known=True,
                              in_doubt=status == RecordState.IN_DOUBT and remote_id is None))
        for _, key, parent_key, remote_id, version, status in rows
        if status not in (RecordState.DISABLED, RecordState.OBSERVED)
    ])
