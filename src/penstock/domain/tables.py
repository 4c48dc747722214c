"""Tables as a database describes them: columns with their statistics, indexes, and how much is read and written.

Names are as the database has them, unquoted. Shares lie between 0 and 1.
"""

from typing import Literal

import msgspec

Dialect = Literal["postgres", "sqlite"]
"""Whose SQL it is."""

TableKind = Literal["table", "partitioned", "view", "materialized", "foreign"]
"""What can be indexed is a table, a partitioned one or a materialised view."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column and what the database's statistics say of it; None where they say nothing.

    `distinct` counts different values, `common` are the most common ones (as text) with their shares of all rows,
    `bounds` cut the others into parts of equally many rows, from the least to the greatest value. `nulls` is the share
    of NULL, `width` the average size in bytes, `correlation` says (-1 to 1) how far the order of rows in the table
    follows that of the values. `sample` is some value (as text), where statistics name none.
    """

    name: str
    type: str = ""
    nullable: bool = True
    distinct: float | None = None
    common: tuple[tuple[str, float], ...] = ()
    bounds: tuple[str, ...] = ()
    nulls: float | None = None
    width: int | None = None
    correlation: float | None = None
    sample: str | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of an index: a column, or an expression, which then is SQL; and in which direction.

    `nulls_first` is None where it is as usual: first when descending, last otherwise (on SQLite the reverse).
    `opclass` is only named where it is not the type's own (`text_pattern_ops`).
    """

    column: str | None = None
    expression: str | None = None
    descending: bool = False
    nulls_first: bool | None = None
    opclass: str | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An index that exists. `size` is in bytes, `scans` how often it was used since statistics began."""

    name: str
    keys: tuple[Key, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    method: str = "btree"
    unique: bool = False
    primary: bool = False
    valid: bool = True
    size: int | None = None
    scans: int | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table with its columns and indexes. `rows` and `pages` are None where it was never analysed.

    `reads` and `writes` are rows fetched and rows inserted, updated or deleted since the database began to count.
    `partitions` are the tables that a partitioned one consists of, with their schemas; `definition` is the SELECT of a
    view.
    `collation_c`: texts compare by their bytes here, so an ordinary index serves a prefix.
    """

    name: str
    schema: str | None = None
    kind: TableKind = "table"
    rows: float | None = None
    pages: int | None = None
    columns: tuple[Column, ...] = ()
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    reads: int | None = None
    writes: int | None = None
    collation_c: bool = False
    partitions: tuple[str, ...] = ()
    definition: str | None = None

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((each for each in self.columns if each.name == name), None)


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The tables that a statement names, as far as they exist and may be read.

    `missing` says of each other name why there is no table for it.
    """

    dialect: Dialect
    tables: tuple[Table, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()

    def table(self, name: str, schema: str | None = None) -> Table | None:
        """The table of that name; without `schema`, the first. SQLite knows no case."""
        fold = str.lower if self.dialect == "sqlite" else str
        return next((each for each in self.tables if fold(each.name) == fold(name)
                     and schema in (None, each.schema)), None)
