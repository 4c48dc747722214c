"""A statement with the values of one execution, whatever the placeholders of its driver.

Values stay values: none is ever written into the text.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.advise.parsing.lexis import Unfinished, words
from penstock.advise.parsing.placeholders import taken
from penstock.domain.advice import Dialect


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A statement's text with `:p1` … and the values of them, in order."""

    text: str
    values: tuple[Any, ...] = ()
    dialect: Dialect = "postgres"

    @property
    def numbered(self) -> str:
        """The text with `$1` …"""
        return "".join(f"${piece.text[2:]}" if piece.kind == "place" else piece.text
                       for piece in words(self.text, self.dialect))

    @property
    def named(self) -> dict[str, Any]:
        """The values by the names that the text has for them."""
        return {f"p{number}": value for number, value in enumerate(self.values, 1)}


class Mismatch(ValueError):
    """The values do not fit the placeholders."""


def bind(text: str, values: Sequence[Any] | Mapping[str, Any] | None, dialect: Dialect) -> Bound:
    """The statement in the one form. Raises `Mismatch` where a placeholder has no value, or the text does not end."""
    try:
        neutral, places = taken(text, dialect)
    except Unfinished as error:
        raise Mismatch(f"it cannot be read: {error}") from None
    found: list[Any] = []
    names: dict[int, str] = {}
    for number in range(1, len(places.originals) + 1):
        try:
            value = places.value(number, values)
        except (LookupError, TypeError):
            raise Mismatch(f"expected a value for the placeholder {places.originals[number - 1]}, got"
                           f" {len(values or ())} values") from None
        several = value if isinstance(value, list | tuple) and _listed(neutral, number, dialect) else [value]
        first = len(found) + 1
        found += several
        marks = ", ".join(f":p{n}" for n in range(first, first + len(several)))
        names[number] = marks if several is not value else f"({marks})"
    text = "".join(names[int(piece.text[2:])] if piece.kind == "place" else piece.text
                   for piece in words(neutral, dialect))
    return Bound(text=text, values=tuple(found), dialect=dialect)


def _listed(text: str, number: int, dialect: Dialect) -> bool:
    """Whether a list of values is written in this place, as psycopg2 does with a tuple: `in %s`."""
    told = [piece for piece in words(text, dialect) if piece.kind not in ("space", "comment")]
    return any(piece.text == f":p{number}" and before.text.lower() == "in"
               for before, piece in itertools.pairwise(told))
