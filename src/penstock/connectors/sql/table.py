"""A table at a destination as its database describes it, and values in the form that its columns take."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from penstock.store.statements import Dialect

_LARGEST = 2**63


class Kind(StrEnum):
    """What matters of a column's type; `untyped` is a SQLite column that converts nothing."""

    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    JSON = "json"
    UNTYPED = "untyped"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Column:
    """`automatic` says that a row which gives no value gets one; `computed`, that none may be given."""

    name: str
    kind: Kind
    automatic: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`primary` is the primary key, `unique` the sets of columns in which no two rows agree, by constraint."""

    columns: Mapping[str, Column]
    primary: tuple[str, ...] = ()
    unique: Mapping[str, Set[str]] = field(default_factory=dict)

    def is_unique(self, columns: Set[str]) -> bool:
        """Whether no two rows can have the same values in exactly these columns."""
        return columns == set(self.primary) or columns in self.unique.values()


def bound(value: Any, kind: Kind, dialect: Dialect) -> Any:
    """A payload's JSON value as it is bound to a column of a kind, so that the same value is stored by both databases.

    PostgreSQL gets text, which the column's own type reads: it refuses what is none of its values, where a number
    would be rounded to fit. Text for a JSON column is taken to be JSON already.
    """
    if value is None:
        return None
    if isinstance(value, dict | list) or (kind is Kind.JSON and not isinstance(value, str)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        number = kind is Kind.INTEGER or (dialect == "sqlite" and kind is not Kind.TEXT)
        value = int(value) if number else str(value).lower()
    elif isinstance(value, float) and kind is Kind.INTEGER and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        return value
    if dialect == "postgres":
        return repr(value)
    return value if isinstance(value, float) or -_LARGEST <= value < _LARGEST else str(value)
