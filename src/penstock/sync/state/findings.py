"""What an audit found in one layer, of one scope: how many records of each verdict, and the first few by their keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.domain.fields import PARENT, REFERENCES, held_digests
from penstock.domain.keys import spoken_key
from penstock.domain.records import Subject
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition

IN_STEP, CHANGED, DRIFTED, REWRITTEN, MISSING, UNMANAGED, UNTOLD = VERDICTS = (
    "in_step", "source_changed", "drifted", "rewritten", "missing", "unmanaged", "untold")
_SHOWN = 10
_MOST_FIELDS = 100


class Findings(msgspec.Struct, omit_defaults=True):
    """`counts` by verdict; `fields` by verdict, how many records differ in each; `first` by verdict, a few records as
    (key, names of fields); `repaired`, how many are sent again; `withheld`, why others are not.
    """

    counts: dict[str, int] = {}
    fields: dict[str, dict[str, int]] = {}
    first: dict[str, list[tuple[str, list[str]]]] = {}
    repaired: int = 0
    withheld: str | None = None

    def add(self, verdict: str, key: str, names: Sequence[str] = ()) -> None:
        """Count a record in."""
        self.counts[verdict] = self.counts.get(verdict, 0) + 1
        if verdict == IN_STEP:
            return
        by_name = self.fields.setdefault(verdict, {}) if names else {}
        for name in names:
            if name in by_name or len(by_name) < _MOST_FIELDS:
                by_name[name] = by_name.get(name, 0) + 1
        if len(first := self.first.setdefault(verdict, [])) < _SHOWN:
            first.append((spoken_key(key), list(names)))

    @property
    def wrong(self) -> int:
        """How many records are not as they were sent, and are not sent again either."""
        return self.counts.get(DRIFTED, 0) + self.counts.get(MISSING, 0) - self.repaired


def implied(layer: LayerDefinition) -> dict[str, bytes]:
    """The digests of fields that every update sets besides those of the payload: see `sync.ports.Destination`."""
    return held_digests(getattr(layer.layer.destination, "implies", {}))


def compared(sent: Mapping[str, bytes], answered: Mapping[str, bytes], held: Mapping[str, bytes],
             also: Mapping[str, bytes]) -> tuple[str, list[str]]:
    """The verdict on a record whose source did not change, and the fields that it is about.

    A field that is not as it was sent was rewritten, if the destination said that it holds just that when it was
    written; else somebody changed it. So has one of those that are implied `also`, where it is told. Of the parent only
    who tells it is asked; references are not told.
    """
    if not sent and not answered:
        return UNTOLD, []
    told = {name: digest for name, digest in sent.items()
            if name != REFERENCES and (name != PARENT or name in held)} or dict(answered)
    told |= {name: digest for name, digest in also.items() if name in held and name not in told}
    differing = sorted(name for name, digest in told.items() if held.get(name) != digest)
    drifted = [name for name in differing if not answered or answered.get(name) != held.get(name)]
    if drifted:
        return DRIFTED, drifted
    return (REWRITTEN, differing) if differing else (IN_STEP, [])


@dataclass(frozen=True, slots=True)
class Audited:
    """How far the audit of a layer is, in the scope of a subject. Times are in milliseconds since 1970, UTC.

    `begun_at` is of an audit that the next one goes on with; `audited_at` of the end of the last whole one.
    """

    layer: str
    contacted_at: int | None = None
    begun_at: int | None = None
    audited_at: int | None = None
    findings: Findings | None = None


def audited(store: Store, definition: SyncDefinition, subject: Subject) -> list[Audited]:
    """What the last audit of a subject found, layer by layer."""
    scopes = {layer.table: layer.scope(subject.key, subject.account) for layer in definition.layers}
    params: dict[str, Any] = {"layer_tables": list(scopes), "scopes": sorted(set(scopes.values()))}
    rows = store.read(lambda tx: tx.rows("contacts_of", params))
    known = {table: row for table, scope, *row in rows if scopes[table] == scope}
    found = []
    for layer in definition.layers:
        contacted_at, begun_at, audited_at, text = known.get(layer.table, (None, None, None, None))
        findings = None if text is None else msgspec.json.decode(text, type=Findings)
        found.append(Audited(layer.name, contacted_at, begun_at, audited_at, findings))
    return found
