"""What is enqueued, and assertions about it that say what there was instead.

A job counts as enqueued while it waits: until a worker (or `drain`) has claimed it, and again when it is put off.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from penstock.app import Penstock
from penstock.domain.errors import InvalidArguments, UnknownTask
from penstock.domain.names import did_you_mean
from penstock.queue.arguments.marks import HIDDEN, Marks
from penstock.queue.task import Task
from penstock.store.adapters import insert
from penstock.store.port import Row

_START = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 10
_ABSENT = object()
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that waits. `arguments` are those that were given, as JSON has them, by the names of the parameters.

    What is marked as secret is there, but is not shown where a job is printed. `context` came along from the caller.
    """

    id: int
    task: str
    queue: str
    priority: int
    state: str
    arguments: dict[str, Any]
    attempt: int
    max_attempts: int
    run_at: datetime
    enqueued_at: datetime
    tags: tuple[str, ...]
    context: Mapping[str, Any] = field(default_factory=dict)
    marks: Marks | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        given = _given(self.arguments, self.marks)
        parts = [f"#{self.id} {self.task}({given}) in {self.queue!r}", self.state]
        if self.priority:
            parts.append(f"priority {self.priority}")
        if self.run_at - self.enqueued_at >= timedelta(seconds=1):
            parts.append(f"due {self.run_at - self.enqueued_at} after its enqueue")
        if self.tags:
            parts.append(f"tags {', '.join(self.tags)}")
        return ", ".join(parts)


def _given(arguments: dict[str, Any], marks: Marks | None) -> str:
    return ", ".join(f"{name}={_hidden(name, value, marks)!r}" for name, value in arguments.items())


def _hidden(name: str, value: Any, marks: Marks | None) -> Any:
    """An argument as it may be shown."""
    if marks is None or marks.all:
        return value if marks is None else HIDDEN
    return marks.shown({name: value})[name]


def all_enqueued(app: Penstock, task: Task[Any, Any] | str | None = None, *, connection: Any = None) -> list[Enqueued]:
    """The jobs that wait, of one task or of all, in the order of their enqueue.

    With `connection`, as the transaction that is open on it sees them. Raises `UnknownTask`, `UnknownConnection`.
    """
    params = {"task": None if task is None else _declared(app, task).name}
    if connection is not None:
        rows = insert(app.store, "jobs_waiting", params, connection)
    else:
        rows = app.store.read(lambda tx: tx.rows("jobs_waiting", params))
    return [_enqueued(app, row) for row in rows]


def assert_enqueued(app: Penstock, task: Task[Any, Any] | str, *args: Any, arguments: Mapping[str, Any] = _NONE,
                    queue: str | None = None, priority: int | None = None, tags: str | Iterable[str] = (),
                    run_after: timedelta | datetime | None = None, within: timedelta = timedelta(seconds=1),
                    count: int | None = None, connection: Any = None) -> list[Enqueued]:
    """Assert that jobs of a task are enqueued (`count` of them, or at least one); return them.

    Only what is given has to match: `args` and `arguments` (by name) against the job's arguments, of which others may
    be anything; each of `tags`; `run_after` to within `within`, a wait being counted from the job's enqueue. With
    `connection`, what its transaction sees counts. Raises `AssertionError` with what is enqueued, nearest first,
    `UnknownTask`, and `InvalidArguments` for arguments that the task does not take.
    """
    __tracebackhide__ = True
    wanted = _Wanted(_declared(app, task), args, arguments, queue, priority, tags, run_after, within)
    found = all_enqueued(app, connection=connection)
    matching = [job for job in found if not wanted.differences(job)]
    if len(matching) != count if count is not None else not matching:
        expected = "at least one job" if count is None else f"{count} jobs" if count != 1 else "1 job"
        raise AssertionError(f"expected {expected} {wanted}, got {len(matching) or 'none'};"
                             f" {_listed(app, found, wanted)}")
    return matching


def refute_enqueued(app: Penstock, task: Task[Any, Any] | str, *args: Any, arguments: Mapping[str, Any] = _NONE,
                    queue: str | None = None, priority: int | None = None, tags: str | Iterable[str] = (),
                    run_after: timedelta | datetime | None = None, within: timedelta = timedelta(seconds=1),
                    connection: Any = None) -> None:
    """Assert that no such job is enqueued; what is given means what it means to `assert_enqueued`."""
    __tracebackhide__ = True
    wanted = _Wanted(_declared(app, task), args, arguments, queue, priority, tags, run_after, within)
    matching = [job for job in all_enqueued(app, connection=connection) if not wanted.differences(job)]
    if matching:
        raise AssertionError(f"expected no job {wanted}, got {len(matching)}:" + _lines([str(job) for job in matching]))


