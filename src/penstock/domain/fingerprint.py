"""What two statements have in common that differ only in their values: a fingerprint, sixteen hexadecimal digits.

Comments, white space, the case of what is not quoted, literals, placeholders and the length of lists make no
difference: `id IN (1, 2)` and `id in (%s)` are the same statement. The text itself is not changed by this; see `shape`.
"""

import re
from functools import lru_cache
from hashlib import blake2b

_PARTS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
      | (?P<text>(?<!\w)[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z) | '(?:[^']|'')*(?:'|\Z)
               | (?<!\w)\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
      | (?P<name>"(?:[^"]|"")*")
      | (?P<place>%\(\w+\)[sbt] | %[sbt] | \$\d+ | (?<!:):[A-Za-z_]\w* | \?)
      | (?P<number>(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w))
      | (?P<space>\s+)""", re.VERBOSE | re.DOTALL)
_LISTS = re.compile(r"\( ?\?(?: ?, ?\?)* ?\)")
_ROWS = re.compile(r"\(…\)(?: ?, ?\(…\))+")
_GAPS = re.compile(r" ?([(),=<>;]) ?")
_LONGEST = 20_000


def _part(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind == "name":
        return found.group()
    return " " if kind in ("comment", "space") else "?"


def shape(text: str) -> str:
    """The statement with `?` for each value and `(…)` for each list of values, in one line.

    Of a text of more than 20,000 characters it is the shape of its beginning, without the list that is cut through.
    """
    return _shape(text[:_LONGEST + 1])


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits that statements of one shape share."""
    return _fingerprint(text[:_LONGEST + 1])


# What is remembered has an end in both directions: texts are as long as whoever writes them likes.
@lru_cache(maxsize=1024)
def _shape(text: str) -> str:
    plain = _PARTS.sub(_part, text[:_LONGEST])
    plain = "".join(each if quoted else each.lower() for quoted, each in _quoted(plain))
    if len(text) > _LONGEST:
        plain = plain[:plain.rfind("(")].rstrip(" ,(") if "(" in plain else plain
    plain = _GAPS.sub(r"\1", " ".join(plain.split())).rstrip("; ")
    return _ROWS.sub("(…)", _LISTS.sub("(…)", plain)).strip()


@lru_cache(maxsize=1024)
def _fingerprint(text: str) -> str:
    return blake2b(_shape(text).encode(errors="replace"), digest_size=8).hexdigest()


def _quoted(text: str) -> list[tuple[bool, str]]:
    return [(bool(place % 2), f'"{each}"' if place % 2 else each) for place, each in enumerate(text.split('"'))]
