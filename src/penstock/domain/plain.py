"""Values as JSON: what the store keeps of arguments, cursors and results, and nothing else."""

from typing import Any

import msgspec


class Unwritable:
    """Stands for a value that was somewhere else, and that JSON has no words for; `why` says so."""

    def __init__(self, why: str) -> None:
        self.why = why


def _refuse(value: Any) -> Any:
    if isinstance(value, Unwritable):
        raise TypeError(value.why)
    raise TypeError(f"a value of type {type(value).__qualname__} cannot be written as JSON")


encoder = msgspec.json.Encoder(enc_hook=_refuse)

UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""What `encoder` raises of a value that JSON has no words for."""
