"""Which route an HTTP call took: its path with `*` in the place of whatever looks like an identifier."""

import re
from functools import lru_cache

_VERSIONED = re.compile(r"(?:v\d{1,2}(?:\.\d+)*(?:(?:alpha|beta)\d*)?|oauth\d|openid\d)")
_HEX = re.compile(r"[0-9a-fA-F-]{8,}")
_MOST_SEGMENTS = 20
_LONGEST = 40


@lru_cache(maxsize=4096)
def route(path: str) -> str:
    """`/v2/groups/17/members/4f1c…` → `/v2/groups/*/members/*`. What follows `?` or `#` is left out."""
    segments = path.partition("?")[0].partition("#")[0].split("/")
    found = [_plain(segment) for segment in segments[:_MOST_SEGMENTS]]
    if len(segments) > _MOST_SEGMENTS:
        found.append("…")
    return "/".join(found) or "/"


def _plain(segment: str) -> str:
    """A word stays, a version like `v2` or `oauth2`, and a method after a colon (`17:search` is `*:search`). What has
    digits otherwise, is long, or is no word at all, is one of many."""
    if _VERSIONED.fullmatch(segment):
        return segment
    head, colon, method = segment.rpartition(":")
    if colon and method.isalpha() and head:
        return f"{_plain(head)}:{method}"
    if any(character.isdigit() for character in segment) or len(segment) > _LONGEST or _is_hex(segment):
        return "*"
    return "*" if any(character in segment for character in "@%=:,") else segment


def _is_hex(segment: str) -> bool:
    return bool(_HEX.fullmatch(segment)) and not segment.isalpha()
