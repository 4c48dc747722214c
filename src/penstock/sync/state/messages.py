"""A destination's words as Penstock keeps them: bounded, and without secrets; and without what differs from record to
record, so that the same trouble of many records is seen to be the same.
"""

import re

from penstock.domain.jobs import storable

_LONGEST = 500
_LONGEST_CLASS = 100
_LONGEST_PATTERN = 200
_SECRETS = re.compile(
    r"""(?ix) \b(bearer|basic) \s+ [a-z0-9+/=._~-]{8,}
        | \b([\w-]*(?:token|password|passwd|secret|api[_-]?key|authorization)) (["']? \s* [:=] \s* ["']?)
          (?:(?:bearer|basic)\s+)? [^\s"'&,;]+ """)
_SAME = (
    (re.compile(r"\s+"), " "),
    (re.compile(r'"[^"]*"|“[^”]*”|`[^`]*`|(?<!\w)\'[^\']*\'(?!\w)'), "…"),
    (re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://\S+"), "…"),
    (re.compile(r"[^\s@<>(),;:]+@[^\s@<>(),;:]+\.\w+"), "…"),
    (re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "…"),
    (re.compile(r"\b[\w-]*\d(?:[\w.:/-]*\w)?\b"), "…"),
    (re.compile(r"…(?:(?:, | ?(?:and|or) | )…)+"), "…"),
)


def kept(message: object) -> str:
    """A message as it may be stored: without NUL, of bounded length, and without what looks like a secret."""
    return storable(_SECRETS.sub(_redacted, f"{message}")[:_LONGEST])


def kept_class(code: object) -> str:
    """A code as it may be stored."""
    return kept(code)[:_LONGEST_CLASS] or "rejected"


def plain(code: object) -> str:
    """A code as it is compared with known ones: `Rate-Limited` is `rate_limited`."""
    return re.sub(r"[^a-z0-9]+", "_", f"{code}".lower()).strip("_")


def pattern(message: str, key: str = "") -> str:
    """A message without numbers, names in quotes, addresses and the record's key, as all of its class have it."""
    text = message.replace(key, "…") if len(key) > 1 else message
    for expression, instead in _SAME:
        text = expression.sub(instead, text)
    return text.strip()[:_LONGEST_PATTERN]


def _redacted(found: re.Match[str]) -> str:
    scheme, name, between = found.groups()
    return f"{scheme} [redacted]" if scheme else f"{name}{between}[redacted]"
