"""What can be told from a statement's shape alone, without parsing it: enough to know what kind of question it is.

Whether a statement may be rewritten is for `advise` to say, which parses it.
"""

import re
from functools import lru_cache

from penstock.domain.fingerprint import shape

_QUOTED = re.compile(r'"[^"]*"')
_LIMIT = re.compile(r"\blimit\b|\bfetch (?:first|next)\b")
_OFFSET = re.compile(r"\boffset\b|\blimit \?,\?")
_POINT = re.compile(r"(?:=\?|=any\()")
_BEYOND = re.compile(r"[<>]=?(?:\?|\(…\))")
_STAR = re.compile(r"select (?:distinct )?(?:[\w.]+\.)?\*(?: |,)")
_WRITES = re.compile(r"\binsert into\b|\bupdate [\w.]+ set\b|\bdelete from\b|\bmerge into\b")
_SELECTS = re.compile(r"\bselect\b")
_SINGLE = re.compile(r"^insert into .*\bvalues ?\(|^(?:update|delete) .*\bwhere\b.*=\?")
_FROM, _WHERE, _LOCKS = (re.compile(rf"\b{word}\b") for word in ("from", "where", "for update"))
"""As words: a shape has no spaces round brackets, as in `count(*)from`."""
_ALTERED = re.compile(r"!=\?|<>\?")


@lru_cache(maxsize=1024)
def plain(text: str) -> str:
    """The shape of a statement, with whatever is quoted left out: a column may be called `"limit"`."""
    return _QUOTED.sub("q", shape(text))


def is_select(text: str) -> bool:
    """Whether it reads from tables and, as far as its text tells, changes nothing."""
    found = plain(text)
    return found.startswith(("select ", "with ")) and bool(_FROM.search(found)) and not _WRITES.search(found)


def is_point(text: str) -> bool:
    """Whether it looks rows up by a value, and neither pages through them nor takes a lock."""
    found = _ALTERED.sub("", plain(text))
    where = _WHERE.search(found)
    return (where is not None and is_select(text) and bool(_POINT.search(found, where.end()))
            and not _BEYOND.search(found, where.end()) and not _OFFSET.search(found) and not _LOCKS.search(found))


def has_limit(text: str) -> bool:
    return bool(_LIMIT.search(plain(text)))


def has_offset(text: str) -> bool:
    return bool(_OFFSET.search(plain(text)))


def goes_on(text: str) -> bool:
    """Whether it asks for what lies beyond a value: the cursor of a batch."""
    return bool(_BEYOND.search(_ALTERED.sub("", plain(text))))


def takes_all_columns(text: str) -> bool:
    """Whether the whole of it does: of one that begins with WITH that is not looked for."""
    return bool(_STAR.match(plain(text)))


def writes_values(text: str) -> bool:
    """Whether it writes what it was given: an INSERT with VALUES, or an UPDATE or DELETE of what has a value."""
    found = plain(text)
    return bool(_SINGLE.search(found)) and not _SELECTS.search(found)


def is_same_always(text: str) -> bool:
    """Whether it asks for the same each time: there is no value in it, not even a number."""
    return is_select(text) and "?" not in plain(text) and "…" not in plain(text)
