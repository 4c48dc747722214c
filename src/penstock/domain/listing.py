"""What is told of jobs to people: a page of a list, one job with all that is known, what became of acts on many, rates.

Times are milliseconds since 1970 in UTC, by the database's clock.
"""

from dataclasses import dataclass, field, fields
from typing import Literal

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import JobState
from penstock.domain.names import did_you_mean

Act = Literal["retry", "cancel", "discard", "run_now"]
FITS: dict[Act, tuple[str, ...]] = {
    "retry": ("discarded", "cancelled", "completed", "retryable"),
    "cancel": ("scheduled", "pending", "available", "executing", "retryable"),
    "discard": ("scheduled", "pending", "available", "retryable"),
    "run_now": ("scheduled", "retryable"),
}
"""The states in which a job may be acted on so."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs: those that fit all that is given. `since` and `until` are about when they were enqueued.

    Raises `InvalidArguments` for what no job can have.
    """

    state: str | None = None
    task: str | None = None
    queue: str | None = None
    tag: str | None = None
    error_class: str | None = None
    since: int | None = None
    until: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        faults = [f"{name}: expected text without NUL, got {value!r}"
                  for name in ("state", "task", "queue", "tag", "error_class")
                  if (value := getattr(self, name)) is not None and (not isinstance(value, str) or "\0" in value)]
        if not faults and self.state is not None and self.state not in list(JobState):
            faults.append(f"state: expected one of {', '.join(JobState)}, got {self.state!r}"
                          f"{did_you_mean(self.state, map(str, JobState))}")
        faults += [f"{name}: expected milliseconds since 1970, got {value!r}" for name in ("since", "until")
                   if (value := getattr(self, name)) is not None and (type(value) is not int or abs(value) >= 2**62)]
        if self.batch is not None and (type(self.batch) is not int or not 0 <= self.batch < 2**62):
            faults.append(f"batch: expected the number of a batch, got {self.batch!r}")
        if faults:
            raise InvalidArguments("; ".join(faults))

    @property
    def given(self) -> dict[str, str | int]:
        """What it asks for, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.given.items()) or "all jobs"


@dataclass(frozen=True, slots=True)
class JobListed:
    """A job in a list, without its arguments. `worker` is who runs it; `percent` is told of those that run."""

    id: int
    task: str
    queue: str
    priority: int
    state: str
    attempt: int
    max_attempts: int
    run_at: int
    enqueued_at: int
    attempted_at: int | None
    finished_at: int | None
    error_class: str | None
    tags: tuple[str, ...] = ()
    worker: str | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs of a list. `after` is where the next page begins, None after the last one.

    `looked_at` rows were searched for them, back to the time `back_to`: where that was `cut_short`, since too few of
    them fit, the next page goes on searching. `back_to` is when the last of them was enqueued; of a list of what waits
    for its time, up to when it is due. It is None where nothing was searched, and for what is executing.
    """

    jobs: list[JobListed]
    after: str | None
    looked_at: int
    back_to: int | None
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """How many jobs there are; or, if there may be `more`, how many were found until the search ended."""

    number: int
    more: bool
    looked_at: int = 0

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of an act on many jobs: `done`; `asked` to end, since they run; `refused`, since their state is
    another by now (or another job has their unique key). `after` is where it goes on, None where it is over."""

    act: str
    done: int
    asked: int
    refused: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a job, or will: `enqueued`, `due`, `claimed`, `failed`, or the state that it ended in;
    `deadline`, `asked to end`, and until when it is `kept`."""

    what: str
    at: int


@dataclass(frozen=True, slots=True)
class Waited:
    """A job or a batch that another waits for, or that waits. `state` is None for one that is not there any more."""

    id: int
    kind: Literal["job", "batch"]
    task: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The error of an attempt, and when it failed. A job that was put back counts its attempts anew."""

    attempt: int
    at: int
    error_class: str
    error: str | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands, waiting, running or ended. Times are milliseconds since 1970, by the database's clock;
    `cursor` is JSON."""

    id: int
    task: str
    queue: str
    priority: int
    state: str
    arguments: str
    attempt: int
    max_attempts: int
    run_at: int
    enqueued_at: int
    attempted_at: int | None
    finished_at: int | None
    error_class: str | None
    error: str | None
    percent: float | None
    note: str | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class JobFound(JobRow):
    """Everything that the store knows of one job. `arguments`, `result` and `cursor` are JSON as it may be shown to
    anybody.

    `failures` are its attempts that failed, the newest first, up to 25; the last one's error is that of the job, too.
    `waits_for` and `awaited_by` end after some; `waits` says how many are left to wait for. `lost` is how many workers
    it has lost. `line` and `also` are the keys that it is held back by, `batch` the number of the batch it belongs to.
    """

    tags: tuple[str, ...]
    unique_key: str | None
    batch: int | None
    line: str | None
    also: str | None
    deadline_at: int | None
    prune_at: int | None
    asked_at: int | None
    worker_id: int | None
    worker: str | None
    lease: int | None
    lost: int
    waits: int
    told_at: int | None
    result: str | None
    result_until: int | None
    now: int
    timeline: tuple[Moment, ...] = ()
    failures: tuple[AttemptFailed, ...] = ()
    waits_for: tuple[Waited, ...] = ()
    awaited_by: tuple[Waited, ...] = ()

    @property
    def acts(self) -> tuple[Act, ...]:
        """What may be done with it, as it stands."""
        return tuple(act for act, states in FITS.items() if self.state in states)


@dataclass(frozen=True, slots=True)
class Rates:
    """How many jobs came to what, in stretches of `span_ms` that begin `at`; the last one is not over.

    `states` has numbers for each stretch: of jobs `enqueued` (and put back), `completed`, `discarded`, `cancelled`, and
    of attempts that failed and are made again (`retryable`). They are counted when upkeep adds up, a few seconds late.
    """

    span_ms: int
    at: list[int]
    states: dict[str, list[int]] = field(default_factory=dict)

    def total(self, state: str) -> int:
        return sum(self.states[state])


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue. `oldest_at` is since when the oldest of those that go next has been due, None if none is.

    `slots` is how many jobs of it can run at once in the workers that live, None where they do not say.
    """

    queue: str
    oldest_at: int | None
    age_ms: int | None
    available: int
    pending: int
    executing: int
    scheduled: int
    retryable: int
    paused_at: int | None
    slots: int | None = None
