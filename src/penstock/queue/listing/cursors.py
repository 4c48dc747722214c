"""Where a list goes on: a short text that holds a place in the order of an index, and nothing that anybody could want.

A cursor goes with its filter. One that was made up, or is of another order, is refused.
"""

import base64
import binascii

import msgspec

from penstock.domain.errors import InvalidArguments

HIGHEST = 2**62
LOWEST = -(2**62)


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """`order` is that of the list; (`place`, `id`) its last row. Ids below `above` were enqueued before its `since`."""

    order: str
    place: int = LOWEST
    id: int = LOWEST
    above: int | None = None

    def text(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def read(text: str, order: str) -> Cursor:
    """Raises `InvalidArguments`."""
    try:
        padded = text + "=" * (-len(text) % 4)
        cursor = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidArguments(f"after: expected the cursor that a page gave, got {text[:80]!r}") from None
    if cursor.order != order or max(abs(cursor.place), abs(cursor.id), abs(cursor.above or 0)) > HIGHEST:
        raise InvalidArguments("after: expected the cursor of a page with the same filter, got one of another list:"
                               " begin again without it")
    return cursor
