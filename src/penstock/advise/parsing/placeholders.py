"""Placeholders of drivers (`%s`, `%(name)s`, `$1`, `?`, `:name`), taken out of a statement and put back again.

A parser and a server's EXPLAIN want others than the driver did. In between, each is `:p1`, `:p2` … in the order of
places; one that is used twice by name or number keeps its number. Where a driver's `%` is the placeholders' sign, a
plain one is written `%%`: that is undone and done again.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.advise.parsing.lexis import Word, words
from penstock.domain.advice import Dialect

_NEUTRAL = re.compile(r":p\d+")
_NUMBERED = re.compile(r"[$?]\d+")


class Placeholders(msgspec.Struct, frozen=True, kw_only=True):
    """The placeholders of one statement: `originals[n - 1]` is what `:pn` stands for.

    `percents`: the statement's `%%` were made `%`.
    """

    originals: tuple[str, ...] = ()
    percents: bool = False
    dialect: Dialect = "postgres"

    @property
    def positional(self) -> bool:
        """Whether each takes the next value, so that neither their order nor their number may change."""
        return any(each in ("?", "%s", "%b", "%t") for each in self.originals)

    def value(self, number: int, parameters: Any) -> Any:
        """The value of `:pnumber` among parameters as the driver took them; raises LookupError where there is none."""
        original = self.originals[number - 1]
        if isinstance(parameters, Mapping):
            return parameters[original.removesuffix("s").strip("%():@$")]
        if not isinstance(parameters, Sequence):
            raise LookupError(f"no value for {original}")
        if _NUMBERED.fullmatch(original):
            return parameters[int(original[1:]) - 1]
        return parameters[number - 1]

    def back(self, text: str) -> str:
        """A statement with `:p1` … again as the driver takes it."""
        return "".join(self._back(piece) for piece in words(text, self.dialect))

    def keeps(self, text: str) -> bool:
        """Whether a statement with `:p1` … takes just the parameters that the one they came from took."""
        used = [int(piece.text[2:]) for piece in words(text, self.dialect) if piece.kind == "place"]
        return used == list(range(1, len(self.originals) + 1)) or (
            not self.positional and set(used) == set(range(1, len(self.originals) + 1)))

    def _back(self, piece: Word) -> str:
        if piece.kind == "place" and _NEUTRAL.fullmatch(piece.text):
            return self.originals[int(piece.text[2:]) - 1]
        return piece.text.replace("%", "%%") if self.percents else piece.text


def taken(text: str, dialect: Dialect) -> tuple[str, Placeholders]:
    """The statement with `:p1` … and what they stand for. Raises `Unfinished`."""
    pieces = words(text, dialect)
    percents = any(_percent(piece) for piece in pieces)
    originals: list[str] = []
    neutral: list[str] = []
    half = False
    for piece in pieces:
        half = percents and piece.text == "%" and not half
        if piece.kind == "place":
            neutral.append(f":p{_number(piece.text, originals)}")
        elif not half:
            neutral.append(piece.text.replace("%%", "%") if percents else piece.text)
    return "".join(neutral), Placeholders(originals=tuple(originals), percents=percents, dialect=dialect)


def _number(original: str, originals: list[str]) -> int:
    if original not in ("?", "%s", "%b", "%t") and original in originals:
        return originals.index(original) + 1
    originals.append(original)
    return len(originals)


def _percent(piece: Word) -> bool:
    return piece.kind == "place" and piece.text.startswith("%")
