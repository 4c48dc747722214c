"""Candidates in words and SQL: their names, their definitions, and what they are for."""

import re
from collections.abc import Sequence
from hashlib import blake2b

from penstock.domain.advice import Candidate, Dialect, Index, Key

_LONGEST = 63
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = frozenset("""
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end
    except false fetch for foreign from grant group having in index initially intersect into key lateral leading limit
    localtime localtimestamp not null offset on only or order placing primary references returning select session_user
    some symmetric table then to trailing true union unique user using values variadic when where window with
""".split())


def quoted(name: str) -> str:
    """A name as SQL has it, in quotes where it needs them."""
    return name if _PLAIN.fullmatch(name) and name not in _RESERVED else '"' + name.replace('"', '""') + '"'


def key_sql(key: Key, dialect: Dialect) -> str:
    """One key of an index."""
    text = quoted(key.column) if key.column else f"({key.expression})"
    text += f" {key.opclass}" if key.opclass and dialect == "postgres" else ""
    text += " DESC" if key.descending else ""
    if key.nulls_first is not None and dialect == "postgres":
        text += " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    return text


def columns_sql(index: Candidate | Index, dialect: Dialect) -> str:
    """What stands behind the table's name in CREATE INDEX: keys, INCLUDE, WHERE."""
    text = f"({', '.join(key_sql(key, dialect) for key in index.keys)})"
    if index.include and dialect == "postgres":
        text += f" INCLUDE ({', '.join(map(quoted, index.include))})"
    return text + (f" WHERE {index.predicate}" if index.predicate else "")


def table_sql(candidate: Candidate) -> str:
    """The name of its table."""
    return (f"{quoted(candidate.schema)}." if candidate.schema else "") + quoted(candidate.table)


def create_sql(candidate: Candidate, dialect: Dialect, *, concurrently: bool = False, name: str | None = None) -> str:
    """CREATE INDEX, without a semicolon."""
    columns, called = columns_sql(candidate, dialect), quoted(name or candidate.name)
    if dialect == "sqlite":             # where the schema is said of the index
        schema = f"{quoted(candidate.schema)}." if candidate.schema else ""
        return f"CREATE INDEX {schema}{called} ON {quoted(candidate.table)} {columns}"
    return f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}{called} ON {table_sql(candidate)} {columns}"


def index_name(table: str, keys: Sequence[Key], include: Sequence[str], predicate: str | None,
               taken: Sequence[str] = ()) -> str:
    """`table_columns_idx`, at most 63 bytes, and none that is taken."""
    parts = [key.column or "_".join(re.findall(r"\w+", key.expression or ""))[:20] for key in keys]
    text = re.sub(r"\W+", "_", "_".join([table, *parts, *(["partial"] if predicate else [])])).lower()
    name = f"{text}_idx"
    mark = blake2b(repr((table, keys, tuple(include), predicate)).encode(), digest_size=3).hexdigest()
    if len(name.encode()) > _LONGEST or name in taken:
        name = f"{text.encode()[:_LONGEST - 11].decode(errors='ignore').rstrip('_')}_{mark}_idx"
    return name
