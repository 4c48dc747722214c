"""What a sync compares and sends: subjects, changes and their outcomes."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ChangeKind(StrEnum):
    """What has to happen to one record at the destination."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SKIP = "skip"


class RecordState(StrEnum):
    """Where one record of a layer stands."""

    SYNCED = "synced"
    FAILED = "failed"
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"
    OBSERVED = "observed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Subject:
    """What one run is about: a product, a group.

    `account` names whose API and rate limit it uses; `size` is a rough number of records, for planning; `value`
    is what the sync's `load` gave for it, else its key.
    """

    key: str
    account: str = "default"
    size: int | None = None
    value: Any = None

    def __post_init__(self) -> None:
        if self.value is None:
            object.__setattr__(self, "value", self.key)


@dataclass(frozen=True, slots=True)
class Complete:
    """A source's proof that it was read whole: the number of records that it gave.

    A generator returns it (`return Complete(count)`). Without it nothing is ever deleted.
    """

    count: int


@dataclass(frozen=True, slots=True)
class Change:
    """One record's difference between source and destination, as a verb receives it.

    `payload` is what `render` gave (None for a delete, and for a layer without `render`), `match` the value of
    the layer's `match` field, `parent_id` and `reference_ids` the remote ids of the parent and of the
    references in the order of their declaration, `version` what the destination last called this record's
    version (an ETag), if it told one. `fields` are the names of the payload's fields that an update is about, also of
    those that it lacks now; None where that is not known, so that all are to be sent.
    """

    kind: ChangeKind
    key: str
    payload: Any = None
    remote_id: str | None = None
    parent_id: str | None = None
    reference_ids: tuple[str, ...] = ()
    match: str | None = None
    version: str | None = None
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A change was carried out. `remote_id` is the destination's id; `version` its new version, if it told one."""

    remote_id: str | None = None
    version: str | None = None


GONE = "gone"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination refused this one record; the others of the call are not concerned.

    The code `gone` says that the destination has no such record any more: its state is forgotten, so that the next
    run creates it anew.
    """

    code: str
    message: str = ""


Outcome = Done | Rejected


@dataclass(slots=True)
class Calls:
    """Requests made to a destination during a run; a connector's client counts its own."""

    read: int = 0
    write: int = 0

    @property
    def total(self) -> int:
        return self.read + self.write


@dataclass(slots=True)
class Counts:
    """What a run did, in records."""

    read: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    failed: int = 0
    blocked: int = 0
    calls: Calls = field(default_factory=Calls)