class _Wanted:
    """What a job is to be like."""

    def __init__(self, task: Task[Any, Any], args: tuple[Any, ...], arguments: Mapping[str, Any], queue: str | None,
                 priority: int | None, tags: str | Iterable[str], run_after: timedelta | datetime | None,
                 within: timedelta) -> None:
        self._task = task
        self._arguments = _as_json(task, args, arguments)
        self._exact = {name: value for name, value in (("queue", queue), ("priority", priority)) if value is not None}
        self._tags = (tags,) if isinstance(tags, str) else tuple(tags)
        self._run_after = run_after
        self._within = within
        if isinstance(run_after, datetime) and run_after.utcoffset() is None:
            raise InvalidArguments(f"run_after: expected a time with a zone, got the naive {run_after.isoformat()}")

    def __str__(self) -> str:
        given = _given(self._arguments, self._task.signature.marks)
        parts = [f"{self._task.name}({given})", *(f"{name}={value!r}" for name, value in self._exact.items())]
        if self._tags:
            parts.append(f"tags={list(self._tags)!r}")
        if self._run_after is not None:
            parts.append(f"run_after={self._run_after}")
        return " ".join(parts)

    def differences(self, job: Enqueued) -> list[str]:
        """What about a job is otherwise than wanted; of another task nothing is compared but that."""
        if job.task != self._task.name:
            return ["task"]
        marks = self._task.signature.marks
        told = [f"{name}: expected {_hidden(name, value, marks)!r}, got"
                f" {'the default' if found is _ABSENT else repr(_hidden(name, found, marks))}"
                for name, value in self._arguments.items()
                if (found := self._argument(job, name)) is _ABSENT or found != value]
        told += [f"{name}: expected {value!r}, got {getattr(job, name)!r}" for name, value in self._exact.items()
                 if getattr(job, name) != value]
        told += [f"tags: {tag!r} is missing" for tag in self._tags if tag not in job.tags]
        if self._run_after is not None:
            due: Any = job.run_at if isinstance(self._run_after, datetime) else job.run_at - job.enqueued_at
            if abs(due - self._run_after) > self._within:
                told.append(f"run_after: expected {self._run_after}, got {due}")
        return told

    def _argument(self, job: Enqueued, name: str) -> object:
        """A job's argument; where none was given, the task's default, if JSON has it."""
        if name in job.arguments:
            return job.arguments[name]
        default = inspect.signature(self._task.function).parameters[name].default
        try:
            return _ABSENT if default is inspect.Parameter.empty else _builtins(default)
        except (TypeError, ValueError, msgspec.MsgspecError):
            return _ABSENT

    def distance(self, job: Enqueued) -> int:
        return len(self.differences(job)) if job.task == self._task.name else 1000


def _declared(app: Penstock, task: Task[Any, Any] | str) -> Task[Any, Any]:
    """A task of the app. A name that it does not declare would let every refutation pass."""
    name = task if isinstance(task, str) else getattr(task, "name", None)
    found = app.tasks.get(name) if isinstance(name, str) else None
    if found is None or (found is not task and not isinstance(task, str)):
        hint = did_you_mean(name, app.tasks) if isinstance(name, str) and found is None else ""
        raise UnknownTask(f"expected a task that this app declares, or its name, got {task!r}{hint}")
    return found


def _as_json(task: Task[Any, Any], args: tuple[Any, ...], arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        given = inspect.signature(task.function).bind_partial(*args, **arguments).arguments
        return {name: _builtins(value) for name, value in given.items()}
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidArguments(f"{task.name}{inspect.signature(task.function)}: {error}") from None


def _builtins(value: Any) -> Any:
    """A value as it comes out of JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _enqueued(app: Penstock, row: Row) -> Enqueued:
    id, task, queue, priority, state, arguments, attempt, most, run_at, enqueued_at, tags = row
    if isinstance(tags, str):  # as one text, where the database has no arrays
        tags = msgspec.json.decode(tags)
    packing, marks = app.packing(task)
    header, body = packing.unsealed(id, arguments)
    given = msgspec.json.decode(packing.upgraded(header.v, body))
    return Enqueued(id, task, queue, priority, state, given, attempt, most, _time(run_at), _time(enqueued_at),
                    tuple(tags or ()), header.ctx, marks)


def _time(ms: int) -> datetime:
    return _START + timedelta(milliseconds=ms)


def _listed(app: Penstock, found: list[Enqueued], wanted: _Wanted) -> str:
    if not found:
        hint = " (inline mode is on, so jobs are run and not enqueued)" if "enqueue" in vars(app) else ""
        return f"nothing is enqueued{hint}"
    nearest = sorted(found, key=wanted.distance)
    lines = []
    for job in nearest[:_SHOWN]:
        told = wanted.differences(job)
        lines.append(f"{job}" + (f" [{'; '.join(told)}]" if told and told != ["task"] else ""))
    return f"enqueued {'is' if len(found) == 1 else 'are'}, nearest first:" + _lines(lines, len(found))


def _lines(lines: list[str], total: int | None = None) -> str:
    more = (total or len(lines)) - len(lines[:_SHOWN])
    return "".join(f"\n  {line}" for line in lines[:_SHOWN]) + (f"\n  and {more} more" if more else "")
