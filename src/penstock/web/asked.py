"""Reads what was asked, from a path, a query string, a form or JSON, into the struct that a declaration names."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

A = TypeVar("A")
_MOST = 1 << 62


Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Of a row of the store: as large as its column takes."""


class Misread(Exception):
    """What was asked is not what the page understands; the message says what was expected."""


def from_pairs(kind: type[A], path: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> A:
    """From text: an empty field counts as one that was not given. Raises `Misread`."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if value != "":
            given.setdefault(name, []).append(value)
    found: dict[str, Any] = {}
    for name, many in fields(kind).items():
        if name in path:
            found[name] = path[name]
        elif name in given:
            found[name] = given[name] if many else given[name][-1]
    return _converted(kind, found)


def from_json(kind: type[A], path: Mapping[str, Any], body: bytes) -> A:
    """From a JSON object, or nothing at all; the path goes before it. Raises `Misread`."""
    try:
        found = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise Misread(f"expected JSON: {error}") from None
    if not isinstance(found, dict):
        raise Misread(f"expected a JSON object, got {type(found).__name__}")
    if unknown := sorted(set(found) - set(fields(kind))):
        raise Misread(f"unknown field {unknown[0]!r}: expected {', '.join(fields(kind)) or 'none'}")
    return _converted(kind, {**found, **{name: value for name, value in path.items() if name in fields(kind)}})


def _converted(kind: type[A], found: dict[str, Any]) -> A:
    try:
        asked = msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Misread(str(error)) from None
    for name in fields(kind):
        _check(name, getattr(asked, name, None))
    return asked


def _check(name: str, value: object) -> None:
    """What no database could hold is asked of none. Raises `Misread`."""
    if isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _check(name, each)
    elif isinstance(value, int) and not -_MOST <= value <= _MOST:
        raise Misread(f"expected a number of at most {_MOST} - at `$.{name}`")
    elif isinstance(value, str) and "\0" in value:
        raise Misread(f"expected text without the character NUL - at `$.{name}`")


def fields(kind: Any) -> dict[str, bool]:
    """The names of a struct's fields, and whether each may be given more than once."""
    return _fields(kind)


@cache
def _fields(kind: Any) -> dict[str, bool]:
    return {each.encode_name: _is_many(each.type) for each in msgspec.structs.fields(kind)}


def _is_many(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        return any(_is_many(each) for each in get_args(kind))
    return origin in (list, tuple, set, frozenset)
