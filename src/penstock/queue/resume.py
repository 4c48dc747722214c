"""Rows that are gone through once, however often the job that does so is interrupted.

The invariant: the cursor never passes a row that the loop's body has not come to the end of. So an interruption that is
told repeats nothing, and a crash repeats no more than what was done after the cursor was last saved.
"""

import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from penstock.domain.errors import InvalidCheckpoint
from penstock.domain.progress import Said

if TYPE_CHECKING:
    from penstock.queue.attempt import Attempt

T = TypeVar("T")
_NOTHING = object()


class Resume(Generic[T]):
    """What `job.resume` gives: the rows that are left, to be gone through once."""

    def __init__(self, attempt: "Attempt", rows: Any, key: str | Callable[[T], Any]) -> None:
        faults = [] if callable(key) or isinstance(key, str) else [
            f"key: expected the name of a field, or a function of a row, got {key!r}"]
        if not isinstance(rows, Iterable | AsyncIterable) and not callable(rows):
            faults.append(f"rows: expected an iterable, or a function that is given the cursor, got {rows!r}")
        if faults:
            raise InvalidCheckpoint(f"job {attempt.id}: resume: {'; '.join(faults)}")
        self._attempt = attempt
        self._rows = rows
        self._key = key if callable(key) else _field(key)

    def __iter__(self) -> Iterator[T]:
        cursor = self._attempt.cursor
        walk = self._begun(cursor)
        rows = self._source(cursor)
        if not isinstance(rows, Iterable):
            raise InvalidCheckpoint(f"job {self._attempt.id}: resume: expected an iterable, got {rows!r}: go through"
                                    " what is asynchronous with `async for`")
        for row in rows:
            if walk.takes(row):
                yield row
                walk.done()

    async def __aiter__(self) -> AsyncIterator[T]:
        cursor = await self._attempt.acursor()
        walk = self._begun(cursor)
        rows = self._source(cursor)
        if inspect.isawaitable(rows):
            rows = await rows
        if isinstance(rows, AsyncIterable):
            async for row in rows:
                if walk.takes(row):
                    yield row
                    walk.done()
        else:
            for row in rows:
                if walk.takes(row):
                    yield row
                    walk.done()

    def _begun(self, cursor: Any) -> "_Walk":
        if self._attempt.resumes:
            raise InvalidCheckpoint(f"job {self._attempt.id}: expected one job.resume() in a job, got a second: a job"
                                    " has one cursor; make another job of the second loop")
        self._attempt.resumes = True
        return _Walk(self._attempt, self._key, cursor)

    def _source(self, cursor: Any) -> Any:
        return self._rows if isinstance(self._rows, Iterable | AsyncIterable) else self._rows(cursor)


class _Walk:
    """Where a loop is. `cursor` is that of the last row that is done, as JSON has it, or None."""

    def __init__(self, attempt: "Attempt", key: Callable[[Any], Any], cursor: Any) -> None:
        self._attempt = attempt
        self._key = key
        self._cursor = cursor
        self._done: Any = _NOTHING
        self._last: Any = _NOTHING
        self._written = ""

    def takes(self, row: Any) -> bool:
        """Whether a row is still to be done. Raises what ends the attempt, and for a row that is out of order."""
        self._attempt.check()
        now = self._key(row)
        if self._last is _NOTHING and self._cursor is not None:
            self._done = self._as_key(now)
        if self._last is not _NOTHING and not self._below(self._last, now):
            how = ' (a text by its code points: `collate "C"`)' if isinstance(now, str) else ""
            raise InvalidCheckpoint(f"job {self._attempt.id}: resume: expected rows in rising order of their key, no"
                                    f" two alike, got {now!r} after {self._last!r}: sort them by it{how}, or nobody can"
                                    " tell which are done")
        self._last = now
        if self._done is not _NOTHING and not self._below(self._done, now):
            self._attempt.told_at = time.monotonic()  # to pass over many rows is no silence
            return False
        self._written = self._attempt.written(now)  # before the body: what cannot be kept is not begun
        return True

    def done(self) -> None:
        """The body has asked for the next row."""
        self._attempt.say(Said(cursor=self._written))

    def _below(self, one: Any, other: Any) -> bool:
        try:
            return bool(one < other)
        except TypeError as error:
            raise InvalidCheckpoint(f"job {self._attempt.id}: resume: expected keys that can be compared, got {other!r}"
                                    f" after {one!r}: {error}") from None

    def _as_key(self, key: Any) -> Any:
        """The cursor as the type of the keys: JSON has no times, and no tuples."""
        try:
            return msgspec.convert(self._cursor, _type_of(key))
        except (msgspec.ValidationError, TypeError) as error:
            raise InvalidCheckpoint(
                f"job {self._attempt.id}: resume: expected keys like the cursor {self._cursor!r}, got {key!r}"
                f" ({error}): requeue the job if its rows have another key now") from None


def _type_of(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple[tuple(map(_type_of, key))]  # type: ignore[misc]
    return int | float if type(key) in (int, float) else type(key)


def _field(name: str) -> Callable[[Any], Any]:
    attribute = attrgetter(name)
    return lambda row: row[name] if isinstance(row, Mapping) or hasattr(row, "keys") else attribute(row)
