"""What travels in the column `arguments`: a JSON object, or an envelope around one where there is more to say.

An envelope is a JSON array of a header and a body, `[{"v":3,"ctx":{"tenant":"acme"}},{"offer":7}]`. Which of the two it
is, the first character tells. Arguments of the first version without a context stay what they are, and cost nothing.

The body of a sealed envelope is a text, `[{"key":"2026"},"…"]`, which is opened to what it was made of: an object, or
an envelope of another kind.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from penstock.domain.errors import InvalidArguments, NewerArguments

Context = Mapping[str, Any]
"""What a job is given along by its caller: who it is for, rather than what it is to do."""

CONTEXT_LIMIT_BYTES = 4096
FIRST_VERSION = 1
NO_CONTEXT: Context = MappingProxyType({})


class Header(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The version of the arguments, the context, and the name of the key that sealed them."""

    v: int = FIRST_VERSION
    ctx: dict[str, Any] = {}
    key: str | None = None


class Sealer(Protocol):
    """Seals texts for one job each, so that they open for no other."""

    def sealed(self, task: str, job_id: int, text: str) -> str: ...

    def opened(self, task: str, job_id: int, text: str) -> str: ...


_encoder = msgspec.json.Encoder()
_header = msgspec.json.Decoder(Header)
_pair = msgspec.json.Decoder(tuple[msgspec.Raw, msgspec.Raw])


def is_envelope(text: str) -> bool:
    """Whether a value of the column is no plain object."""
    return text.startswith("[")


def wrapped(header: Header, body: str) -> str:
    """A body (as JSON) in an envelope; as it is where the header says nothing."""
    if header == _PLAIN:
        return body
    return f"[{_encoder.encode(header).decode()},{body}]"


def unwrapped(text: str) -> tuple[Header, str]:
    """The header and the body of a value of the column.

    Raises `NewerArguments` for a header that says what this Penstock has not heard of, `InvalidArguments` for what is
    no envelope.
    """
    if not is_envelope(text):
        return _PLAIN, text
    try:
        header, body = _pair.decode(text)
    except msgspec.MsgspecError as error:
        raise InvalidArguments(f"expected an envelope, [header, arguments], got something else: {error}") from None
    try:
        return _header.decode(header), bytes(body).decode()
    except msgspec.MsgspecError as error:
        raise NewerArguments(f"these arguments say of themselves what this Penstock does not know ({error}): the job"
                             " waits for a worker of the version that enqueued it") from None


def checked_context(given: Mapping[str, Any]) -> dict[str, Any]:
    """A context as JSON has it. Raises `InvalidArguments` for one that is none, or too large."""
    try:
        encoded = msgspec.json.encode(dict(given), enc_hook=_refuse)
        found: dict[str, Any] = msgspec.json.decode(encoded, type=dict[str, Any])
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidArguments(f"context: expected values that are plain JSON, got {_named(given)}: {error}") from None
    if len(encoded) > CONTEXT_LIMIT_BYTES:
        raise InvalidArguments(f"context: expected at most {CONTEXT_LIMIT_BYTES:,} bytes as JSON, got"
                               f" {len(encoded):,} in {_named(given)}: it travels with every job, so put what is large"
                               " elsewhere, and its key into the context")
    return found


def _named(given: Mapping[str, Any]) -> str:
    return ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__


def _refuse(value: Any) -> Any:
    raise TypeError(f"a value of type {type(value).__qualname__} cannot be written as JSON")


_PLAIN = Header()
