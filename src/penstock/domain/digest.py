"""The digest of what is sent: equal digests mean that there is nothing to send.

BLAKE2b-128 (RFC 7693, `digest_size=16`) over a canonical JSON text: members sorted by name, no white space. `1`, `1.0`,
`"1"`, `true`, `null` and a missing member all differ. Text is taken as it is, code point by code point: no
Unicode normalisation, since the destination gets the very same code points. Dates, UUIDs and decimals count as
the text that is sent for them. JSON has no word for a number that is none (NaN) or infinite: such a payload is refused.
"""

import math
from typing import Any

import msgspec

DIGEST_BYTES = 16

encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode
"""The canonical text of what is digested. Raises `TypeError` or `ValueError` for what cannot be written as JSON."""


def refuse_unwritable(payload: Any) -> None:
    """Raise `ValueError` for a payload with a number that would be written as null."""
    waiting = [msgspec.to_builtins(payload)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} cannot be written as JSON: leave the field out, or give None")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
