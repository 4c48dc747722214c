"""Tables and indexes of a SQLite file, and what ANALYZE left in `sqlite_stat1`."""

import contextlib
import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from penstock.domain.advice import Column, Index, Key, Schema, Table

_PREDICATE = re.compile(r"\)\s*where\s+(?P<predicate>.+)$", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r'(?:from|join)\s+(?:main\.)?(?:"([^"]+)"|(\w+))', re.IGNORECASE)
_SELECT = re.compile(r"create\s+(?:temp(?:orary)?\s+)?view\s+(?:if\s+not\s+exists\s+)?[^\s(]+\s+as\s+(?P<select>.+)",
                     re.IGNORECASE | re.DOTALL)
_EXPRESSION = -2
_LONGEST = 1000


def read_schema(connection: sqlite3.Connection, tables: Sequence[tuple[str | None, str]]) -> Schema:
    """The tables of these names, and those that views among them name."""
    found: dict[str, Table] = {}
    missing: dict[str, str] = {}
    statistics = _statistics(connection)
    wanted = list(dict.fromkeys(name for _, name in tables))
    while wanted:
        name = wanted.pop(0)
        row = connection.execute("select type, name, sql from sqlite_master where name = ? collate nocase"
                                 " and type in ('table', 'view')", [name]).fetchone()
        if row is None:
            missing[name] = "there is no such table in this file: it may be temporary, or of another database"
            continue
        kind, name, sql = row
        if name in found:
            continue
        found[name] = _table(connection, name, kind, statistics)
        if kind == "view":
            found[name] = structs.replace(found[name], definition=_definition(sql))
            wanted += [quoted or plain for quoted, plain in _TABLE.findall(sql) if (quoted or plain) not in found]
        elif found[name].rows is None:
            missing[f"{name} (statistics)"] = "it was never analysed, so the planner guesses: run ANALYZE"
    return Schema(dialect="sqlite", tables=tuple(found.values()), missing=tuple(missing.items()))


def _definition(sql: str) -> str | None:
    """The SELECT of CREATE VIEW; None where its columns have names of their own."""
    found = _SELECT.match(sql)
    return found["select"].rstrip("; \n") if found else None


def _statistics(connection: sqlite3.Connection) -> dict[tuple[str, str | None], list[float]]:
    if not connection.execute("select 1 from sqlite_master where name = 'sqlite_stat1'").fetchone():
        return {}
    rows = connection.execute("select tbl, idx, stat from sqlite_stat1").fetchall()
    return {(table, index): [float(part) for part in str(stat).split() if part.isdigit()]
            for table, index, stat in rows}


def _table(connection: sqlite3.Connection, name: str, kind: str,
           statistics: dict[tuple[str, str | None], list[float]]) -> Table:
    columns = connection.execute("select name, type, \"notnull\", pk from pragma_table_xinfo(?) where hidden <> 1",
                                 [name]).fetchall()
    indexes = [] if kind == "view" else [
        _index(connection, name, each) for each in
        connection.execute("select name, \"unique\", origin, partial from pragma_index_list(?)", [name]).fetchall()]
    rows = next((stat[0] for (table, index), stat in statistics.items() if table == name and stat and not any(
        each.name == index and each.predicate for each in indexes)), None)
    distinct: dict[str, float] = {}
    whole = [index for index in indexes if not index.predicate]
    # A column that leads an index is counted; of one behind others it is known how far it divides what they leave.
    for place in range(max((len(index.keys) for index in whole), default=0)):
        for index in whole:
            stat, key = statistics.get((name, index.name), []), index.keys[place:place + 1]
            if len(stat) > place + 1 and stat[place + 1] and key and key[0].column:
                distinct.setdefault(key[0].column, max(1.0, stat[place] / stat[place + 1]))
    sampled = {} if kind == "view" else _sampled(connection, name, [column for column, *_ in columns])
    return Table(
        name=name, kind="view" if kind == "view" else "table", rows=rows, indexes=tuple(indexes),
        columns=tuple(Column(name=column, type=declared, nullable=not notnull and not key,
                             distinct=distinct.get(column), sample=sampled.get(column))
                      for column, declared, notnull, key in columns),
        primary_key=tuple(column for column, _, _, key in sorted(columns, key=lambda row: row[3]) if key),
        collation_c=True)


def _sampled(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> dict[str, str]:
    """The values of one row from the middle, since SQLite keeps none; of the first where rows have no number."""
    quoted = table.replace('"', '""')
    row = None
    with contextlib.suppress(sqlite3.OperationalError):
        row = connection.execute(f'select * from "{quoted}" where rowid >= ((select min(rowid) from "{quoted}")'
                                 f' + (select max(rowid) from "{quoted}")) / 2 limit 1').fetchone()
    row = row or connection.execute(f'select * from "{quoted}" limit 1').fetchone()
    return {name: str(value) for name, value in zip(columns, row or (), strict=False)
            if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST}


def _index(connection: sqlite3.Connection, table: str, row: Sequence[Any]) -> Index:
    name, unique, origin, partial = row
    parts = connection.execute("select cid, name, \"desc\" from pragma_index_xinfo(?) where key = 1 order by seqno",
                               [name]).fetchall()
    written = connection.execute("select sql from sqlite_master where type = 'index' and name = ?", [name]).fetchone()
    sql = (written and written[0]) or ""
    predicate = _PREDICATE.search(sql) if partial else None
    expressions = iter(_expressions(sql))
    keys = []
    for cid, column, descending in parts:
        written_as = next(expressions, None) if sql else None
        expression = written_as if cid == _EXPRESSION else None
        keys.append(Key(column=column, expression=expression, descending=bool(descending)))
    return Index(name=name, keys=tuple(keys), predicate=predicate["predicate"].strip() if predicate else None,
                 unique=bool(unique), primary=origin == "pk")


def _expressions(sql: str) -> list[str]:
    """The terms between the outermost brackets of CREATE INDEX."""
    depth, terms = 0, [""]
    for sign in sql[sql.find("("):]:
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            break
        if sign == "," and depth == 1:
            terms.append("")
        elif not (sign == "(" and depth == 1 and not terms[-1] and len(terms) == 1 and not terms[0]):
            terms[-1] += sign
    return [re.sub(r"\s+(?:asc|desc)\s*$", "", term.strip(), flags=re.IGNORECASE) for term in terms]
