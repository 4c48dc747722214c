"""Planning: a stream of source pages held against a layer's state becomes changes on a spool.

A plan is inert: making one writes nothing to the store and calls nobody. Memory is O(page): what differs goes to
disk, what is seen costs a bit, what is unchanged costs nothing.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from penstock.domain.bits import Bits
from penstock.domain.digest import DIGEST_BYTES
from penstock.domain.records import Change, ChangeKind, Counts
from penstock.store.spool import Entry, Spool
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.state.layer import LayerState

WAITING = "waiting"
ADOPT = "adopt"
MATCH, MATCHED, AMBIGUOUS = "match", "matched", "ambiguous"
NEVER_SENT = b""
"""Tried, of a record in doubt: it was not sent, since it is not clear which of those at the destination it is."""
NEWER = "newer"
"""Kind of what changed since the snapshot that the source looked at: see sync/planning/newer.py."""
_MOST_PROBLEMS = 5


class Item(msgspec.Struct, array_like=True):
    """One change as it lies on the spool. `canonical` is what was digested: payload, parent's and references' ids.

    `changed` are the names of the fields that an update is about, where the state knows, and `dropped` those that the
    payload had before. The state's row, if the record is `known`, said `was`, `attempts`, `wait_ms`, `tried` (see
    `Mark`) and, unless the change has an error of its own, `error_class` and `error`. `noted`: the row is to stay as it
    is; `absent`: its create, once in doubt, surely never happened.
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
    bucket: int = -1
    identified: str | None = None  # the remote id that a create will give, where that is known beforehand
    was: str | None = None
    attempts: int = 0
    wait_ms: int = 0
    tried: bytes | None = None
    noted: bool = False
    absent: bool = False
    idempotency_key: str | None = None
    reference_keys: tuple[str | None, ...] = ()
    observed: str | None = None  # the key of the observed row that it is matched with
    answered: dict[str, bytes] | None = None  # what the destination said that it holds

    @property
    def unchanged(self) -> bool:
        """Whether this very payload was tried last."""
        return self.tried is not None and self.tried[:DIGEST_BYTES] == self.digest

    @property
    def tried_match(self) -> str | None:
        """By which value of `match` the create that was tried last can be looked up."""
        return (self.tried or b"")[DIGEST_BYTES:].decode("utf-8", "surrogatepass") or None

    def change(self, kind: ChangeKind) -> Change:
        """This item as a verb gets it. The payload is made of plain JSON values, exactly those that were digested."""
        payload = msgspec.json.decode(self.canonical)[0] if self.canonical else None
        fields = None if self.changed is None else (*self.changed, *self.dropped)
        return Change(kind, self.key, payload, self.remote_id, self.parent_id, self.reference_ids, self.match,
                      self.version, fields, self.idempotency_key)


encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(Item).decode


class Matcher(Protocol):
    """What holds creates against what was observed at the destination: see sync/planning/matching.py."""

    def held_against(self, changes: list[tuple[str, Item]]) -> list[tuple[str, Item]]: ...


@dataclass(slots=True)
class LayerPlan:
    """What would change in one layer.

    Kinds on the spool: create, update, delete, blocked, duplicate, failed; waiting: it failed, and waits to be sent
    again; adopt: it is looked up, and updated if it is there; match: it is one that was observed, and is updated, or
    (matched) is so already; ambiguous: it may be one of several; and rebase: only its digest is saved. `retried` is how
    many creates and updates failed or were lost before,
    `doubtful_ms` for how long it is yet too early to believe that creates in doubt are absent.
    `fields` counts updates by the name of a field and whether it is `changed` or `added`. `after_upserts` is what is to
    be saved once creates and updates have their outcomes. `proven` says that what is absent from the source was told
    apart, be it nothing. `whole`: all of the source is to be read, also where it could tell that it did not change.
    `read_since` is of a layer that subjects share: all of them were last read whole no earlier. `matches` is of a layer
    whose destination can be read, and `unread` says that it is yet to be, before anything is sent. `gone`: there is no
    such subject any more, so that all it had is absent.
    """

    layer: LayerDefinition
    state: LayerState
    counts: Counts = field(default_factory=Counts)
    spool: Spool = field(default_factory=Spool)
    complete: bool = False
    seen: Bits = field(default_factory=Bits)
    problems: list[str] = field(default_factory=list)
    fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    after_upserts: list[Callable[[], None]] = field(default_factory=list)
    retried: int = 0
    proven: bool = False
    read_since: int | None = None
    doubtful_ms: int = 0
    whole: bool = False
    matches: "Matcher | None" = None
    unread: bool = False
    gone: bool = False

    def problem(self, text: str) -> None:
        """Keep the first few things that are wrong with the source, for the run's message."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{self.layer.name}: {text}")

    def summary(self) -> dict[str, int]:
        """How many records there are of each kind of change."""
        kinds = self.spool.counts()
        return {"create": kinds.get("create", 0), "update": kinds.get("update", 0) + kinds.get(MATCH, 0),
                "delete": kinds.get("delete", 0),
                "skip": self.counts.skipped + sum(kinds.get(kind, 0) for kind in ("rebase", ADOPT, MATCHED, NEWER)),
                "blocked": kinds.get("blocked", 0),
                "failed": self.counts.failed + sum(kinds.get(kind, 0)
                                                   for kind in ("failed", "duplicate", WAITING, AMBIGUOUS))}


def entry(kind: str, item: Item) -> Entry:
    """An item as the spool takes it."""
    return item.key, kind, encode_item(item)
