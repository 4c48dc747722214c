"""Indexes that might serve a statement, by the roles that columns play in it.

What is compared for equality comes first, the most selective first; behind it the order, else a range, else a list.
Where an index has just the columns compared for equality, in whichever order, the rest is appended to it. Conditions
on constants may become the predicate of a partial index instead. Nothing is weighed here: see `weigh`.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import msgspec

from penstock.advise.proposing.estimate.blocks import limit_of
from penstock.advise.proposing.estimate.shares import share, share_of
from penstock.domain.advice import Block, Condition, Index, Key, Ordering, Source, Table

_PARTIAL_SHARE = 0.25
_INCLUDE_BYTES, _INCLUDE_COLUMNS = 32, 3
_KEYS = 5
_JOINS = 2


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """An index to be, on one table; `roles` say what each key is for, in the order of the keys."""

    table: Table
    keys: tuple[Key, ...]
    roles: tuple[str, ...]
    include: tuple[str, ...] = ()
    predicate: tuple[Condition, ...] = ()
    appends: Index | None = None

    @property
    def predicate_sql(self) -> str | None:
        return " AND ".join(each.text for each in self.predicate) or None

    def index(self) -> Index:
        """As if it existed."""
        return Index(name="", keys=self.keys, include=self.include, predicate=self.predicate_sql)


def shapes(block: Block, source: Source, table: Table) -> list[Shape]:
    """Every index worth weighing for one source of a block."""
    found: dict[tuple[object, ...], Shape] = {}
    for shape in _shapes(block, source, table):
        if 0 < len(shape.keys) <= _KEYS:
            found.setdefault((shape.keys, shape.predicate_sql), shape)
    return list(found.values())


def _shapes(block: Block, source: Source, table: Table) -> Iterator[Shape]:
    own = [each for each in block.conditions if each.alias == source.alias]
    local = [each for each in own if each.kind in ("equal", "null") and each.other is None]
    joins = [each for each in own if each.kind == "equal" and each.other is not None]
    lists = [each for each in own if each.kind == "in"]
    # A prefix of a text needs an operator class of its own, where texts do not compare by their bytes.
    ranges = [each for each in own if each.kind in ("range", "prefix", "not_null") and each.column is not None]
    order = _order(block, source)
    for partial in _predicates(local, ranges, table):
        equal = _by_share([each for each in local if each not in partial], table)
        others = [each for each in ranges if each not in partial]
        for joined in [(), *combinations(joins, 1), *combinations(joins, _JOINS)]:
            base = _distinct_keys([*equal, *joined], table)
            for tail in _tails(order, lists, others, table):
                yield from _assembled(table, base, tail, partial)


def _tails(order: Sequence[Ordering], lists: Sequence[Condition], ranges: Sequence[Condition],
           table: Table) -> Iterator[list[tuple[Key, str]]]:
    """What may stand behind the columns compared for equality."""
    by_order = [(key, f"{key.column or key.expression} gives the order") for key in _ordered_keys(order)]
    in_lists = [(_key(each, table), f"{_called(each)} is one of a list") for each in _by_share(lists, table)]
    yield []
    if by_order:
        yield by_order
        yield [*by_order, *in_lists]
    if in_lists:
        yield in_lists
    for each in ranges:
        within = (_key(each, table), f"{_called(each)} lies in a range" if each.kind != "prefix" else
                  f"{_called(each)} begins with a known text")
        yield [within]
        if in_lists:
            yield [*in_lists, within]


def _assembled(table: Table, base: list[tuple[Key, str]], tail: list[tuple[Key, str]],
               partial: tuple[Condition, ...]) -> Iterator[Shape]:
    held = {key.column for key, _ in base if key.column}
    rest: list[tuple[Key, str]] = []
    for key, role in tail:
        if key.column is None or key.column not in held:
            rest.append((key, role))
            held |= {key.column} if key.column else set()
    if appended := _appended(table, base, rest, partial):
        yield appended
    keys = [*base, *rest]
    if keys:
        yield Shape(table=table, keys=tuple(key for key, _ in keys), roles=tuple(role for _, role in keys),
                    predicate=partial)


def _appended(table: Table, base: list[tuple[Key, str]], rest: list[tuple[Key, str]],
              partial: tuple[Condition, ...]) -> Shape | None:
    """The rest behind an index that has just the columns compared for equality."""
    roles = {key.column: role for key, role in base}
    for index in table.indexes:
        columns = [key.column for key in index.keys]
        if rest and base and None not in roles and len(columns) == len(roles) and set(columns) == set(roles) and not (
                partial or index.predicate or index.include) and index.method == "btree" and index.valid:
            return Shape(table=table, keys=(*index.keys, *(key for key, _ in rest)), appends=index,
                         roles=(*(roles[name] for name in columns), *(role for _, role in rest)))
    return None


def including(shape: Shape, block: Block, source: Source) -> Shape | None:
    """The same with the rest of what the statement needs, where that is narrow: then the table need not be visited."""
    if source.alias in block.star or any(key.column is None for key in shape.keys):
        return None
    held = {key.column for key in shape.keys}
    inner = {each.column for each in shape.predicate}
    rest = [column for alias, column in block.projected if alias == source.alias and column not in held | inner]
    known = [shape.table.column(name) for name in rest]
    widths = [column.width if column else None for column in known]
    if rest and len(rest) <= _INCLUDE_COLUMNS and all(widths) and sum(each or 0 for each in widths) <= _INCLUDE_BYTES:
        return msgspec.structs.replace(shape, include=tuple(rest))
    return None


def _predicates(local: Sequence[Condition], ranges: Sequence[Condition],
                table: Table) -> Iterator[tuple[Condition, ...]]:
    """What may be the predicate of a partial index: nothing, or conditions on constants that few rows meet."""
    yield ()
    constants = [each for each in (*local, *ranges) if each.parameter is None and not each.correlated and (
        each.kind in ("null", "not_null") or (each.kind == "equal" and each.constant is not None))]
    if constants and share(constants, table) <= _PARTIAL_SHARE:
        yield tuple(constants)
    for each in constants if len(constants) > 1 else ():
        if share_of(each, table) <= _PARTIAL_SHARE:
            yield (each,)


def _order(block: Block, source: Source) -> Sequence[Ordering]:
    if block.order and all(term.alias == source.alias for term in block.order):
        return block.order if limit_of(block) is not None else ()
    return ()


def _by_share(conditions: Sequence[Condition], table: Table) -> list[Condition]:
    """The most selective first; of equals, as the table has them."""
    names = [column.name for column in table.columns]
    return sorted(conditions, key=lambda each: (round(share_of(each, table), 9), names.index(each.column)
                                                if each.column in names else len(names)))


def _distinct_keys(conditions: Sequence[Condition], table: Table) -> list[tuple[Key, str]]:
    found: dict[str, tuple[Key, str]] = {}
    for each in conditions:
        role = (f"{_called(each)} " + (f"joins {each.other[0]}" if each.other else "is to be NULL" if
                each.kind == "null" else "is compared for equality"))
        found.setdefault(_called(each), (_key(each, table), role))
    return list(found.values())


def _key(condition: Condition, table: Table) -> Key:
    text = condition.kind == "prefix" and not table.collation_c
    return Key(column=condition.column, expression=condition.expression, opclass="text_pattern_ops" if text else None)


def _ordered_keys(order: Sequence[Ordering]) -> list[Key]:
    """Keys in that order; upwards where all of it goes down, since an index is read backwards as well."""
    down = all(term.descending and term.nulls_first is None for term in order)
    return [Key(column=term.column, expression=term.expression, descending=term.descending and not down,
                nulls_first=term.nulls_first) for term in order]


def _called(condition: Condition) -> str:
    return condition.column or condition.expression or "?"
