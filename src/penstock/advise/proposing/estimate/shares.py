"""Which share of a table's rows a condition lets through."""

from collections.abc import Iterable

from penstock.domain.advice import Column, Condition, Table

ROWS_UNKNOWN = 1_000_000.0
"""How many rows a table is taken to have that was never analysed."""

# What planners assume where nothing is known.
_EQUAL, _RANGE, _BOUNDED, _PREFIX, _OTHER, _LISTED = 0.005, 1 / 3, 0.005, 0.005, 1 / 3, 10
_LEAST = 1e-9


def rows_of(table: Table | None) -> float:
    """How many rows it has."""
    return ROWS_UNKNOWN if table is None or table.rows is None else max(1.0, table.rows)


def pages_of(table: Table | None) -> float:
    """How many pages it has; reckoned from the columns' widths where nobody knows."""
    if table is not None and table.pages:
        return float(table.pages)
    width = sum(column.width or 16 for column in table.columns) if table else 100
    return max(1.0, rows_of(table) * (width + 28) / 8192)


def distinct(table: Table | None, name: str | None) -> float:
    """How many different values a column has; as of a default where nothing is known."""
    rows = rows_of(table)
    if table and name and (table.primary_key == (name,) or any(
            index.unique and index.predicate is None and [key.column for key in index.keys] == [name]
            for index in table.indexes)):
        return rows
    column = table.column(name) if table and name else None
    known = column.distinct if column else None
    return max(1.0, min(rows, known)) if known else min(rows, 1 / _EQUAL)


def share(conditions: Iterable[Condition], table: Table | None) -> float:
    """The share of rows that all of these conditions let through; those on one column's ranges count together."""
    result = 1.0
    ranges: dict[str, list[Condition]] = {}
    for each in dict.fromkeys(conditions):
        if each.kind == "range" and each.column:
            ranges.setdefault(each.column, []).append(each)
        else:
            result *= share_of(each, table)
    for column, found in ranges.items():
        result *= _between(found, table.column(column) if table else None)
    return max(result, _LEAST)


def share_of(condition: Condition, table: Table | None) -> float:
    """The share of rows that one condition lets through."""
    column = table.column(condition.column) if table and condition.column else None
    match condition.kind:
        case "equal":
            return _equal(condition, table, column)
        case "in":
            return min(1.0, _one(table, condition) * (condition.values or _LISTED))
        case "null":
            return _EQUAL if column is None or column.nulls is None else max(column.nulls, _LEAST)
        case "not_null":
            return 1 - _EQUAL if column is None or column.nulls is None else max(1 - column.nulls, _LEAST)
        case "range":
            return _between([condition], column)
        case "prefix":
            return _prefix(condition, column)
        case _:
            return _OTHER


def _equal(condition: Condition, table: Table | None, column: Column | None) -> float:
    if column and condition.constant is not None and condition.other is None:
        for value, frequency in column.common:
            if _same(value, condition.constant):
                return frequency
        if column.common and column.distinct:
            rest = max(0.0, 1 - sum(frequency for _, frequency in column.common) - (column.nulls or 0.0))
            others = column.distinct - len(column.common)
            return max(rest / others if others >= 1 else 0.0, 1 / rows_of(table))
    return _one(table, condition)


def _one(table: Table | None, condition: Condition) -> float:
    name = condition.column or condition.base
    column = table.column(name) if table and name else None
    if name is None:
        return _EQUAL
    return (1 - ((column.nulls if column else None) or 0.0)) / distinct(table, name)


def _between(conditions: list[Condition], column: Column | None) -> float:
    low, high = 0.0, 1.0
    known = False
    for each in conditions:
        if (place := _place(each, column)) is not None:
            known = True
            low, high = (max(low, place), high) if each.above else (low, min(high, place))
    unknown = [each for each in conditions if _place(each, column) is None]
    ends = {each.above for each in conditions}
    if not known:
        return _BOUNDED if len(ends) > 1 else _RANGE
    width = max(high - low, 1 / (10 * max(1, len(column.bounds) if column else 1)))
    return width * (_RANGE if unknown else 1.0)


def _place(condition: Condition, column: Column | None) -> float | None:
    """How far into the column's values a bound lies, from 0 to 1."""
    if column is None or len(column.bounds) < 2:
        return None
    if condition.ago is not None:
        # The latest time that was seen stands for now, which is right for what is appended to.
        from datetime import datetime, timedelta

        try:
            value = (datetime.fromisoformat(column.bounds[-1]) - timedelta(seconds=condition.ago)).isoformat(sep=" ")
        except ValueError:
            return None
    elif condition.constant is not None:
        value = condition.constant
    else:
        return None
    below = [bound for bound in column.bounds if _less(bound, value)]
    return len(below) / len(column.bounds)


def _prefix(condition: Condition, column: Column | None) -> float:
    if column is None or len(column.bounds) < 2 or condition.constant is None:
        return _PREFIX
    fits = sum(bound.startswith(condition.constant) for bound in column.bounds)
    common = sum(frequency for value, frequency in column.common if value.startswith(condition.constant))
    return min(1.0, common + max(fits, 0.5) / len(column.bounds))


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _less(one: str, other: str) -> bool:
    try:
        return float(one) < float(other)
    except ValueError:
        return one < other
