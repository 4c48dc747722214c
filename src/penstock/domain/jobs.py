"""Jobs as plain values: what is enqueued, what is claimed, and what an attempt comes to."""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypedDict, TypeVar, cast

import msgspec
from msgspec.structs import asdict, astuple

from penstock.domain.envelope import Context, Sealer, checked_context, unwrapped, wrapped
from penstock.domain.errors import DeclarationError, InvalidArguments, ResultError
from penstock.domain.lines import Line
from penstock.domain.names import name_fault, tag_fault
from penstock.domain.results import WAIT_SECONDS, Asker


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
    likewise its deadline. `keeps` are the states in which it keeps its unique key, for at most `period_ms`;
    `conflict` says what becomes of a job that is met, None that it is left as it is. Jobs that are `keyed` wait in
    lines, those that are `held` for others; those that are `sealed` have to know their numbers before.
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
    conflict: str | None
    keyed: bool
    sealed: bool
    held: bool
    batch: int | None


class After(msgspec.Struct, frozen=True, gc=False):
    """What a job waits for: jobs and batches by their ids, and calls that are enqueued together with it.

    It runs once all of them have ended; where one did not complete it is cancelled, or runs `anyway`.
    """

    on: "tuple[int | Call, ...]"
    anyway: bool = False


class Call(msgspec.Struct, frozen=True, gc=False):
    """A job to be. Millions may wait in one list, so the garbage collector need not know of them.

    `arguments` are a JSON object, or an envelope with one (`penstock.domain.envelope`); `sealer` seals them.
    """

    shape: Shape
    arguments: str
    unique_key: str | None = None
    line: Line | None = None
    sealer: Sealer | None = None
    after: After | None = None

    @property
    def task(self) -> str:
        return self.shape["task"]

    @property
    def queue(self) -> str:
        return self.shape["queue"]

    @property
    def priority(self) -> int:
        return self.shape["priority"]

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.shape["tags"] or ())

    @property
    def context(self) -> Context:
        """What goes along to the job from whoever enqueues it."""
        return unwrapped(self.arguments)[0].ctx

    @property
    def given(self) -> dict[str, Any]:
        """The arguments by name, as JSON has them."""
        found: dict[str, Any] = msgspec.json.decode(unwrapped(self.arguments)[1])
        return found

    def using(self, *, queue: str | None = None, priority: int | None = None, tags: Iterable[str] | None = None,
              context: Context | None = None) -> "Call":
        """The same call with another queue, priority or tags, or with more context. Raises `InvalidArguments`."""
        shape = self.shape.copy()
        faults: list[str | None] = []
        if queue is not None:
            faults.append(name_fault("queue", queue))
            shape["queue"] = queue
        if priority is not None:
            faults.append(priority_fault(priority))
            shape["priority"] = priority
        if tags is not None:
            shape["tags"] = labels = [tags] if isinstance(tags, str) else list(tags)
            faults += map(tag_fault, labels)
        if any(faults):
            raise InvalidArguments("; ".join(fault for fault in faults if fault))
        arguments = self.arguments
        if context is not None:
            header, body = unwrapped(arguments)
            context = checked_context({**header.ctx, **context})
            arguments = wrapped(msgspec.structs.replace(header, ctx=context), body)
        return msgspec.structs.replace(self, shape=shape, arguments=arguments)


def priority_fault(priority: object) -> str | None:
    """What is wrong with a priority, or None."""
    if type(priority) is int and abs(priority) < 2**31:
        return None
    return f"priority: expected a whole number of at most 31 bits, got {priority!r}"


