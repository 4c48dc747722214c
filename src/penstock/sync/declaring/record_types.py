"""What a layer's records may be: a dataclass, a msgspec Struct, a pydantic model, a TypedDict or a dict."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, is_typeddict

import msgspec


def is_plain(record_type: Any) -> bool:
    """Whether the records are mappings of which nothing more is known."""
    return any(kind in (record_type, getattr(record_type, "__origin__", None)) for kind in (dict, Mapping))


def is_mapping(record_type: Any) -> bool | None:
    """Whether a field is read as `record["field"]`; None where the type was not given."""
    return None if record_type is None else is_plain(record_type) or is_typeddict(record_type)


def field_names(record_type: Any) -> list[str] | None:
    """The names of the fields; None where the type does not tell."""
    if record_type is None:
        return None
    if is_dataclass(record_type):
        return [item.name for item in fields(record_type)]
    if inspect.isclass(record_type) and issubclass(record_type, msgspec.Struct):
        return list(record_type.__struct_fields__)
    if is_typeddict(record_type):
        return list(record_type.__annotations__)
    names: Any = getattr(record_type, "model_fields", None) or getattr(record_type, "_fields", ())
    return list(names) or None
