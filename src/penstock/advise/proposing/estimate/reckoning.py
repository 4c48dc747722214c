"""What a statement costs with one index or another: its tables joined in the best order that a greedy search finds."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from penstock.advise.proposing.estimate.blocks import existing, limit_of, place, wanted_of
from penstock.advise.proposing.estimate.paths import Path, Wanted, by_index, whole
from penstock.advise.proposing.estimate.shares import distinct, rows_of, share
from penstock.domain.advice import Block, Index, Query, Schema, Source, Table

_HASH, _PROBE, _SORT = 0.015, 0.01, 0.005

Extra = tuple[tuple[str, Index], ...]
"""Indexes that are only thought of, by the place of their table."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a block costs, how many rows come out of it, and by which path each source is read."""

    cost: float
    rows: float
    paths: tuple[tuple[str, Path], ...] = ()


class Ways(NamedTuple):
    """How one source may be read where others were read before it, and how many rows it adds to each of theirs."""

    wanted: Wanted
    local: Wanted
    paths: list[Path]
    alone: list[Path]
    fan_out: float
    joined: bool


class Reckoning:
    """One statement and its tables. What does not depend on an index that is only thought of is reckoned once."""

    def __init__(self, query: Query, schema: Schema) -> None:
        self._blocks = query.blocks
        self._indexes = existing(schema)
        self._tables: list[dict[str, Table | None]] = [
            {source.alias: schema.table(source.table, source.schema) for source in block.sources}
            for block in query.blocks]
        self._partners = [{source.alias: frozenset(each.other[0] for each in block.conditions
                                                   if each.alias == source.alias and each.other is not None)
                           for source in block.sources} for block in query.blocks]
        self._ways: dict[tuple[int, str, frozenset[str], bool], Ways] = {}
        self._found: dict[tuple[int, tuple[int, ...]], Cost] = {}

    def cost(self, extra: Extra = ()) -> float:
        """What the statement costs: each block as often as it is done."""
        rows: dict[int, float] = {}
        total = 0.0
        for number, block in enumerate(self._blocks):
            found = self.block(number, extra)
            times = rows.get(block.parent, 1.0) if block.parent is not None else 1.0
            rows[number] = found.rows * times
            total += found.cost * times
        return total

    def block(self, number: int, extra: Extra = ()) -> Cost:
        """What one block costs, done once, by the best of what was considered."""
        block = self._blocks[number]
        places = {place(table) for table in self._tables[number].values() if table is not None}
        own = tuple(each for each in extra if each[0] in places)
        if not own:
            known = self._found.get((number, ()))
            if known is None:
                known = self._found[number, ()] = _Plans(self, number, block, ()).best()
            return known
        return _Plans(self, number, block, own).best()

    def indexes(self, table: Table) -> Sequence[Index]:
        """Those that there are."""
        return self._indexes[place(table)]

    def partners(self, number: int, source: Source) -> frozenset[str]:
        """The sources that a source is joined with."""
        return self._partners[number][source.alias]

    def ways(self, number: int, source: Source, known: frozenset[str], ordered: bool) -> Ways:
        """How a source may be read by what is there."""
        relevant = known & self._partners[number][source.alias]
        key = (number, source.alias, relevant, ordered)
        if (found := self._ways.get(key)) is None:
            found = self._ways[key] = self._looked(number, source, relevant, ordered)
        return found

    def _looked(self, number: int, source: Source, known: frozenset[str], ordered: bool) -> Ways:
        block, tables = self._blocks[number], self._tables[number]
        table = tables[source.alias]
        wanted = wanted_of(block, source, table, known, ordered=ordered)
        local = Wanted(table, tuple(each for each in wanted.conditions if each.other is None), wanted.order,
                       wanted.columns)
        fan_out = rows_of(table) * share(local.conditions, table)
        for each in wanted.conditions:
            if each.other is not None:
                other = tables.get(each.other[0])
                fan_out /= max(distinct(table, each.column), distinct(other, each.other[1]))
        there = self._indexes[place(table)] if table is not None else ()
        return Ways(wanted, local, [whole(wanted), *(path for index in there for path in by_index(wanted, index))],
                    [whole(local), *(path for index in there for path in by_index(local, index))], fan_out,
                    any(each.other is not None for each in wanted.conditions))


