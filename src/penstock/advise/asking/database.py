"""The contract of a database that may be explained. It is only read, in transactions that end by being rolled back."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

import msgspec

from penstock.advise.asking.binding import Bound
from penstock.domain.advice import Dialect, Plan, Query, Safety, Schema


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds work on a database. Times are milliseconds.

    `role` is taken for each transaction where the database has it and whoever connects may take it. `redact` leaves
    the constants out of plans.
    """

    role: str | None = "advise"
    statement_ms: int = 15_000
    lock_ms: int = 500
    idle_ms: int = 30_000
    redact: bool = True


USUAL = Limits()


class CannotExplain(Exception):
    """A statement cannot be explained here; the message says why, for people."""


class Examined(Protocol):
    """A database that may be explained. It is closed by leaving it as a context."""

    dialect: Dialect
    notes: tuple[str, ...]
    """What a person should know of how it is reached: a role that is missing, one that may write."""

    def __enter__(self) -> "Examined": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...

    def schema(self, tables: Sequence[tuple[str | None, str]]) -> Schema:
        """The tables of these names (schema or None, name) as the database describes them.

        A view brings the tables that it reads along. Whatever cannot be described is told of in `missing`.
        """
        ...

    def doubts(self, query: Query, safety: Safety, schema: Schema) -> tuple[str, ...]:
        """Why a statement is not to be run, as far as only the database can tell: one sentence for each reason."""
        ...

    def explain(self, bound: Bound, *, analyse: bool = False, parameters: str | None = None) -> Plan:
        """The plan for these very values; with `analyse`, by running it. Raises `CannotExplain`."""
        ...
