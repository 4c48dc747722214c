"""Keys of records as text: what a layer's state is looked up by."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
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


def key_parts(text: str) -> list[str] | None:
    """The fields' values in the text of a compound key; None where it is that of one field."""
    if not text.startswith('["'):
        return None
    try:
        parts = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        return None
    return parts if len(parts) > 1 else None


Reader = Callable[[Sequence[Any]], list[str | None]]
"""From records to their keys' texts; None for a record that has no key."""


def key_reader(fields: str | Sequence[str], mapping: bool | None) -> Reader:
    """Reads the keys of a page of records. Raises what reading a field that is not there raises."""
    if not isinstance(fields, str):
        readers = [getter(field, mapping) for field in fields]
        return lambda records: [compound([read(record) for read in readers]) for record in records]
    read_one = getter(fields, mapping)

    def read(records: Sequence[Any]) -> list[str | None]:
        values = list(map(read_one, records))
        if set(map(type, values)) == {str} and "" not in values:  # nearly always, and much cheaper asked at once
            return values
        return [key_text(value) for value in values]

    return read


def typed_key(fields: str | Sequence[str], text: str) -> str:
    """A key as people type it: of one field as it is, of several as a JSON array or with commas between.

    Raises `ValueError` that says what was expected.
    """
    if isinstance(fields, str):
        return text
    try:
        values = msgspec.json.decode(text, type=list[str | int]) if text.startswith("[") else text.split(",")
        key = compound(values) if len(values) == len(fields) else None
    except msgspec.DecodeError:
        key = None
    if key is None:
        raise ValueError(f"expected the {len(fields)} values of {', '.join(fields)}, as a JSON array or with commas"
                         f" between, got {text!r}")
    return key


_MARK = "\x01"
_LONGEST_VALUE = 200


FORMER = "\x02"
"""What the key of a row begins with that is known by what its key was (see sync/planning/moving.py)."""


def observed_value(value: Any) -> str:
    """The value by which an observed record is matched, as its row has it: a long one ends in its digest."""
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").replace(_MARK, " ")
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[:_LONGEST_VALUE]}…{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def observed_key(value: Any, remote_id: str) -> str:
    """The key of the row of a record that was only observed: it belongs to no source, and those of a value are a range.
    """
    return f"{_MARK}{observed_value(value)}{_MARK}{remote_id}"


def spoken_key(key: str) -> str:
    """A key as people read it: of an observed record the value by which it is matched, and a former key as such."""
    if key.startswith(FORMER):
        return f"{key[1:]} (a former key)"
    return key.split(_MARK)[1] if key.startswith(_MARK) and key.count(_MARK) > 1 else key
