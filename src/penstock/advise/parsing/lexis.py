"""The words of a statement, as PostgreSQL and SQLite themselves would cut it.

A parser may forgive what a server reads otherwise, so whatever decides about safety looks at these words as well. A
text that ends within a quotation or a comment is no statement: `Unfinished`.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from penstock.domain.advice import Dialect

WordKind = Literal["space", "comment", "text", "name", "word", "number", "place", "sign"]
"""`text` is a literal, `name` a quoted name, `word` an unquoted one or a keyword, `place` a placeholder."""


class Word(NamedTuple):
    """One piece of a statement; the pieces joined are the statement."""

    kind: WordKind
    text: str


class Unfinished(ValueError):
    """A quotation or a comment has no end."""


_DOLLAR = re.compile(r"\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$")
_PLAIN = re.compile(r"'(?:[^']|'')*'")
_ESCAPED = re.compile(r"[eE]'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_ESCAPES = re.compile(r"[eE]'")
_OTHER_TEXT = re.compile(r"(?:[bBxXnN]|[uU]&)'(?:[^']|'')*'")
_NAME = re.compile(r'(?:[uU]&)?"(?:[^"]|"")*"')
_NAMES_OF_SQLITE = re.compile(r"`(?:[^`]|``)*`|\[[^\]]*\]")
_WORD = re.compile(r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*")
_NUMBER = re.compile(r"(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SPACE = re.compile(r"\s+")
_LINE = re.compile(r"--[^\r\n]*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_PLACES: dict[Dialect, re.Pattern[str]] = {
    "postgres": re.compile(r"%\(\w+\)[sbt]|%[sbt](?!\w)|\$\d+|:p\d+\b"),
    "sqlite": re.compile(r"\?\d*|[:@$][A-Za-z_]\w*|%\(\w+\)s|%s(?!\w)"),
}


def words(text: str, dialect: Dialect) -> list[Word]:
    """The pieces of a statement, in order. Raises `Unfinished`."""
    return list(_words(text, dialect))


def telling(text: str, dialect: Dialect) -> list[Word]:
    """The pieces that say something: no spaces, no comments. Raises `Unfinished`."""
    return [word for word in _words(text, dialect) if word.kind not in ("space", "comment")]


def _words(text: str, dialect: Dialect) -> Iterator[Word]:
    place = 0
    while place < len(text):
        word = _word(text, place, dialect)
        yield word
        place += len(word.text)


def _word(text: str, at: int, dialect: Dialect) -> Word:
    if found := _SPACE.match(text, at):
        return Word("space", found.group())
    if found := _LINE.match(text, at):
        return Word("comment", found.group())
    if text.startswith("/*", at):
        return Word("comment", _comment(text, at, nested=dialect == "postgres"))
    for pattern in (_PLAIN, _ESCAPED, _OTHER_TEXT) if dialect == "postgres" else (_PLAIN, _OTHER_TEXT):
        if found := pattern.match(text, at):
            return Word("text", found.group())
    if found := _NAME.match(text, at) or (_NAMES_OF_SQLITE.match(text, at) if dialect == "sqlite" else None):
        return Word("name", found.group())
    if dialect == "postgres" and (found := _DOLLAR.match(text, at)):
        end = text.find(found.group(), found.end())
        if end < 0:
            raise Unfinished(f"the text that begins with {found.group()} has no end")
        return Word("text", text[at:end + len(found.group())])
    if text[at] in "'\"" or (dialect == "postgres" and _ESCAPES.match(text, at)) or (
            dialect == "sqlite" and text[at] in "`["):
        raise Unfinished(f"the quotation that begins with {text[at:at + 20]!r} has no end")
    # A colon may be half of a cast.
    if found := _PLACES[dialect].match(text, at) if text[at - 1:at + 1] != "::" else None:
        return Word("place", found.group())
    if found := _WORD.match(text, at):
        return Word("word", found.group())
    if found := _NUMBER.match(text, at):
        return Word("number", found.group())
    return Word("sign", text[at])


def _comment(text: str, at: int, *, nested: bool) -> str:
    depth, place = 1, at + 2
    while found := _COMMENT_EDGE.search(text, place):
        place = found.end()
        if found.group() == "*/":
            depth -= 1
        elif nested:
            depth += 1
        if depth == 0:
            return text[at:place]
    if nested:
        raise Unfinished("a comment has no end")
    return text[at:]                    # SQLite takes the end of the text for that of the comment