class _Plans:
    """The plans of one block with some indexes that are only thought of."""

    def __init__(self, reckoning: Reckoning, number: int, block: Block, extra: Extra) -> None:
        self._reckoning = reckoning
        self._number = number
        self._block = block
        self._extra = extra
        self._steps: dict[tuple[str, frozenset[str]], tuple[Path, Path, float, bool]] = {}

    def best(self) -> Cost:
        plans = []
        for driver in self._block.sources:
            if driver.join in ("left", "anti"):
                continue
            for ordered in (False, True) if self._block.order else (False,):
                if not ordered or all(term.alias == driver.alias for term in self._block.order):
                    plans += self._from(driver, ordered)
        return min(plans, key=lambda plan: plan.cost) if plans else Cost(cost=0.0, rows=1.0)

    def _from(self, driver: Source, ordered: bool) -> list[Cost]:
        """Plans that begin with one source; `ordered`: in the block's order, kept by loops from there on."""
        found = [path for path in self._paths(driver, frozenset(), ordered) if path.ordered or not ordered]
        if len(self._block.sources) > 1 and limit_of(self._block) is None:
            found = [min(found, key=lambda path: path.cost)] if found else []
        rest = self._rest(driver, found[0].rows, ordered) if found else None
        return [self._ended(driver, path, rest, ordered) for path in found] if rest is not None else []

    def _rest(self, driver: Source, rows: float, ordered: bool) -> tuple[float, float, float, list[tuple[str, Path]]]:
        """All others, the one that costs least next: what grows with the rows read, what is due at once, rows out."""
        known = frozenset((driver.alias,))
        used: list[tuple[str, Path]] = []
        flowing, start = 0.0, 0.0
        rest = [source for source in self._block.sources if source.alias != driver.alias]
        while rest:
            steps = [(self._step(source, known, rows, ordered), source) for source in rest]
            (cost, once, out, inner), source = min(steps, key=lambda step: step[0][0] + step[0][1])
            flowing, start, rows = flowing + cost, start + once, max(1.0, out)
            known |= {source.alias}
            used.append((source.alias, inner))
            rest.remove(source)
        return flowing, start, rows, used

    def _ended(self, driver: Source, path: Path, rest: tuple[float, float, float, list[tuple[str, Path]]],
               ordered: bool) -> Cost:
        flowing, start, rows, used = rest
        block, limit = self._block, limit_of(self._block)
        part = min(1.0, limit / rows) if limit is not None and (ordered or not block.order) else 1.0
        total = path.of(part) + start + flowing * part
        if block.order and not ordered:
            kept = min(rows, limit) if limit is not None else rows
            total += rows * math.log2(max(2.0, 2 * kept)) * _SORT
        out = 1.0 if block.aggregates and not block.group else min(rows, limit) if limit is not None else rows
        return Cost(cost=total, rows=max(1.0, out), paths=((driver.alias, path), *used))

    def _step(self, source: Source, known: frozenset[str], rows: float,
              ordered: bool) -> tuple[float, float, float, Path]:
        """The cost of one more source."""
        known &= self._reckoning.partners(self._number, source)
        if (step := self._steps.get((source.alias, known))) is None:
            ways = self._reckoning.ways(self._number, source, known, False)
            alone = min([*ways.alone, *self._by_extra(ways.local)], key=lambda path: path.cost)
            step = self._steps[source.alias, known] = (
                min(self._paths(source, known, False), key=lambda path: path.cost), alone, ways.fan_out, ways.joined)
        looked_up, alone, fan_out, joined = step
        out = rows * (min(1.0, fan_out) if source.join in ("semi", "anti") else
                      max(1.0, fan_out) if source.join == "left" else fan_out)
        by_hash = alone.cost + alone.rows * _HASH
        if not joined:
            return rows * alone.rows * _PROBE, by_hash, out, alone
        by_loop = rows * looked_up.cost
        if not ordered and by_hash + rows * _PROBE < by_loop:
            return rows * _PROBE, by_hash, out, alone
        return by_loop, 0.0, out, looked_up

    def _paths(self, source: Source, known: frozenset[str], ordered: bool) -> list[Path]:
        ways = self._reckoning.ways(self._number, source, known, ordered)
        return [*ways.paths, *self._by_extra(ways.wanted)]

    def _by_extra(self, wanted: Wanted) -> list[Path]:
        where = place(wanted.table) if wanted.table is not None else None
        return [path for there, index in self._extra if there == where for path in by_index(wanted, index)]
