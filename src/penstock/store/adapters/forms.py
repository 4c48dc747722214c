"""The forms in which drivers take a statement and its parameters.

A compiled statement for PostgreSQL has `%(name)s` for a parameter and `%%` for a percent sign and no other percent;
one for SQLite has `:name`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from penstock.store.adapters.link import Params
from penstock.store.statements import numbered
from penstock.store.tokens import Kind, tokenise

_TYPES: dict[type, str] = {bool: "boolean", int: "bigint", float: "double precision", str: "text", bytes: "bytea"}


def as_compiled(sql: str, params: Params) -> tuple[str, Params]:
    """psycopg, psycopg2 and sqlite3 take what was compiled for them."""
    return sql, params


def with_dollars(sql: str, params: Params) -> tuple[str, tuple[Any, ...]]:
    """asyncpg takes `$1`, and turns a value into what the server says that it expects.

    The types of our values are spelt out, so that neither the place where a parameter stands nor a codec which the
    application has set for another type (JSON, most of all) decides how a value is sent.
    """
    text, names = numbered(sql, tuple((name, _cast(value)) for name, value in params.items()))
    return text, tuple(params[name] for name in names)


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
