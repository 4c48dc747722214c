"""Jobs as plain values: what is enqueued, what is claimed, and what an attempt comes to."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypedDict

import msgspec

from penstock.domain.errors import DeclarationError
from penstock.domain.lines import Line


class JobState(StrEnum):
    """Where a job stands; see the glossary."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    AVAILABLE = "available"
    EXECUTING = "executing"
    RETRYABLE = "retryable"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


LIVE_STATES = ("scheduled", "pending", "available", "executing", "retryable")
FINAL_STATES = ("completed", "cancelled", "discarded")


class Shape(TypedDict):
    """What many jobs of one enqueue have in common.

    Either `run_at` (milliseconds since 1970, UTC) or `delay_ms` (from the database's now) says when a job is due, and
    likewise its deadline. `keeps` are the states in which it keeps its unique key, for at most `period_ms`. Jobs
    that are `keyed` wait in lines.
    """

    task: str
    queue: str
    priority: int
    max_attempts: int
    run_at: int | None
    delay_ms: int
    tags: list[str] | None
    deadline_at: int | None
    deadline_ms: int | None
    keeps: list[str] | None
    period_ms: int | None
    keyed: bool


class Call(msgspec.Struct, frozen=True, gc=False):
    """A job to be. Millions may wait in one list, so the garbage collector need not know of them."""

    shape: Shape
    arguments: str
    unique_key: str | None = None
    line: Line | None = None


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job that was enqueued. `id` never changes, so it serves as an idempotency key outside.

    `skipped` says that nothing was enqueued, since this job, which was there already, has the same unique key.
    """

    id: int
    task: str
    queue: str
    skipped: bool = False


class Claimed(msgspec.Struct, frozen=True):
    """One attempt, with the lease that alone may settle it.

    `stale` says why it need not run any more (`invalidated`, `cancelled`, `deadline`). `deadline_ms` is what remains
    until its deadline, at the time of the claim. `rank` is its place in the order of claims. `more` says that
    the claim may have left some, and `per_row` for how many jobs a ready row stood on the average.
    """

    id: int
    lease: int
    task: str
    queue: str
    arguments: str
    attempt: int
    max_attempts: int
    stale: str | None = None
    deadline_ms: int | None = None
    rank: int = 0
    more: bool = False
    per_row: int = 1


class Outcome(msgspec.Struct):
    """What an attempt came to.

    `counted` attempts count against `max_attempts`. `delay_ms` is how long a job that goes on waits, `keep_ms` how long
    one that has ended is kept. `took_ms` is how long the attempt ran. `written` outcomes are in the store already,
    `late` ones are of attempts that were abandoned before.
    """

    id: int
    lease: int
    state: str
    counted: int = 1
    took_ms: float = 0.0
    keep_ms: int = 0
    delay_ms: int = 0
    error_class: str | None = None
    error: str | None = None
    written: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Retention:
    """How long jobs that have ended are kept, by what they came to.

    One that took at least `slow_after` is kept for `slow`, if that is longer: what was slow is what people ask about.
    """

    completed: timedelta = timedelta(days=1)
    cancelled: timedelta = timedelta(days=1)
    discarded: timedelta = timedelta(days=30)
    slow: timedelta = timedelta(days=7)
    slow_after: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        faults = [f"{name}: expected a timedelta from 0 to 36,500 days, got {value!r}"
                  for name in ("completed", "cancelled", "discarded", "slow", "slow_after")
                  if not isinstance(value := getattr(self, name), timedelta)
                  or not timedelta(0) <= value <= timedelta(days=36_500)]
        if faults:
            raise DeclarationError(faults)

    def keep_ms(self, state: str, took_ms: int) -> int:
        """For how long a job is kept that ended in `state` after an attempt of `took_ms`."""
        kept: timedelta = getattr(self, state)
        if took_ms >= self.slow_after // timedelta(milliseconds=1):
            kept = max(kept, self.slow)
        return kept // timedelta(milliseconds=1)


_ERROR_LENGTH = 8_000


def message(error: BaseException) -> str:
    """What an error says of itself, if it can."""
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown)"


def storable(text: str) -> str:
    """A message bounded in length (its end says most) and without NUL, which PostgreSQL's text cannot hold."""
    cleaned = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return cleaned if len(cleaned) <= _ERROR_LENGTH else f"… {cleaned[-_ERROR_LENGTH:]}"
