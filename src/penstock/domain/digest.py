"""The digest of what is sent: equal digests mean that there is nothing to send.

BLAKE2b-128 (RFC 7693) over a canonical JSON text: object members sorted by name, no white space. `1`, `1.0`,
`"1"`, `true`, `null` and a missing member all differ. Text is taken as it is, code point by code point: no
Unicode normalisation, since the destination gets the very same code points. Dates, UUIDs and decimals count as
the text that is sent for them.
"""

from hashlib import blake2b
from typing import Any

import msgspec

DIGEST_BYTES = 16

_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


def digest(payload: Any, parent_id: str | None = None, reference_ids: tuple[str, ...] = ()) -> bytes:
    """The digest of one record's payload and of the remote ids that it is sent with.

    Raises `TypeError` or `ValueError` for a payload that cannot be written as JSON.
    """
    return blake2b(_encode((payload, parent_id, reference_ids)), digest_size=DIGEST_BYTES).digest()


