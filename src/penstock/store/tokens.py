"""Splits SQL into tokens, so that parameters and names are found only where they really are.

A colon inside a string literal, a quoted identifier, a comment, a dollar quote or a `::cast` is not a parameter.
The tokens joined again are the text itself, to the letter.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a token is; everything that needs no attention is `other`."""

    LITERAL = "literal"
    COMMENT = "comment"
    PARAMETER = "parameter"
    NAME = "name"
    OTHER = "other"


class Token(NamedTuple):
    kind: Kind
    text: str


_PATTERN = re.compile(
    r"""
      (?P<literal> [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
                 | `(?:[^`]|``)*` | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$ .*? \$(?P=tag)\$ )
    | (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<cast> ::\s*[A-Za-z_]\w* | := )
    | (?P<parameter> :[A-Za-z_]\w* )
    | (?P<name> [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))? )
    | (?P<other> \d[\w.]* | . )
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenise(sql: str) -> Iterator[Token]:
    """The tokens of `sql`, in order; a name carries its dots and an empty argument list (`penstock.now()`)."""
    for match in _PATTERN.finditer(sql):
        text = match[0]
        if match["literal"]:
            yield Token(Kind.LITERAL, text)
        elif match["comment"]:
            yield Token(Kind.COMMENT, text)
        elif match["parameter"]:
            yield Token(Kind.PARAMETER, text)
        elif match["name"]:
            yield Token(Kind.NAME, text)
        else:
            yield Token(Kind.OTHER, text)
