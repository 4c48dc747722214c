"""What a block asks of its tables, and which indexes they have."""

import msgspec

from penstock.advise.proposing.estimate.paths import Wanted
from penstock.domain.advice import Block, Index, Key, Schema, Source, Table

_LIMIT_UNKNOWN, _OFFSET_UNKNOWN = 100, 10_000


def place(table: Table) -> str:
    """Under which name its indexes are."""
    return f"{table.schema or ''}.{table.name}"


PRIMARY_KEY = "(primary key)"
"""What the order of a SQLite table's rows is called, which is an index of all of it by its key, and has no name."""


def existing(schema: Schema) -> dict[str, tuple[Index, ...]]:
    """The indexes that there are; on SQLite with the key of rows, which stands behind every entry."""
    if schema.dialect != "sqlite":
        return {place(table): table.indexes for table in schema.tables}
    return {place(table): _with_rowid(table) for table in schema.tables}


def _with_rowid(table: Table) -> tuple[Index, ...]:
    key = table.primary_key[0] if len(table.primary_key) == 1 else ""
    column = table.column(key)
    if column is None or column.type.upper() != "INTEGER":
        return table.indexes
    last = Key(column=key)
    own = Index(name=PRIMARY_KEY, keys=(last,), include=tuple(each.name for each in table.columns), unique=True,
                primary=True)
    return (own, *(index if last in index.keys else msgspec.structs.replace(index, keys=(*index.keys, last))
                   for index in table.indexes))


def wanted_of(block: Block, source: Source, table: Table | None, known: frozenset[str], *, ordered: bool) -> Wanted:
    """What a block wants from one of its sources where the sources `known` were read before it."""
    conditions = tuple(each for each in block.conditions if each.alias == source.alias and (
        each.other is None or each.other[0] in known))
    columns = None if source.alias in block.star or (table is None) else frozenset(
        column for alias, column in block.projected if alias == source.alias)
    return Wanted(table, conditions, block.order if ordered else (), columns)


def limit_of(block: Block) -> float | None:
    """How many rows are read before LIMIT is reached, OFFSET among them; None where all are."""
    if block.limit is None or block.aggregates or block.group or block.distinct:
        return None
    limit = block.limit if isinstance(block.limit, int) else _LIMIT_UNKNOWN
    offset = block.offset if isinstance(block.offset, int) else _OFFSET_UNKNOWN if block.offset else 0
    return float(limit + offset)
