"""The contract of a trial: what a candidate does to a statement and its siblings, found out without changing anything
that lasts.

    hypothetical   HypoPG, on a connection of its own: nothing is built
    scratch        a small schema with sampled rows and copied statistics
    real           a real index on the database that was named for it, dropped again; or a rolled-back one
    sqlite_clone   a SQLite file's schema, in memory, without rows
    sqlite_copy    a copy of the file

A trial says what it found; `penstock.advise.judging.verdict` decides.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol

import msgspec

from penstock.advise.asking.binding import Bound
from penstock.domain.advice import Candidate, Confidence, Measure, Plan, Rewrite, Schema, WriteCost


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A statement with the values of one execution: `values` as its driver takes them."""

    label: str
    bound: Bound
    values: Any = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One statement to try something on. `runs`: it may be run, and not only planned. `name` is what people read."""

    fingerprint: str
    name: str
    calls: tuple[Call, ...]
    runs: bool = False
    tables: frozenset[tuple[str | None, str]] = frozenset()
    plans: tuple[Plan, ...] = ()
    """What the explained database would do, for each call."""
    weight_us: int = 0
    """What it took in all, so that harm to it can be weighed."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One statement before and after: a plan for each of its calls, and what they took together."""

    work: Work
    before: tuple[Plan, ...]
    after: tuple[Plan, ...]
    measured_before: Measure | None = None
    measured_after: Measure | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial found. `used`: some plan uses the index, by the name that it had. `fault` says why the trial tells
    nothing; then the rest may be missing."""

    by: str
    confidence: Confidence
    seen: Seen | None = None
    siblings: tuple[Seen, ...] = ()
    used: bool = False
    size: int | None = None
    write_cost: WriteCost | None = None
    fault: str | None = None


class Trial(Protocol):
    """A means to try candidates. It is closed by leaving it as a context; whatever it made is gone then."""

    by: str

    def __enter__(self) -> "Trial": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        """Try one index. Raises `TrialFailed` where something may have been left behind."""
        ...

    def rewrite(self, before: Work, after: Work) -> Tried:
        """Try another text in place of a statement, with the same values."""
        ...

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        """Try a proposal that reads all keys once, and then rows by them, in place of so many calls."""
        ...


class CannotTry(Exception):
    """A means of trial is not to be had here; the message says why, for people."""
