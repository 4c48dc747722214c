"""The values that a statement is explained with: those it really had, and the most common ones of its columns.

Where values were not kept, the statistics stand in for them: what is asked about then is the most common value of the
column that the parameter is compared with.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from penstock.advise.parsing.lexis import Unfinished
from penstock.advise.parsing.placeholders import Placeholders, taken
from penstock.domain.advice import Column, Query, Schema
from penstock.domain.parameters import CannotReproduce, Kept, value
from penstock.domain.traces import Sample, StatementSeen

_COMPARED = ("equal", "in", "range", "prefix")


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """One set of values. `label` is `first`, `middle`, `last`, `slowest` or `common`; `assumed` names what was not
    kept, and what was taken in its place."""

    label: str
    values: list[Any] | dict[str, Any] | None
    assumed: tuple[str, ...] = ()


class Columns:
    """Which column each parameter is compared with. A parameter is known by its name, or by its place from 0."""

    def __init__(self, query: Query, schema: Schema) -> None:
        self._query = query
        self._schema = schema
        try:
            self._places = taken(query.text, query.dialect)[1]
        except Unfinished:
            self._places = Placeholders(dialect=query.dialect)

    def names(self) -> list[Any]:
        """All parameters of the statement, each once."""
        return list(dict.fromkeys(self._name(number) for number in range(1, len(self._places.originals) + 1)))

    def most_common(self, name: Any, kinds: Sequence[str] = _COMPARED) -> str | None:
        """The most common value of the column that the parameter is compared with."""
        return next((column.common[0][0] for _, column in self._compared(name, kinds) if column.common), None)

    def stand_in(self, name: Any) -> tuple[str, str] | None:
        """A value for a parameter that was not kept, and in words where it is from."""
        for where, column in self._compared(name, _COMPARED):
            if column.common:
                return column.common[0][0], f"{where} was not kept: its most common value stands in"
            if column.bounds:
                middle = column.bounds[len(column.bounds) // 2]
                return middle, f"{where} was not kept: one from the middle of its values stands in"
            if column.sample is not None:
                return column.sample, f"{where} was not kept: that of a row from the middle of the table stands in"
        return None

    def _compared(self, name: Any, kinds: Sequence[str]) -> Iterator[tuple[str, Column]]:
        """The columns that a parameter is compared with, as far as they are described."""
        for number, table, column in self._comparisons(kinds):
            found = self._schema.table(table) if self._name(number) == name else None
            described = found.column(column) if found else None
            if described:
                yield f"{table}.{column}", described

    def _name(self, number: int) -> Any:
        original = self._places.originals[number - 1]
        if original[:1] in "$?" and original[1:].isdigit():
            return int(original[1:]) - 1
        name = original.removesuffix("s").strip("%():@$?")
        return name if name and original not in ("%s", "%b", "%t") else number - 1

    def _comparisons(self, kinds: Sequence[str]) -> Iterator[tuple[int, str, str]]:
        for block in self._query.blocks:
            tables = {source.alias: source.table for source in block.sources}
            for condition in block.conditions:
                if condition.parameter and condition.column and condition.kind in kinds and condition.alias in tables:
                    yield condition.parameter, tables[condition.alias], condition.column


def value_sets(statement: StatementSeen, query: Query, schema: Schema) -> list[Values]:
    """The sets to explain a statement with, the first execution's first.

    Raises `CannotReproduce` where a parameter was not kept and no statistics can stand in.
    """
    columns = Columns(query, schema)
    found: list[Values] = []
    for label, sample in _labelled(statement.samples):
        try:
            found.append(_reproduced(label, sample, columns))
        except CannotReproduce as error:
            missing = error
    if statement.samples and not found:
        raise missing
    if not statement.samples:
        found = [_from_statistics(columns)]
    elif common := _common(found[0], columns):
        found.append(common)
    return found


def _labelled(samples: Sequence[Sample]) -> Iterator[tuple[str, Sample]]:
    if not samples:
        return
    ordered = sorted(samples, key=lambda sample: sample.call)
    slowest = max(ordered, key=lambda sample: sample.took_us)
    chosen = {"first": ordered[0], "middle": ordered[len(ordered) // 2], "last": ordered[-1], "slowest": slowest}
    told: set[int] = set()
    for label, sample in chosen.items():
        if id(sample) not in told:
            told.add(id(sample))
            yield label, sample


def _reproduced(label: str, sample: Sample, columns: Columns) -> Values:
    kept, assumed = sample.parameters, []
    if kept is None:
        return Values(label=label, values=None)
    names: list[Any] = list(kept) if isinstance(kept, dict) else list(range(len(kept)))
    found: Any = dict.fromkeys(names) if isinstance(kept, dict) else [None] * len(kept)
    for name in names:
        each: Kept = kept[name]
        try:
            found[name] = value(each)
        except CannotReproduce as error:
            found[name], said = columns.stand_in(name) or _raise(error)
            assumed.append(said)
            if each.kind == "list":
                found[name] = [found[name]]
    return Values(label=label, values=found, assumed=tuple(assumed))


def _raise(error: CannotReproduce) -> Any:
    raise CannotReproduce(f"{error}, and no statistics of its column can stand in; allow it to be kept"
                          " (parameters=\"all\")") from None


def _common(first: Values, columns: Columns) -> Values | None:
    """The first values, with the most common one for each parameter that a column is to equal."""
    if first.values is None:
        return None
    values: Any = dict(first.values) if isinstance(first.values, dict) else list(first.values)
    changed = False
    for name in values if isinstance(values, dict) else range(len(values)):
        found = columns.most_common(name, ("equal",))
        if found is not None and str(values[name]) != found:
            values[name], changed = found, True
    return Values(label="common", values=values) if changed else None


def _from_statistics(columns: Columns) -> Values:
    """Values for a statement of which no sample was kept."""
    found: dict[Any, Any] = {}
    assumed = []
    for name in columns.names():
        chosen = columns.stand_in(name)
        if chosen is None:
            raise CannotReproduce("no execution was kept, and no statistics of a column can stand in for the parameter"
                                  f" {name if isinstance(name, str) else name + 1}")
        found[name], said = chosen
        assumed.append(said)
    by_name = any(isinstance(name, str) for name in found)
    values = found if by_name else [found[name] for name in sorted(found)]
    return Values(label="common", values=values, assumed=tuple(dict.fromkeys(assumed)))
