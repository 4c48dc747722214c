"""Parameters of statements as they are kept: enough to ask the planner again, and no more than was allowed.

What people write is not kept unless it is allowed: of texts, bytes and whatever else there is, the kind and the length
alone. Numbers, truth values, times and identifiers stay, since plans depend on them and they say little by themselves.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

Keeping = Literal["all", "plain", "none"]
"""What may be kept of parameters: everything; numbers, truth values, times and identifiers; nothing but kinds."""

_LONGEST = 1000
_PLAIN = ("none", "bool", "int", "float", "decimal", "date", "datetime", "time", "timedelta", "uuid")


class CannotReproduce(ValueError):
    """A parameter was not kept, so its statement cannot be asked about again with it."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """One parameter. `value` is its text, None where it was not kept; `length` is how long a text or a list was."""

    kind: str
    value: str | None = None
    length: int | None = None


class TooLong(msgspec.Struct, frozen=True):
    """Stands for a value that was too long to be held until its trace ends."""

    type: type
    length: int


Parameters = list[Kept] | dict[str, Kept]
"""By place or by name, as the statement has them."""

_WRITERS: dict[type, tuple[str, Callable[[Any], str]]] = {
    bool: ("bool", lambda value: "true" if value else "false"), int: ("int", str), float: ("float", repr),
    Decimal: ("decimal", str), dt.datetime: ("datetime", dt.datetime.isoformat), dt.date: ("date", dt.date.isoformat),
    dt.time: ("time", dt.time.isoformat), dt.timedelta: ("timedelta", lambda value: repr(value.total_seconds())),
    uuid.UUID: ("uuid", str), str: ("text", str),
}
_READERS: dict[str, Callable[[str], Any]] = {
    "bool": lambda text: text == "true", "int": int, "float": float, "decimal": Decimal,
    "datetime": dt.datetime.fromisoformat, "date": dt.date.fromisoformat, "time": dt.time.fromisoformat,
    "timedelta": lambda text: dt.timedelta(seconds=float(text)), "uuid": uuid.UUID, "text": str,
}


def keep(parameters: Any, keeping: Keeping) -> Parameters | None:
    """What is kept of a statement's parameters; None where it had none, or they are of no kind that a driver takes."""
    if isinstance(parameters, Mapping):
        return {str(name): kept(value, keeping) for name, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str | bytes):
        return [kept(value, keeping) for value in parameters]
    return None


def kept(value: Any, keeping: Keeping) -> Kept:
    """What is kept of one value."""
    if value is None:
        return Kept("none")
    if isinstance(value, TooLong):
        return Kept("text" if value.type is str else value.type.__name__, None, value.length)
    if isinstance(value, list | tuple):
        parts = [kept(each, keeping) for each in value[:_LONGEST]]
        whole = len(value) <= _LONGEST and all(part.kind == "none" or part.value is not None for part in parts)
        return Kept("list", msgspec.json.encode(parts).decode() if whole else None, len(value))
    kind, write = _WRITERS.get(type(value), ("other", None))
    length = len(value) if isinstance(value, str | bytes | bytearray) else None
    allowed = keeping == "all" or (keeping == "plain" and kind in _PLAIN)
    if write is None or not allowed or (length or 0) > _LONGEST:
        return Kept(kind if kind != "other" else type(value).__name__, None, length)
    return Kept(kind, write(value), length)


def value(kept: Kept) -> Any:
    """The value again. Raises `CannotReproduce` for one that was not kept."""
    if kept.kind == "none":
        return None
    if kept.value is not None and kept.kind == "list":
        return [value(each) for each in msgspec.json.decode(kept.value, type=list[Kept])]
    if kept.value is None or kept.kind not in _READERS:
        length = f" of length {kept.length}" if kept.length is not None else ""
        raise CannotReproduce(f"a parameter was not kept: a {kept.kind}{length}")
    return _READERS[kept.kind](kept.value)


def values(parameters: Parameters | None) -> list[Any] | dict[str, Any] | None:
    """All of them again, by place or by name. Raises `CannotReproduce`."""
    if parameters is None:
        return None
    if isinstance(parameters, dict):
        return {name: value(each) for name, each in parameters.items()}
    return [value(each) for each in parameters]
