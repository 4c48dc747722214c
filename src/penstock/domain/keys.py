"""Keys of records as text: what a layer's state is looked up by."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

Getter = Callable[[Any], Any]


def getter(field: str, mapping: bool | None) -> Getter:
    """Reads one field of a record: a mapping, an object, or (None) whichever each record turns out to be."""
    if mapping is None:
        item, attribute = itemgetter(field), attrgetter(field)
        return lambda record: item(record) if isinstance(record, Mapping) else attribute(record)
    return itemgetter(field) if mapping else attrgetter(field)


def key_text(value: Any) -> str | None:
    """The text of one field of a key, or None where the record has none (None and '' are no keys)."""
    if type(value) is str:
        return value or None
    if value is None or value == "":
        return None
    if isinstance(value, bool | float):
        raise TypeError(f"a key is text, a whole number or an identifier, got {value!r}")
    return str(value)


def compound(values: Sequence[Any]) -> str | None:
    """The text of a key of several fields: a JSON array, so that no two keys can be confused."""
    texts = [key_text(value) for value in values]
    return None if None in texts else msgspec.json.encode(texts).decode()


def key_reader(fields: str | Sequence[str], mapping: bool | None) -> Callable[[Any], str | None]:
    """A function from a record to its key's text, or None where it has no key."""
    if isinstance(fields, str):
        read = getter(fields, mapping)
        return lambda record: key_text(read(record))
    readers = [getter(field, mapping) for field in fields]
    return lambda record: compound([read(record) for read in readers])
