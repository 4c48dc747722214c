"""One trace that is kept as it was, since it was slow or failed."""

from typing import Any

import msgspec

from penstock.domain.traces import Kind


class SpanSeen(msgspec.Struct, frozen=True):
    """One thing that took long, begun `at_us` after the trace was. `what` is a statement's text or a call's route."""

    at_us: int
    took_us: int
    phase: str
    what: str
    fingerprint: str | None = None


class Part(msgspec.Struct, frozen=True):
    """A statement or a route of the trace, with all that its calls came to."""

    what: str
    calls: int
    total_us: int
    rows: int = 0
    fingerprint: str | None = None


class SlowTrace(msgspec.Struct, kw_only=True):
    """A trace with what took its time. `began_at` is in milliseconds of the epoch, `phases` in the order of `PHASES`.

    `parts` are its statements and routes, those that took longest first. `flame` are the sampled stacks, outermost
    frame first and joined by `;`, with the number of samples of each: 100 a second. `about` is what else is known, such
    as the job's attempt.
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
    spans: list[SpanSeen] = []
    parts: list[Part] = []
    flame: dict[str, int] = {}
    about: dict[str, Any] = {}
