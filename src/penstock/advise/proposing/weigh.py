"""Which of the indexes that might serve a statement are worth a trial, in which order, and why the others are not."""

from collections.abc import Iterator, Sequence

import msgspec

from penstock.advise.proposing.candidates import Shape, including, shapes
from penstock.advise.proposing.estimate.blocks import PRIMARY_KEY, limit_of, place
from penstock.advise.proposing.estimate.paths import by_index, serves_order, size_of
from penstock.advise.proposing.estimate.reckoning import Extra, Reckoning
from penstock.advise.proposing.estimate.shares import pages_of, rows_of
from penstock.domain.advice import Block, Index, Query, Schema, Source, Table

LEAST_GAIN = 2.0
"""How many times less a statement has to cost for an index to be worth its keep."""
LEAST_SAVED = 150.0
"""And how much less, in the planner's units: about a millisecond."""
_NEARLY, _NEARLY_SAVED = 1.15, 5.0
_MOST_WEIGHED = 24


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """An index to be, and what the statement would cost with it; `size` is what it adds, in bytes.

    `ordered`: it gives the order of what is cut off by LIMIT, if the statement has one, so that its cost does not grow
    with the rows that meet the conditions. `beside` are the tables of others without which it is not worth its keep.
    """

    shape: Shape
    cost: float
    size: float
    block: Block
    source: Source
    ordered: bool = True
    beside: tuple[str, ...] = ()


def weighed(query: Query, schema: Schema, reckoning: Reckoning, extra: Extra = ()) -> list[Weighed]:
    """Every index that might serve the statement beside those that are only thought of, the best first."""
    found = []
    before = reckoning.cost(extra)
    for number, block in enumerate(query.blocks):
        for source in block.sources:
            table = schema.table(source.table, source.schema)
            if table is None or table.kind not in ("table", "partitioned", "materialized"):
                continue
            for shape in _promising(shapes(block, source, table), number, block, source, reckoning):
                each = _weighed(shape, reckoning, extra, block, source)
                wider = including(shape, block, source)
                if each is not None:
                    found.append(each)
                # Whether the table need not be visited depends on VACUUM: that alone is no reason for an index.
                if each is None or wider is None or not enough(before, each.cost):
                    continue
                more = _weighed(wider, reckoning, extra, block, source)
                if more is not None and enough(each.cost, more.cost):
                    found.append(more)
    return ranked(found)


def _promising(found: Sequence[Shape], number: int, block: Block, source: Source,
               reckoning: Reckoning) -> list[Shape]:
    """Those that read the one table cheaper than what is there: alone, in order, or from one of its partners on.

    A statement over a dozen tables has hundreds of shapes, and each would be reckoned through all of its joins. Over
    one table all are reckoned: what promises nothing by statistics may still be the way out of a trap.
    """
    partners = reckoning.partners(number, source)
    settings = [(frozenset[str](), False), *((frozenset((alias,)), False) for alias in partners), (partners, False)]
    if block.order and all(term.alias == source.alias for term in block.order):
        settings.append((frozenset(), True))
    limit = limit_of(block)
    gains = []
    for shape in found:
        index, gain = shape.index(), 0.0
        for known, ordered in dict.fromkeys(settings):
            ways = reckoning.ways(number, source, known, ordered)
            part = min(1.0, limit / ways.wanted.out) if limit is not None and ordered else 1.0
            new = [path.of(part) for path in by_index(ways.wanted, index) if path.ordered or not ordered]
            old = [path.of(part) for path in ways.paths if path.ordered] if ordered else []
            least = min([*old, *(path.cost for path in ways.paths)])
            gain = max([gain, *(least / max(cost, 1e-9) for cost in new)])
        gains.append((gain, shape))
    gains.sort(key=lambda each: -each[0])
    return [shape for gain, shape in gains[:_MOST_WEIGHED] if gain > 1.0 or len(block.sources) == 1]


