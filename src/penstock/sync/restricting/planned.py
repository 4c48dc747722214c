"""A plan that runs are bound to: in the store from the moment that they are requested until they have ended.

It names changes, and holds nothing of what is to be sent but digests.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from penstock.domain.digest import DIGEST_BYTES, encode
from penstock.domain.errors import PlanRefused
from penstock.domain.options import RunOptions
from penstock.store.port import Params, Row, Store
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.planning.plan import ADOPT, MATCH, MATCHED, Item, LayerPlan, decode_item

KINDS = ("create", "update", "delete", ADOPT)
"""The changes that a plan names. What is to be adopted is looked up, and updated if it is there."""
_PAGE = 1000
_KEPT_MS = 86_400_000  # of what nobody has asked for yet, or any more


class Named(NamedTuple):
    """One change as a plan names it: what it does to which record, and a digest of what is sent (none for a delete).

    `remote_id` is that of the record, where it has one already.
    """

    key: str
    kind: str
    digest: bytes | None
    remote_id: str | None


_canonical = msgspec.json.Decoder(tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw]).decode


def named(kind: str, item: Item) -> Named:
    """How a plan names a change.

    Its digest is that of what is sent, but with the keys of parent and references instead of their remote ids: what the
    same plan is yet to create has none.
    """
    if kind in (MATCH, MATCHED):
        kind = ADOPT
    if kind == "delete":
        return Named(item.key, kind, None, item.remote_id)
    digest = item.digest
    if item.parent_key is not None or item.reference_keys:
        payload, *_ = _canonical(item.canonical)
        text = b"[%b,%b,%b]" % (payload, encode(item.parent_key), encode(item.reference_keys))
        digest = blake2b(text, digest_size=DIGEST_BYTES).digest()
    return Named(item.key, kind, digest, item.remote_id)


def changes_of(plan: LayerPlan) -> Iterator[tuple[str, Item]]:
    """All that a plan of a layer would change, with the kind of each, a page at a time from its spool."""
    for kind in (*KINDS, MATCH, MATCHED):
        for entries in plan.spool.take(kind):
            for _, encoded in entries:
                yield ADOPT if kind in (MATCH, MATCHED) else kind, decode_item(encoded)


def declared(layer: LayerDefinition) -> str:
    """What a layer's declaration says of what is sent, as a digest: another one where its renderer changed."""
    return blake2b(layer.version.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def bound_to(plan_id: int) -> RunOptions:
    """The options of a run that is bound to a plan."""
    return RunOptions(plan=plan_id)


class PlannedLayer:
    """The changes that a plan names in one layer of one subject."""

    def __init__(self, store: Store, plan_id: int, subject: str, layer: str) -> None:
        self._store = store
        self._place = {"plan_id": plan_id, "subject": subject, "layer": layer}

    def any(self) -> bool:
        return bool(self._rows("planned_any", {})[0][0])

    def named(self, keys: Sequence[str]) -> dict[str, Named]:
        """Those of some keys."""
        return {row[0]: _named(row) for row in self._rows("planned_named", {"keys": list(keys)})} if keys else {}

    def pages(self) -> Iterator[list[Named]]:
        """All of them in the order of their keys, a page at a time."""
        after = ""
        while rows := self._rows("planned_page", {"after": after, "count": _PAGE}):
            after = rows[-1][0]
            yield [_named(row) for row in rows]

    def _rows(self, name: str, params: Params) -> list[Row]:
        return self._store.read(lambda tx: tx.rows(name, {**self._place, **params}))


class Plans:
    """The plans in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, sync: str) -> int:
        """Make room for a plan; return its number."""
        row = self._store.write(lambda tx: tx.row("plan_note", {"sync": sync, "layers": "{}"}))
        assert row is not None
        return int(row[0])

    def declare(self, plan_id: int, layers: Mapping[str, str]) -> None:
        """Keep what each layer of a plan declared."""
        params = {"plan_id": plan_id, "layers": msgspec.json.encode(layers).decode()}
        self._store.write(lambda tx: tx.execute("plan_declare", params))

    def add(self, plan_id: int, subject: str, layer: str, changes: Sequence[Named]) -> None:
        """Add changes; one that names a record a second time is left out."""
        columns: dict[str, list[Any]] = {
            "plan_id": [plan_id] * len(changes), "subject": [subject] * len(changes), "layer": [layer] * len(changes),
            **{name: [getattr(change, name) for change in changes] for name in Named._fields}}
        self._store.write(lambda tx: tx.execute_many("planned_add", columns))

    def count(self, plan_id: int, subject: str | None = None) -> int:
        """How many changes a plan names, at all or of one subject."""
        name = "planned_count" if subject is None else "planned_count_of_subject"
        row = self._store.read(lambda tx: tx.row(name, {"plan_id": plan_id, "subject": subject}))
        return int(row[0]) if row else 0

    def layers(self, plan_id: int, sync: str) -> dict[str, str]:
        """What each layer of a plan declared. Raises `PlanRefused` where it is no longer kept."""
        row = self._store.read(lambda tx: tx.row("plan_layers", {"plan_id": plan_id, "sync": sync}))
        if row is None:
            raise PlanRefused(f"{sync}: plan {plan_id} is no longer in the store; nothing was applied: plan again, or"
                              " give its file to `penstock sync --plan` again")
        return msgspec.json.decode(row[0], type=dict[str, str])

    def settled(self, plan_id: int) -> None:
        """Remove a plan, unless a run that is bound to it is yet to end."""
        params = {"options": bound_to(plan_id).text}
        row = self._store.read(lambda tx: tx.row("plan_wanted", params))
        if row is not None and not row[0]:
            self.remove(plan_id)

    def remove(self, plan_id: int) -> None:
        """Remove a plan, a page at a time."""
        params = {"plan_id": plan_id, "count": _PAGE}
        while self._store.write(lambda tx: tx.execute("planned_remove", params)) == _PAGE:
            pass
        self._store.write(lambda tx: tx.execute("plan_remove", params))

    def prune(self) -> None:
        """Remove plans that were left behind: loaded a day ago, and wanted by no run."""
        for row in self._store.read(lambda tx: tx.rows("plans_left_behind", {"kept_ms": _KEPT_MS})):
            self.remove(row[0])


def _named(row: Row) -> Named:
    key, kind, digest, remote_id = row
    return Named(key, kind, None if digest is None else bytes(digest), remote_id)
