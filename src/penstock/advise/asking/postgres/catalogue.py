"""Tables, columns, statistics and indexes as PostgreSQL's catalogue has them, and in words what it does not tell."""

from collections.abc import Iterable, Sequence
from typing import Any

from penstock.advise.asking.postgres.catalogue_sql import (
    COLUMNS,
    HIDDEN,
    INDEXES,
    NAMED,
    PARTITIONS,
    READ_BY_VIEW,
    VIEW,
)
from penstock.advise.asking.postgres.connection import Connection
from penstock.domain.advice import Column, Index, Key, Schema, Table, TableKind

_KINDS: dict[str, TableKind] = {"r": "table", "p": "partitioned", "v": "view", "m": "materialized", "f": "foreign"}
_DESCENDING, _NULLS_FIRST = 1, 2
_DEEPEST = 5
_MOST_COMMON = 100
Named = tuple[str | None, str]


def read_schema(connection: Connection, tables: Sequence[Named]) -> Schema:
    """The tables of these names, and those that views among them read."""
    found: dict[int, Table] = {}
    missing: dict[str, str] = {}
    wanted = list(dict.fromkeys(tables))
    for _ in range(_DEEPEST):
        if not wanted:
            break
        rows = connection.execute(NAMED, {"schemas": [schema for schema, _ in wanted],
                                          "names": [name for _, name in wanted]}).fetchall()
        read = {row[1]: row for row in rows if row[1] is not None and row[7] and row[1] not in found}
        for name, row in zip(wanted, rows, strict=True):
            if row[1] is None or not row[7]:
                missing[_dotted(name)] = _absent(connection, name, bool(row[1]))
        columns, indexes = _columns(connection, read), _indexes(connection, read)
        wanted = []
        for oid, row in read.items():
            found[oid] = _table(connection, row, columns.get(oid, ()), indexes.get(oid, ()))
            if found[oid].kind == "view":
                wanted += [(schema, name) for schema, name in connection.execute(READ_BY_VIEW, [oid]).fetchall()]
            if note := _unknown(found[oid]):
                missing[_dotted((row[2], row[3])) + " (statistics)"] = note
    return Schema(dialect="postgres", tables=tuple(found.values()), missing=tuple(missing.items()))


def _dotted(name: Named) -> str:
    return ".".join(part for part in name if part)


def _absent(connection: Connection, name: Named, exists: bool) -> str:
    schema, table = name
    row = connection.execute(HIDDEN, [table, schema, schema]).fetchone()
    user = _one(connection, "select current_user::text")
    if exists or (row is not None and (schema is not None or not _seen(connection, row[0]))):
        place = _dotted((row[0], row[1])) if row else _dotted(name)
        return (f"{user} may not read it: GRANT SELECT ON {place} TO {user} (and USAGE on its schema) allows its plan"
                " and its statistics to be read")
    if row is not None:
        return f"it is not on the search_path; there is one in the schema {row[0]}"
    return "there is no such table in this database: it may be temporary, or of another database"


def _seen(connection: Connection, schema: str) -> bool:
    return bool(_one(connection, "select has_schema_privilege(%s, 'USAGE')", schema))


def _unknown(table: Table) -> str | None:
    if table.kind == "view":
        return None
    if table.kind == "foreign":
        return "it is a foreign table: an index on it has to be made where it lies"
    if table.rows is None:
        return f"it was never analysed, so the planner guesses: run ANALYZE {table.name}"
    if table.columns and table.rows > 0 and all(column.distinct is None for column in table.columns):
        return ("its columns have no statistics that may be read, so neither common values nor selectivities are known:"
                f" run ANALYZE {table.name}, or let the role read it")
    return None


def _table(connection: Connection, row: Sequence[Any], columns: Iterable[Sequence[Any]],
           indexes: Iterable[Sequence[Any]]) -> Table:
    _, oid, schema, name, relkind, rows, pages, _, reads, writes, collation_c, _ = row
    partitions: list[str] = []
    if relkind == "p":
        summed, pages, parts = connection.execute(PARTITIONS, [oid]).fetchone() or (None, None, None)
        partitions = parts or []
        rows = rows if rows >= 0 else summed
        pages = int(pages) if pages is not None else None
    known = None if rows is None or rows < 0 else float(rows)
    own = tuple(_index(each) for each in indexes)
    primary = next((tuple(key.column for key in index.keys if key.column) for index in own if index.primary), ())
    return Table(
        name=name, schema=schema, kind=_KINDS.get(relkind, "table"), rows=known,
        pages=pages if known is not None else None,
        columns=tuple(_column(each, known) for each in columns), primary_key=primary, indexes=own,
        reads=reads, writes=writes, collation_c=bool(collation_c),
        partitions=tuple(partitions), definition=_definition(connection, oid) if relkind == "v" else None)


def _definition(connection: Connection, oid: int) -> str | None:
    text = _one(connection, VIEW, oid)
    return str(text).strip().rstrip(";") if text else None


def _columns(connection: Connection, oids: Iterable[int]) -> dict[int, list[Sequence[Any]]]:
    return _by_table(connection.execute(COLUMNS, [list(oids)]).fetchall())


def _indexes(connection: Connection, oids: Iterable[int]) -> dict[int, list[Sequence[Any]]]:
    return _by_table(connection.execute(INDEXES, [list(oids)]).fetchall())


def _by_table(rows: Iterable[Sequence[Any]]) -> dict[int, list[Sequence[Any]]]:
    found: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _column(row: Sequence[Any], rows: float | None) -> Column:
    _, name, kind, nullable, distinct, values, shares, nulls, width, correlation, bounds = row
    if distinct is not None and distinct < 0:  # a share of the rows
        distinct = -distinct * rows if rows is not None else None
    common = tuple(zip((values or [])[:_MOST_COMMON], map(float, shares or ()), strict=False))
    return Column(name=name, type=kind, nullable=nullable, distinct=distinct, common=common, nulls=nulls, width=width,
                  bounds=tuple(bounds or ()), correlation=correlation)


def _index(row: Sequence[Any]) -> Index:
    (_, name, method, unique, primary, valid, keys, predicate, size, scans, names, definitions, options,
     opclasses) = row
    parts = list(zip(names, definitions, options, opclasses, strict=True))
    return Index(
        name=name, method=method, unique=unique, primary=primary, valid=valid, predicate=predicate, size=int(size),
        scans=scans, keys=tuple(_key(*part) for part in parts[:keys]),
        include=tuple(column or definition for column, definition, _, _ in parts[keys:]))


def _key(column: str | None, definition: str, option: int, opclass: str | None) -> Key:
    descending, nulls_first = bool(option & _DESCENDING), bool(option & _NULLS_FIRST)
    return Key(column=column, expression=None if column else definition, descending=descending,
               nulls_first=nulls_first if nulls_first != descending else None, opclass=opclass)


def _one(connection: Connection, query: str, *values: Any) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