def _weighed(shape: Shape, reckoning: Reckoning, extra: Extra, block: Block, source: Source) -> Weighed | None:
    index, where = shape.index(), place(shape.table)
    there = [*reckoning.indexes(shape.table), *(other for at, other in extra if at == where)]
    if any(same(index, other) for other in there):
        return None
    cost = reckoning.cost((*extra, (where, index)))
    return Weighed(shape=shape, cost=cost, block=block, source=source, size=added(shape, block),
                   ordered=_ordered(shape, block, source))


def _ordered(shape: Shape, block: Block, source: Source) -> bool:
    if limit_of(block) is None or not block.order or any(term.alias != source.alias for term in block.order):
        return True
    fixed = frozenset(each.column for each in block.conditions if each.alias == source.alias and each.column
                      and each.kind in ("equal", "null") and each.other is None)
    return serves_order(shape.keys, block.order, fixed)


def ranked(found: Sequence[Weighed]) -> list[Weighed]:
    """The cheapest first; of those that cost nearly the same, one that gives the order, then what adds least."""
    rest = sorted(found, key=lambda each: each.cost)
    result = []
    while rest:
        limit = rest[0].cost * _NEARLY + _NEARLY_SAVED
        nearly = [each for each in rest if each.cost <= limit]
        best = min(nearly, key=lambda each: (not each.ordered, each.size, len(each.shape.keys), each.cost))
        result.append(best)
        rest.remove(best)
    return result


def added(shape: Shape, block: Block) -> float:
    """How many bytes it adds, less those of the indexes that it makes superfluous."""
    own = size_of(shape.index(), shape.table, block.conditions)
    return own - sum(size_of(index, shape.table) for index in superfluous(shape))


def superfluous(shape: Shape) -> Iterator[Index]:
    """The indexes that do nothing which this one would not do as well."""
    for index in shape.table.indexes:
        if (not index.unique and not index.primary and not index.include and index.method == "btree"
                and index.predicate == shape.predicate_sql and index.keys == shape.keys[:len(index.keys)]):
            yield index


def same(one: Index, other: Index) -> bool:
    """Whether two indexes serve the same, whatever they are called."""
    return (one.keys == other.keys and one.predicate == other.predicate and set(one.include) <= set(other.include)
            and other.method == "btree" and other.valid)


def enough(before: float, after: float) -> bool:
    """Whether what is gained is worth an index."""
    return before >= after * LEAST_GAIN and before - after >= LEAST_SAVED


def why_not(reckoning: Reckoning, number: int, block: Block, source: Source, table: Table,
            best: Weighed | None) -> str:
    """Why no index is proposed for one source of a statement, in words."""
    rows, pages = rows_of(table), pages_of(table)
    own = [each for each in block.conditions if each.alias == source.alias]
    usable = [each for each in own if each.kind != "other"]
    others = [each for each in own if each.kind == "other"]
    path = dict(reckoning.block(number).paths).get(source.alias)
    if path is not None and path.index is not None and path.index.name and (best is None or not enough(
            reckoning.cost(), best.cost)) and (path.bound or path.ordered):
        by = "its primary key" if path.index.name == PRIMARY_KEY else f"the index {path.index.name}"
        return f"it is already served by {by}"
    if pages <= 50:
        return f"the table is too small for an index to matter: about {rows:,.0f} rows on {pages:,.0f} pages"
    if not usable and others:
        return "no condition on it can be served by an ordered index: " + "; ".join(
            f"{each.text}: {each.reason}" for each in others)
    if not usable:
        reads = "all of its rows are asked for" if not block.aggregates else "all of its rows are counted or summed up"
        return f"{reads}, and no index saves reading them"
    part = (path.rows if path else rows) / rows
    if part > 0.02:
        return (f"about {part:.0%} of its rows are asked for: to fetch so many one by one by an index takes as long as"
                " to read the table")
    gain = reckoning.cost() / max(best.cost, 1e-9) if best else 1.0
    if others and gain < LEAST_GAIN:
        return (f"an index would make it {gain:.1f} times as fast at best, since " + "; ".join(
            f"{each.text} is served by none ({each.reason})" for each in others))
    return (f"an index would make it {gain:.1f} times as fast at best, and less than {LEAST_GAIN:g} times is not worth"
            " what every write pays for it")