class Job(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A job that was enqueued. `id` never changes, so it serves as an idempotency key outside.

    `skipped` says that nothing was enqueued, since this job, which was there already, has the same unique key.
    `replaced` says that this job was there already, and is now what was enqueued.
    """

    id: int
    task: str
    queue: str
    skipped: bool = False
    replaced: bool = False
    asker: ClassVar[Asker | None] = None
    """Whom to ask for results: the jobs of an app are of a class of their own, so that none of them has to hold it."""

    def result(self, timeout: float | None = WAIT_SECONDS) -> Any:
        """What the body returned, once the job has completed; waits for at most `timeout` seconds (None: for ever).

        Raises `ResultTimeout`, `NotCompleted`, `NoResult`, `ResultGone` or `InvalidResult`: see docs/results.md.
        """
        return self._asker().result(self.id, timeout)

    async def aresult(self, timeout: float | None = WAIT_SECONDS) -> Any:  # noqa: ASYNC109
        """The same without blocking the event loop."""
        return await self._asker().aresult(self.id, timeout)

    def _asker(self) -> Asker:
        if self.asker is None:
            raise ResultError(f"job {self.id}: expected a job as its app gave it, got a copy from elsewhere: ask"
                              f" app.result({self.id})")
        return self.asker

    def __eq__(self, other: object) -> bool:
        return astuple(self) == astuple(other) if isinstance(other, Job) else NotImplemented

    def __hash__(self) -> int:
        return hash(astuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy for elsewhere knows no app."""
        kind = type(self)
        while kind.asker is not None and kind.__base__ is not None:
            kind = kind.__base__
        return _made, (kind, asdict(self))


def _made(kind: type[Job], fields: dict[str, Any]) -> Job:
    return kind(**fields)


def id_of(job: object) -> int:
    """The id of a job that is given as itself or by its id. Raises `InvalidArguments` for anything else."""
    if isinstance(job, Job):
        return job.id
    if type(job) is int and abs(job) < 2**63:
        return job
    raise InvalidArguments(f"job: expected a Job, as enqueue gives it, or its id, a whole number, got {job!r}")


J = TypeVar("J", bound=Job)


def asking(kind: type[J], asker: Asker) -> type[J]:
    """Jobs of this kind whose results are asked of `asker`."""
    namespace = {"asker": asker, "__doc__": kind.__doc__}
    return cast("type[J]", msgspec.defstruct(kind.__name__, [], bases=(kind,), module=kind.__module__,
                                             namespace=namespace, frozen=True, gc=False))


class Batch(msgspec.Struct, frozen=True):
    """Jobs that belong together: those it was made with, and the job that runs when all of them have ended."""

    id: int
    jobs: tuple[Job, ...] = ()
    then: Job | None = None


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """One attempt, with the lease that alone may settle it.

    `stale` says why it need not run any more (`invalidated`, `cancelled`, `deadline`). `deadline_ms` is what remains
    until its deadline, at the time of the claim. `rank` is its place in the order of claims. `more` says that
    the claim may have left some, and `per_row` for how many jobs a ready row stood on the average. `waited_ms` is for
    how long it was due at the time of the claim.
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
    waited_ms: int = 0


class Outcome(msgspec.Struct):
    """What an attempt came to.

    `counted` attempts count against `max_attempts`. `delay_ms` is how long a job that goes on waits, `keep_ms` how long
    one that has ended is kept. `took_ms` is how long the attempt ran. `written` outcomes are in the store already,
    `late` ones are of attempts that were abandoned before. `result` is what the body returned, as JSON, where that is
    to be kept for `result_ms`. Of a call with many jobs `parts` are the outcomes, one for each of them, and the rest
    says what it came to as a whole.
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
    result: str | None = None
    result_ms: int = 0
    written: bool = False
    late: bool = False
    parts: "list[Outcome] | None" = None


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


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where an error really was raised: in another process, whose text says it. Such an error has it as `elsewhere`."""

    class_name: str
    text: str


def class_of(error: BaseException) -> str:
    """The name of an error's class, there where it was raised."""
    found = getattr(error, "elsewhere", None)
    return found.class_name if isinstance(found, Elsewhere) else type(error).__name__


def text_of(error: BaseException) -> str:
    """An error with its traceback, if it has one."""
    found = getattr(error, "elsewhere", None)
    if isinstance(found, Elsewhere):
        return found.text
    return "".join(traceback.format_exception(error)) if error.__traceback__ else message(error)


def storable(text: str) -> str:
    """A message bounded in length (its end says most) and without NUL, which PostgreSQL's text cannot hold."""
    cleaned = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return cleaned if len(cleaned) <= _ERROR_LENGTH else f"… {cleaned[-_ERROR_LENGTH:]}"
