"""What is told of one record: by its source, its state, its runs, its destination."""

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.sync.telling.verdict import Verdict


class SourceSays(msgspec.Struct):
    """Whether the source of this subject has the record, of how many; `complete`: it proved that it gave all."""

    present: bool
    read: int = 0
    complete: bool = False
    error: str | None = None


class Linked(msgspec.Struct):
    """A parent or reference, as the state has it. `in_source` is only looked at where it has no remote id."""

    role: str
    layer: str
    key: str | None
    status: str | None = None
    remote_id: str | None = None
    error_class: str | None = None
    error: str | None = None
    in_source: bool | None = None


class Kept(msgspec.Struct):
    """The row of the state. Times are in milliseconds since 1970, UTC; digests in hexadecimal."""

    id: int
    key: str
    parent_key: str | None
    remote_id: str | None
    version: str | None
    digest: str | None
    status: str
    error_class: str | None
    error: str | None
    attempts: int | None
    retry_at: int | None
    changed_at: int
    run_id: int | None
    unclaimed_at: int | None
    now: int


class RunSays(msgspec.Struct):
    """A run, as far as it matters here."""

    id: int
    subject: str
    status: str
    requested_at: int
    finished_at: int | None
    error_class: str | None = None
    error: str | None = None


class RemoteSays(msgspec.Struct):
    """What the destination says. `found`: the remote ids that its look-up gave; `held`: what `read` gave of this
    record, of which the fields in `differs` are not as they would be sent. None: the layer has no such verb, or it was
    of no use.
    """

    found: list[str] | None = None
    read: bool = False
    held: Any = None
    differs: list[str] | None = None
    error: str | None = None


class Why(msgspec.Struct):
    """All that is known of one record. `rendered` is the digest of what would be sent now, `payload` that itself."""

    sync: str
    subject: str
    account: str
    layer: str
    scope: str
    key: str
    source: SourceSays
    verdict: Verdict
    state: Kept | None = None
    run: RunSays | None = None
    live: RunSays | None = None
    links: list[Linked] = []
    match_field: str | None = None
    match: str | None = None
    rendered: str | None = None
    payload: Any = None
    claims: list[str] | None = None
    deletion: str | None = None
    remote: RemoteSays | None = None

    def without_values(self) -> "Why":
        """The same, with the names of fields instead of what is in them."""
        remote = self.remote
        if remote is not None:
            remote = msgspec.structs.replace(remote, held=_names(remote.held))
        return msgspec.structs.replace(self, payload=_names(self.payload), match=None, remote=remote)


def _names(value: Any) -> list[str] | None:
    return sorted(str(name) for name in value) if isinstance(value, Mapping) else None
