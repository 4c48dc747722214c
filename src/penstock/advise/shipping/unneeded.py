"""Indexes that only cost: those that nobody reads, those that another one makes superfluous, and invalid ones."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from penstock.domain.advice import Index, Schema, Table

Fault = Literal["unused", "redundant", "invalid"]

_ENOUGH_READS = 1000
"""Of a table: with fewer, that nobody used an index says nothing."""


class Unneeded(msgspec.Struct, frozen=True, kw_only=True):
    """An index to look at; `says` is for people. Nothing is dropped, and none is proposed to be dropped unseen."""

    fault: Fault
    table: str
    index: str
    size: int | None
    says: str


def unneeded(schema: Schema) -> list[Unneeded]:
    """Of the tables at hand, the largest index first."""
    found = [each for table in schema.tables for each in _of(table)]
    return sorted(found, key=lambda each: -(each.size or 0))


def _of(table: Table) -> Iterator[Unneeded]:
    for index in table.indexes:
        name = f"{index.name} on {table.name}"
        if not index.valid:
            yield Unneeded(fault="invalid", table=table.name, index=index.name, size=index.size, says=(
                f"{name} is invalid: a build was cut off, and what is left is written to and never read. Drop it, or"
                " build it again"))
            continue
        if index.primary or index.unique:
            continue
        other = next((each for each in table.indexes if each is not index and _covers(each, index, table)), None)
        if other is not None:
            yield Unneeded(fault="redundant", table=table.name, index=index.name, size=index.size, says=(
                f"{name} is redundant: {other.name} begins with the same columns, and serves whatever it serves"))
        elif index.scans == 0 and (table.reads or 0) >= _ENOUGH_READS:
            yield Unneeded(fault="unused", table=table.name, index=index.name, size=index.size, says=(
                f"{name} was never used here since statistics began. Replicas count for themselves: look there before"
                " it is dropped"))


def _covers(other: Index, index: Index, table: Table) -> bool:
    """Whether whatever the index serves, the other one serves as well."""
    alike = (other.valid and other.method == index.method == "btree" and other.predicate == index.predicate
             and other.keys[:len(index.keys)] == index.keys
             and {*index.include} <= {*other.include, *(key.column for key in other.keys)})
    if not alike:
        return False
    if len(other.keys) > len(index.keys) or other.unique or {*other.include} > {*index.include}:
        return True
    # Of two that are equal, one is superfluous: the one with the later name.
    return other.name < index.name
