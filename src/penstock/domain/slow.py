"""One trace that is kept as it was, since it was slow or failed."""

from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from penstock.domain.traces import KINDS, Kind

_DIGITS = 16


class TraceKey(NamedTuple):
    """What names a kept trace: what it was of, when it began, how long it took, and four digits of its name's digest.
    """

    kind: Kind
    began_at: int
    took_us: int
    name_digest: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.began_at}-{self.took_us}-{self.name_digest}"

    @classmethod
    def of(cls, kind: Kind, name: str, began_at: int, took_us: int) -> "TraceKey":
        return cls(kind, began_at, took_us, blake2b(name.encode("utf-8", "replace"), digest_size=2).hexdigest())

    @classmethod
    def read(cls, text: str) -> "TraceKey | None":
        """The key that a text is; None for what is none."""
        parts = text.split("-")
        if len(parts) != len(cls._fields) or parts[0] not in KINDS:
            return None
        if any(not part.isascii() or not part.isdecimal() or len(part) > _DIGITS for part in parts[1:3]):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]), parts[3])


class SpanSeen(msgspec.Struct, frozen=True):
    """One thing that took long, begun `at_us` after the trace was. `what` is a statement's text or a call's route; of
    the phase `inside` it is what is a trace by itself, such as a run of a window."""

    at_us: int
    took_us: int
    phase: str
    what: str
    fingerprint: str | None = None
    run_id: int | None = None


class Slice(msgspec.Struct, frozen=True):
    """What the phases of a trace came to until `until_us` after its begin, since the slice before it ended."""

    until_us: int
    phases: dict[str, int]


class Part(msgspec.Struct, frozen=True):
    """A statement or a route of the trace, with all that its calls came to."""

    what: str
    calls: int
    total_us: int
    rows: int = 0
    fingerprint: str | None = None


class SlowTrace(msgspec.Struct, kw_only=True):
    """A trace with what took its time. `began_at` is in milliseconds of the epoch, `phases` in the order of `PHASES`.

    `slices` say when its phases were under way, in fewer than a hundred steps; empty of what was kept before that was
    noted. `parts` are its statements and routes, those that took longest first. `flame` are the sampled stacks,
    outermost frame first and joined by `;`, with the number of samples of each: 100 a second. `about` is what else is
    known, such as the job's attempt.
    """

    kind: Kind
    name: str
    began_at: int
    took_us: int
    failed: bool
    job_id: int | None = None
    run_id: int | None = None
    subject: str | None = None
    account: str | None = None
    cpu_us: int | None = None
    phases: list[int] = []
    slices: list[Slice] = []
    spans: list[SpanSeen] = []
    parts: list[Part] = []
    flame: dict[str, int] = {}
    about: dict[str, Any] = {}

    @property
    def key(self) -> TraceKey:
        """Its name among all that are kept."""
        return TraceKey.of(self.kind, self.name, self.began_at, self.took_us)
