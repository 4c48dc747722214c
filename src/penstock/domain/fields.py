"""What a payload is made of, field by field: which fields a change is about.

Each field of what was digested has a digest of 4 bytes (BLAKE2b, RFC 7693) over its name and its canonical text. Only
the first level counts: a nested object is one field. The remote ids of the parent and of references count as fields of
their own. A payload that is no object is one field.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from penstock.domain.digest import encode

FIELD_BYTES = 4
PARENT, REFERENCES, PAYLOAD = "(parent)", "(references)", "(payload)"

_parts = msgspec.json.Decoder(tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw]).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def names(canonical: bytes) -> frozenset[str]:
    """The names of the fields of what was digested (see `sync.plan.Item.canonical`)."""
    return frozenset(_fields(canonical))


def field_digests(canonical: bytes) -> dict[str, bytes]:
    """The digest of each field, by name, in the order of names."""
    fields = _fields(canonical)
    return {name: blake2b(name.encode() + b"\0" + fields[name], digest_size=FIELD_BYTES).digest()
            for name in sorted(fields)}


def held_digests(payload: Any, parent_id: str | None = None) -> dict[str, bytes]:
    """The digests of the fields that a destination says it holds, made as those of what is sent."""
    return field_digests(encode((payload, parent_id, ())))


def changed(new: Mapping[str, bytes], old: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names of fields that are new or have another digest than before."""
    return tuple(name for name, digest in new.items() if old.get(name) != digest)


def _fields(canonical: bytes) -> dict[str, bytes]:
    payload, parent, references = (bytes(part) for part in _parts(canonical))
    found = {name: bytes(value) for name, value in _object(payload).items()} if payload.startswith(b"{") else {}
    if not payload.startswith(b"{") and payload != b"null":
        found[PAYLOAD] = payload
    if parent != b"null":
        found[PARENT] = parent
    if references != b"[]":
        found[REFERENCES] = references
    return found
