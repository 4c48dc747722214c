"""What a sync compares and sends: subjects, changes and their outcomes."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


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


class Bucket(NamedTuple):
    """A range of a source's rows: how many there are, and a digest of their columns, in no order."""

    rows: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One record's difference between source and destination, as a verb receives it.

    `payload` is what `render` gave (None for a delete, and for a layer without `render`), `match` the value of
    the layer's `match` field, `parent_id` and `reference_ids` the remote ids of the parent and of the
    references in the order of their declaration, `version` what the destination last called this record's
    version (an ETag), if it told one. `fields` are the names of the payload's fields that an update is about, also of
    those that it lacks now; None where that is not known, so that all are to be sent. `idempotency_key` is of a create
    whose layer or destination declares `idempotency_keys`: the same whenever this create is sent again since its answer
    was lost, and another one for another payload or after a refusal.
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
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A change was carried out. `remote_id` is the destination's id; `version` its new version, if it told one.

    `answered` is what the destination says that it holds now, as a mapping with the names of the payload's fields, if
    it says so: an audit tells by it what it rewrites.
    """

    remote_id: str | None = None
    version: str | None = None
    answered: Any = field(default=None, compare=False, repr=False)


GONE = "gone"
CONFLICTS = frozenset({"conflict", "409", "already_exists"})
"""Codes of a `Rejected` create that say: there is such a record already. It is looked up, and adopted if surely it."""
RATES = frozenset({"throttled", "429", "rate_limited", "rate_limit", "rate_limit_exceeded", "too_many_requests",
                   "quota_exceeded", "resource_exhausted"})
"""Codes of a `Rejected` that say nothing of the record: the destination has had enough for now."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination refused this one record; the others of the call are not concerned.

    The code `gone` says that the destination has no such record any more: its state is forgotten, so that the next
    run creates it anew. Codes in `CONFLICTS` say of a create that the record exists already, those in `RATES` (and in
    the layer's `rate_codes`) that it was refused for its rate: the run ends for a later try, at no record's cost.
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

