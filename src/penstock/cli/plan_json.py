"""What `penstock plan --json` prints, and `--out` writes: docs/plans.md."""

from typing import Any

import msgspec

from penstock.sync.planning.cost import Cost
from penstock.sync.restricting.plan_file import Change
from penstock.sync.telling.read_back import Back


class Record(msgspec.Struct):
    """One of the first records of a kind. `destination` is what was read back."""

    key: str
    fields: list[str] | msgspec.UnsetType = msgspec.UNSET
    adopts: str | msgspec.UnsetType | None = msgspec.UNSET
    payload: Any | msgspec.UnsetType = msgspec.UNSET
    destination: Back | msgspec.UnsetType = msgspec.UNSET


class Withheld(msgspec.Struct):
    """Deletes that would be withheld: until they are approved, and why; and as people decided before."""

    records: int
    reason: str | None
    decided: int


class PlannedLayer(msgspec.Struct):
    """What would be done in one layer of a subject. `fields` counts, by field, how it would change."""

    layer: str
    declared: str
    counts: dict[str, int]
    first: dict[str, list[Record]]
    fields: dict[str, dict[str, int]]
    problems: list[str]
    complete: bool
    withheld: Withheld | None
    read_first: bool
    changes: list[Change]


class PlannedSubject(msgspec.Struct):
    """What would be done for one subject."""

    subject: str
    account: str
    layers: list[PlannedLayer]


class WholePlan(msgspec.Struct):
    """A plan: every change by kind and key, with the digest of what would be sent."""

    format: str
    version: int
    sync: str
    made_at: int
    subjects: list[PlannedSubject]
    cost: Cost
