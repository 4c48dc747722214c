"""Filters with the keys of a run in them. What stands in quotes is left as it is."""

import re

import msgspec

from penstock.sync.declaring.ports import Run

_QUOTED_OR_NAME = re.compile(r'("(?:[^"\\]|\\.)*")|(?<![\w:.-]):(\w+)')
_NAMES = ("subject", "account")


def where_fault(where: object) -> str | None:
    """What is wrong with a filter, if anything."""
    if where is None:
        return None
    if not isinstance(where, str) or not where.strip():
        return f"expected where to be a filter, as in 'active eq true', but got {where!r}."
    unknown = sorted({name for _, name in _QUOTED_OR_NAME.findall(where) if name and name not in _NAMES})
    return f"where may have :subject and :account in it, but got :{', :'.join(unknown)}." if unknown else None


def bound(where: str, run: Run) -> str:
    """The filter for one run: strings are written as JSON does (RFC 7644 §3.4.2.2), so no key leaves its quotes."""
    keys = {"subject": run.subject.key, "account": run.account}

    def filled(match: re.Match[str]) -> str:
        return match[1] or msgspec.json.encode(keys[match[2]]).decode()

    return _QUOTED_OR_NAME.sub(filled, where)
