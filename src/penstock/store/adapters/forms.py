"""The forms in which drivers take a statement and its parameters.

A compiled statement for PostgreSQL has `%(name)s` for a parameter and `%%` for a percent sign and no other percent;
one for SQLite has `:name`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from penstock.store.adapters.link import Params
from penstock.store.tokens import Kind, tokenise

_PERCENT = re.compile(r"%%|%\((\w+)\)s")
_TYPES: dict[type, str] = {bool: "boolean", int: "bigint", float: "double precision", str: "text", bytes: "bytea"}


def as_compiled(sql: str, params: Params) -> tuple[str, Params]:
    """psycopg, psycopg2 and sqlite3 take what was compiled for them."""
    return sql, params


def numbered(sql: str, params: Params) -> tuple[str, tuple[Any, ...]]:
    """asyncpg takes `$1`, and turns a value into what the server says that it expects.

    The types of our values are spelt out, so that neither the place where a parameter stands nor a codec which the
    application has set for another type (JSON, most of all) decides how a value is sent.
    """
    text, names = _numbered(sql, tuple((name, _cast(value)) for name, value in params.items()))
    return text, tuple(params[name] for name in names)


@lru_cache(maxsize=256)
def _numbered(sql: str, casts: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]]:
    cast_of = dict(casts)
    numbers: dict[str, int] = {}

    def written(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "%"
        return f"${numbers.setdefault(name, len(numbers) + 1)}{cast_of[name]}"

    return _PERCENT.sub(written, sql), tuple(numbers)


def _cast(value: Any) -> str:
    """A cast to the type that a value has; none for what has no type of its own."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        known = next((each for each in value if each is not None), None)
        return f"::{_TYPES[type(known)]}[]" if known is not None else ""
    return f"::{_TYPES[type(value)]}" if value is not None else ""


def with_percents(sql: str, params: Params) -> tuple[str, Params | None]:
    """Django takes `%(name)s` on SQLite too, and percent signs as they are where there are no parameters."""
    return (_with_percents(sql), params) if params else (sql, None)


@lru_cache(maxsize=256)
def _with_percents(sql: str) -> str:
    return "".join(f"%({piece[1:]})s" if kind is Kind.PARAMETER else piece.replace("%", "%%")
                   for kind, piece in tokenise(sql))
