"""What of a task's arguments nobody is shown: those that are marked as secret, by their names and down to fields.

Marks are found in the types of a signature, once. Where arguments are shown, or an error is about to be kept that may
quote them, what lies beneath a mark is replaced.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from penstock.domain.envelope import is_envelope

HIDDEN = "•••"
_SHORTEST = 3
"""Shorter texts are not looked for in errors: they would be found in everything."""


class Secret:
    """Marks a parameter of a task, or a field of what is passed to one, whose values nobody is to be shown:
    `Annotated[str, Secret]`."""


class Marks:
    """Which values of something are marked: all of it, or some `fields` of it, or some of `each` of its items."""

    __slots__ = ("all", "each", "fields")

    def __init__(self, all: bool = False) -> None:
        self.all = all
        self.fields: dict[str, Marks] = {}
        self.each: Marks | None = None

    def shown(self, value: Any) -> Any:
        """A value as JSON has it, without what is marked."""
        if self.all:
            return HIDDEN
        if isinstance(value, dict):
            return {name: mark.shown(item) if (mark := self._of(name)) is not None else item
                    for name, item in value.items()}
        if isinstance(value, list) and self.each is not None:
            return [self.each.shown(item) for item in value]
        return value

    def marked(self, value: Any) -> Iterator[Any]:
        """The plain values that are marked."""
        if isinstance(value, dict):
            for name, item in value.items():
                mark = self if self.all else self._of(name)
                if mark is not None:
                    yield from mark.marked(item)
        elif isinstance(value, list):
            if (mark := self if self.all else self.each) is not None:
                for item in value:
                    yield from mark.marked(item)
        elif self.all:
            yield value

    def _of(self, name: str) -> "Marks | None":
        return self.fields.get(name, self.each)

    def cleaned(self, text: str, arguments: str) -> str:
        """A text without the marked values of some arguments (as JSON), as far as they are found in it as they are.

        What has not been opened cannot be quoted by anything.
        """
        if is_envelope(arguments):
            return text
        try:
            given = msgspec.json.decode(arguments)
        except msgspec.MsgspecError:
            return text
        for found in sorted(set(_texts(self.marked(given))), key=len, reverse=True):
            text = text.replace(found, HIDDEN)
        return text


ALL = Marks(all=True)
Known = dict[Any, Marks]


def marks_of(kinds: Mapping[str, Any]) -> Marks | None:
    """The marks of parameters by their types; None where nothing is marked."""
    known: Known = {}
    root = Marks()
    for name, kind in kinds.items():
        if (found := _marks(kind, known)) is not None and _says_anything(found, set()):
            root.fields[name] = found
    return root if root.fields else None


def _says_anything(mark: Marks, seen: set[int]) -> bool:
    if mark.all or id(mark) in seen:
        return mark.all
    seen.add(id(mark))
    return any(_says_anything(each, seen) for each in [*mark.fields.values(), *([mark.each] if mark.each else [])])


def _marks(kind: Any, known: Known) -> Marks | None:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        inner, *about = typing.get_args(kind)
        if any(each is Secret or isinstance(each, Secret) for each in about):
            return ALL
        return _marks(inner, known)
    if origin in (typing.Union, types.UnionType):
        return _both([_marks(each, known) for each in typing.get_args(kind)])
    if origin is not None and (parts := typing.get_args(kind)):
        found = _both([_marks(each, known) for each in parts])
        if isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset | dict | Mapping):
            return None if found is None else _items(found)
        return _both([found, _marks(origin, known)])
    if not isinstance(kind, type):
        return _marks(kind.__value__, known) if hasattr(kind, "__value__") else None  # `type X = …`
    return known[kind] if kind in known else _fields(kind, known)


def _fields(kind: type, known: Known) -> Marks | None:
    """The marks of a class with fields, by the names that they have in JSON. It may contain itself."""
    names: dict[str, str]
    if issubclass(kind, msgspec.Struct):
        names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    elif dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__") or hasattr(kind, "__annotations__"):
        names = {name: name for name in typing.get_type_hints(kind)}
    else:
        return None
    known[kind] = found = Marks()
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        if name in names and (mark := _marks(hint, known)) is not None:
            found.fields[names[name]] = mark
    unnamed = issubclass(kind, tuple) or getattr(getattr(kind, "__struct_config__", None), "array_like", False)
    if unnamed and _says_anything(found, set()):
        found.all = True  # its fields have no names in JSON
    return found


def _items(mark: Marks) -> Marks:
    found = Marks()
    found.each = mark
    return found


def _both(marks: list[Marks | None]) -> Marks | None:
    """What is marked by any of them: a value may be of any of their types."""
    real = [mark for mark in marks if mark is not None]
    if len(real) < 2:
        return real[0] if real else None
    if any(mark.all for mark in real):
        return ALL
    found = Marks()
    for name in {name for mark in real for name in mark.fields}:
        found.fields[name] = _both([mark.fields.get(name) for mark in real]) or ALL
    found.each = _both([mark.each for mark in real])
    return found


def _texts(values: Iterator[Any]) -> Iterator[str]:
    """Values as an error may quote them."""
    for value in values:
        if value is None or isinstance(value, bool):
            continue
        text = str(value)
        for form in (text, repr(value)[1:-1], msgspec.json.encode(value).decode()[1:-1]) if text is value else (text,):
            if len(form) >= _SHORTEST:
                yield form
