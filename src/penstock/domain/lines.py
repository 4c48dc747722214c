"""The lines in which keyed jobs and runs wait: their keys as text, and how many of one may begin.

Equal values give equal keys, however they were written: what is told apart is the value's canonical JSON.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

_LONGEST_VALUE = 120
_encoder = msgspec.json.Encoder(order="sorted")


class Line(msgspec.Struct, frozen=True, gc=False):
    """Where a job waits: in the line `key`, and against the places of `also` too, if it has two keys.

    `terms` are the JSON of a `Terms`, made once for many jobs.
    """

    key: str
    also: str | None
    terms: str


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a line is served: `most` at a time (None: any number), and `also` for its second key; `pace_us` microseconds
    between two of them; and only while all of `gates` are open."""

    most: int | None = None
    also: int | None = None
    pace_us: int | None = None
    gates: list[str] | None = None

    def encoded(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, encoded: str) -> "Terms":
        return msgspec.json.decode(encoded, type=cls)

    @property
    def gates_text(self) -> str | None:
        """The keys of the gates as a JSON array."""
        return None if self.gates is None else msgspec.json.encode(self.gates).decode()


def serial_key(task: str, values: Sequence[Any]) -> str:
    """The line of jobs that run one at a time."""
    return f"serial:{task}:{value_text(values)}"


def concurrency_key(task: str, values: Sequence[Any]) -> str:
    """The line of jobs of which so many run at a time."""
    return f"concurrency:{task}:{value_text(values)}"


def limit_line(key: str) -> str:
    """The line of jobs that only a limit holds back."""
    return f"limit:{key}"


@lru_cache(maxsize=65_536)
def line_of(sync: str, account: str) -> str:
    """The line in which an account's runs wait."""
    return f"run:{msgspec.json.encode([sync, account]).decode()}"


def spoken_line(line: str) -> str:
    """A line as people read it: that of an account's runs by their names, any other as it is."""
    if not line.startswith("run:["):
        return line
    try:
        sync, account = msgspec.json.decode(line.removeprefix("run:"), type=tuple[str, str])
    except msgspec.DecodeError:
        return line
    return f"account {account} of {sync}"


def value_text(values: Sequence[Any]) -> str:
    """One value, or several, as canonical JSON; what is long as 16 bytes of BLAKE2b over that."""
    encoded = _encoder.encode(values[0] if len(values) == 1 else list(values))
    if len(encoded) <= _LONGEST_VALUE:
        return encoded.decode()
    return blake2b(encoded, digest_size=16).hexdigest()
