"""What rows of a layer's state say: as they are read, and as they are to be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from penstock.domain.records import RecordState


class Held(NamedTuple):
    """What the state says of one record that differs. `wait_ms` is for how long it is yet to wait; see `Mark`."""

    id: int
    key: str
    remote_id: str | None
    status: str
    version: str | None
    error_class: str | None
    error: str | None
    attempts: int | None
    wait_ms: int | None
    tried: bytes | None


class KeptBucket(NamedTuple):
    """A bucket as it was when `digest` was saved; None where not all of its records were in step."""

    number: int
    lower: str | None
    rows: int
    digest: bytes | None
    version: str


@dataclass(slots=True)
class Mark:
    """What a layer's state is to say of one record.

    `digest` is that of what the destination surely has now, and `canonical` is that itself, where the layer keeps the
    digests of its fields. Of a record that failed, `attempts` is how often, and `wait_ms` when it may be sent again,
    counted from now; of one in doubt, when it may be believed to be absent. `tried` is the digest of what was sent
    last, where it is not surely there; in doubt, with the value of the layer's `match` behind it. `answered` are the
    digests of the fields that the destination said it holds.
    """

    key: str
    status: RecordState
    parent_key: str | None = None
    remote_id: str | None = None
    version: str | None = None
    digest: bytes | None = None
    error_class: str | None = None
    error: str | None = None
    canonical: bytes | None = None
    attempts: int | None = None
    wait_ms: int | None = None
    tried: bytes | None = None
    answered: Mapping[str, bytes] | None = None
