"""A statement that is to be said in other words: its tree, its one table, and placeholders that may be added."""

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from penstock.advise.parsing.lexis import words
from penstock.advise.parsing.placeholders import Placeholders
from penstock.advise.parsing.reading import parsed, written
from penstock.domain.advice import Block, Dialect, Query, Schema, Source, Table

if TYPE_CHECKING:
    from sqlglot import exp

_NEUTRAL = re.compile(r":p(\d+)")


class Text(NamedTuple):
    """A statement in new words, and the parameters that it takes by their old numbers, 0 for a new one."""

    sql: str
    takes: tuple[int, ...]


class Statement:
    """One SELECT over one table, whose key is known. `of` gives None for any other."""

    def __init__(self, query: Query, schema: Schema, source: Source, table: Table) -> None:
        self.query = query
        self.block: Block = query.blocks[0]
        self.source = source
        self.table = table
        self.dialect: Dialect = schema.dialect
        self.key = table.primary_key[0]
        self.tree, self._places = parsed(query.text, schema.dialect)
        self._known = len(self._places.originals)

    @classmethod
    def of(cls, query: Query, schema: Schema) -> "Statement | None":
        from sqlglot import exp

        block = query.blocks[0] if len(query.blocks) == 1 and query.kind == "select" else None
        if block is None or len(block.sources) != 1 or block.derived or block.aggregates or block.group:
            return None
        source = block.sources[0]
        table = schema.table(source.table, source.schema)
        if table is None or len(table.primary_key) != 1 or block.distinct:
            return None
        found = cls(query, schema, source, table)
        from_ = found.tree.args.get("from_")
        # What was taken in for understanding is not what the statement says.
        plain = isinstance(found.tree, exp.Select) and from_ is not None and isinstance(from_.this, exp.Table)
        return found if plain and found.tree.args.get("with_") is None else None

    @property
    def select(self) -> "exp.Select":
        """A copy of its tree to change."""
        from sqlglot import exp

        copy = self.tree.copy()
        assert isinstance(copy, exp.Select)
        return copy

    def column(self, name: str) -> "exp.Column":
        """A column of its table, named as the statement names it."""
        from sqlglot import exp

        from penstock.advise.proposing.naming import quoted

        alias = self.source.alias if self.source.alias != self.table.name else None
        return exp.column(exp.to_identifier(name, quoted=quoted(name) != name),
                          table=exp.to_identifier(alias, quoted=quoted(alias) != alias) if alias else None)

    def new(self, name: str) -> "exp.Expr":
        """A new placeholder, in the way of the statement's own."""
        from sqlglot import exp

        self._places = _more(self._places, name)
        return exp.Placeholder(this=f"p{len(self._places.originals)}")

    def text(self, select: "exp.Expr") -> Text:
        """It in new words."""
        neutral = written(select, structs.replace(
            self._places, originals=tuple(f":p{number + 1}" for number in range(len(self._places.originals))),
            percents=False))
        used = [int(found[1]) for piece in words(neutral, self.dialect)
                if piece.kind == "place" and (found := _NEUTRAL.fullmatch(piece.text))]
        if not used:
            return Text(neutral, ())            # without parameters a driver takes % for what it is
        originals = self._places.originals
        if not self._places.positional:
            used = sorted(set(used), key=lambda number: _numbered(originals[number - 1]) or number)
        takes = tuple(0 if number > self._known else _numbered(originals[number - 1]) or number for number in used)
        places = self._places
        if _numbered(originals[0]):
            # They have no gaps: what is left is counted anew.
            sign = originals[0][0]
            places = structs.replace(places, originals=tuple(
                f"{sign}{used.index(number) + 1}" if number in used else "" for number in range(1, len(originals) + 1)))
        return Text(written(select, places), takes)


def _numbered(original: str) -> int | None:
    return int(original[1:]) if re.fullmatch(r"[$?]\d+", original) else None


def _more(places: Placeholders, name: str) -> Placeholders:
    first = places.originals[0] if places.originals else ""
    dialect = places.dialect
    number = len(places.originals) + 1
    if not first:
        new = "%s" if dialect == "postgres" else "?"
    elif first.startswith("%("):
        new = f"%({name})s"
    elif re.fullmatch(r"[$?]\d+", first):
        new = f"{first[0]}{number}"
    elif first[0] in ":@$":
        new = f"{first[0]}{name}"
    else:
        new = first
    return structs.replace(places, originals=(*places.originals, new), percents=places.percents or new.startswith("%"))
