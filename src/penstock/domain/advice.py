"""What advice is made of: candidates, rewrites, rejections, plans, trials and their verdicts.

Tables (`domain.tables`) and parsed statements (`domain.queries`) belong to it, and can be had from here as well.
Nothing here was asked of a database: who asks, and who decides, are rooms above.
"""

from typing import Literal

import msgspec

from penstock.domain.queries import Block, Condition, ConditionKind, Hidden, JoinKind, Ordering, Query, Safety, Source
from penstock.domain.tables import Column, Dialect, Index, Key, Schema, Table, TableKind

__all__ = [
    "Advice",
    "Block",
    "Candidate",
    "Column",
    "Condition",
    "ConditionKind",
    "Confidence",
    "Decision",
    "Dialect",
    "Hidden",
    "Index",
    "JoinKind",
    "Key",
    "Measure",
    "Node",
    "Ordering",
    "Plan",
    "Proposal",
    "Query",
    "Rejection",
    "Rewrite",
    "RewriteKind",
    "Safety",
    "Schema",
    "Source",
    "Table",
    "TableKind",
    "Verdict",
    "WriteCost",
]

# What is proposed

class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An index that might help. `name` is how it is to be called.

    `appends` names the existing index whose columns it begins with, `replaces` those that it would make superfluous
    (never a unique one). `why` says in a sentence what each part is for.
    """

    table: str
    keys: tuple[Key, ...]
    name: str
    why: str
    schema: str | None = None
    include: tuple[str, ...] = ()
    predicate: str | None = None
    appends: str | None = None
    replaces: tuple[str, ...] = ()


RewriteKind = Literal["keyset", "ids_first", "force_index", "server_cursor", "larger_batch", "batch", "plain_column"]
"""A condition instead of OFFSET; all keys once, then the rows by their keys; another index by other words; one cursor;
more rows a call; one call for many keys; a range of the column instead of a function of it."""


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal that needs no DDL. `after` is SQL for the same driver, None where it can only be described.

    `takes` are the parameters that `after` takes, in its order: the numbers that they have in `before`, from 1, and 0
    for one that is new, of which `why` says what it is. `once` is a statement that is done once before all those calls,
    and `once_takes` says the same of it.
    """

    kind: RewriteKind
    before: str
    why: str
    after: str | None = None
    takes: tuple[int, ...] = ()
    once: str | None = None
    once_takes: tuple[int, ...] = ()

    @property
    def same_parameters(self) -> bool:
        """Whether `after` can be asked with the parameters of `before`, and gives the same rows."""
        return self.after is not None and self.once is None and 0 not in self.takes and self.kind == "force_index"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was considered and is not proposed. `what` names it: an index's columns, or a table."""

    what: str
    reason: str
    candidate: Candidate | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """All that is proposed for one statement, the best first; at most six candidates."""

    query: Query
    candidates: tuple[Candidate, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    rejections: tuple[Rejection, ...] = ()


# Plans, trials and verdicts

class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a plan. `rows` and `cost` are estimates per loop; what follows `actual_rows` was measured, per loop.

    `removed` counts rows that a filter discarded. `blocks` are those hit and read, by it and all below. `width` is how
    many bytes a row is estimated to have.
    """

    kind: str
    table: str | None = None
    alias: str | None = None
    index: str | None = None
    rows: float | None = None
    cost: float | None = None
    condition: str | None = None
    filter: str | None = None
    sort: tuple[str, ...] = ()
    backward: bool = False
    actual_rows: float | None = None
    removed: float | None = None
    loops: int | None = None
    took_us: int | None = None
    blocks: int | None = None
    spilled: int | None = None
    width: int | None = None
    children: tuple["Node", ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a database would carry a statement out. `shape` is a hash of its nodes, tables and indexes, without numbers.

    `parameters` says which ones it was asked for with: `first`, `middle`, `last`, `common`, or None.
    """

    root: Node
    shape: str
    text: str
    parameters: str | None = None
    analysed: bool = False


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What one side of a trial came to: the median of its rounds."""

    rounds: int = 0
    took_us: int | None = None
    blocks: int | None = None
    rows: int | None = None
    cost: float | None = None


class WriteCost(msgspec.Struct, frozen=True, kw_only=True):
    """What an index costs whoever writes: time and write-ahead log per inserted row."""

    insert_us: float | None = None
    wal_bytes: float | None = None


Decision = Literal["ship", "reject", "inconclusive"]
Confidence = Literal["likely", "confirmed"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be thought of a candidate or a rewrite. `gain` is how many times less it took.

    `confidence` is `confirmed` only where something real was measured on the database that was named for it. `by`
    names the means: `hypopg`, `scratch`, `real`, `rolled back`, `copy`, `plan`. `harmed` are statements that would
    become slower. `reason` is for people, and never empty.
    """

    decision: Decision
    reason: str
    candidate: Candidate | None = None
    rewrite: Rewrite | None = None
    confidence: Confidence | None = None
    by: str | None = None
    before: Plan | None = None
    after: Plan | None = None
    measured_before: Measure | None = None
    measured_after: Measure | None = None
    gain: float | None = None
    size: int | None = None
    write_cost: WriteCost | None = None
    harmed: tuple[str, ...] = ()


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one statement, and what is proposed for it.

    `database` is told without user and password. `plans` are those for the values that it really had, labelled; `trap`
    says in words what is wrong with them, `flipped` that the plan is another one than it was, or differs between
    values. `verdicts` are in the order of what to do: what is to be shipped first, then what is not known, last what
    was rejected. `notes` say what a person should know: what could not be read, kept or tried, and what to do about it.
    """

    fingerprint: str
    text: str
    database: str
    query: Query | None = None
    plans: tuple[Plan, ...] = ()
    trap: str | None = None
    flipped: str | None = None
    proposal: Proposal | None = None
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Verdict | None:
        """What is to be done first: the best verdict that says ship."""
        return next((each for each in self.verdicts if each.decision == "ship"), None)
