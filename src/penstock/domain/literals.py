"""The literals of a statement's text: what is code stays, what may be data does not."""

import re

from penstock.domain.parameters import Keeping

_PARTS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
      | (?P<text>(?<!\w)[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z) | '(?:[^']|'')*(?:'|\Z)
               | (?<!\w)\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
      | (?P<name>"(?:[^"]|"")*")
      | (?P<number>(?<![\w.$:%])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w))""", re.VERBOSE | re.DOTALL)
_WORD = re.compile(r"'[A-Za-z][A-Za-z_-]{0,30}'")


def redacted(text: str, keeping: Keeping) -> str:
    """The text without the literals that may be data, which `'…'` stands for, and without comments. One that does not
    end, since the text was cut through it, counts as one that ends there.

    Words such as `'pending'` stay, and numbers: they are mostly what the code says, and plans depend on them. With
    `keeping="all"` everything stays, with `"none"` no literal does (0 stands for numbers).
    """
    if keeping == "all":
        return text

    def told(found: re.Match[str]) -> str:
        if found.lastgroup == "comment":
            return " "
        if found.lastgroup == "number":
            return "0" if keeping == "none" else found.group()
        if found.lastgroup == "name" or (keeping == "plain" and _WORD.fullmatch(found.group())):
            return found.group()
        return "'…'"

    return _PARTS.sub(told, text)
