"""Jobs as plain values: what is enqueued, what is claimed, and what an attempt comes to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


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


class Call(TypedDict):
    """A job to be, as one row of the enqueue statement.

    Either `run_at` (milliseconds since 1970, UTC) or `delay_ms` (from the database's now) says when it is due.
    """

    task: str
    queue: str
    priority: int
    arguments: str
    max_attempts: int
    run_at: int | None
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was enqueued. `id` never changes, so it serves as an idempotency key outside."""

    id: int
    task: str
    queue: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt, with the lease that alone may settle it."""

    id: int
    lease: int
    task: str
    queue: str
    arguments: str
    attempt: int
    max_attempts: int


class Settled(TypedDict):
    """What an attempt came to, as one row of the settle statement. `given_back` attempts are not counted."""

    id: int
    lease: int
    state: str
    delay_ms: int
    given_back: int
    error_class: str | None
    error: str | None


_ERROR_LENGTH = 8_000


def settled(claimed: Claimed, state: JobState, *, delay_seconds: float = 0.0, give_back: bool = False,
            error: BaseException | None = None, trace: str | None = None) -> Settled:
    """The row that settles an attempt; the error is bounded and free of what PostgreSQL cannot store."""
    return Settled(
        id=claimed.id, lease=claimed.lease, state=state.value, delay_ms=round(delay_seconds * 1000),
        given_back=1 if give_back else 0, error_class=type(error).__name__ if error is not None else None,
        error=storable(trace or message(error)) if error is not None else None,
    )


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
