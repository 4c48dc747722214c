"""Attributes by their paths (RFC 7644 §3.10): `userName`, `name.familyName`, an extension's by its URN, and one of
several values by a sub-attribute, as in `emails[type eq "work"].value`. Names are told apart without regard to case.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_NAME = r"[A-Za-z$][\w$-]*"
_PATH = re.compile(rf'(?:(?P<urn>urn:[\w.:-]+):)?(?P<name>{_NAME})'
                   rf'(?:\[(?P<by>{_NAME}) eq (?P<value>"(?:[^"\\]|\\.)*"|true|false)\])?(?:\.(?P<sub>{_NAME}))?')


def path_fault(path: object) -> str | None:
    """What is wrong with a path, if anything."""
    if isinstance(path, str) and _PATH.fullmatch(path):
        return None
    return (f'expected an attribute such as userName, name.familyName or emails[type eq "work"].value, but got'
            f" {path!r}.")


def value_at(resource: Mapping[str, Any], path: str) -> Any:
    """What a resource has at a path, None where it has nothing. Of several values all are given, as a list."""
    parts = _PATH.fullmatch(path)
    assert parts is not None
    found: Any = resource
    if parts["urn"]:
        found = _named(found, parts["urn"])
    found = _named(found, parts["name"])
    if parts["by"] and isinstance(found, list):
        wanted = msgspec.json.decode(parts["value"])
        found = next((each for each in found if _named(each, parts["by"]) == wanted), None)
    if parts["sub"]:
        found = [_named(each, parts["sub"]) for each in found] if isinstance(found, list) else (
            _named(found, parts["sub"]))
    return found


def _named(value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    return next((value[each] for each in value if each.lower() == name.lower()), None)
