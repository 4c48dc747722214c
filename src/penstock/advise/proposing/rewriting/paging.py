"""Batches of a long list: by a key instead of OFFSET, by keys that were read once, by another index, by one cursor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.advise.proposing.estimate.paths import serves_order
from penstock.advise.proposing.rewriting.statement import Statement
from penstock.domain.advice import Rewrite
from penstock.domain.traces import StatementSeen

if TYPE_CHECKING:
    from sqlglot import exp

_FEW = 3
_NUMBERS = ("bigint", "integer", "smallint", "numeric", "int", "int8", "int4")


def keyset(statement: Statement) -> Iterator[Rewrite]:
    """A condition on the last row instead of OFFSET, which reads everything that it skips."""
    from sqlglot import exp

    block = statement.block
    if not block.offset or block.limit is None or any(term.column is None for term in block.order):
        return
    names = [term.column or "" for term in block.order]
    if statement.key not in names:
        names.append(statement.key)
    select = statement.select
    select.set("offset", None)
    directions = {term.descending for term in block.order}
    if len(directions) > 1 or any(term.nulls_first is not None for term in block.order):
        yield Rewrite(kind="keyset", before=statement.query.text, why=(
            "OFFSET reads and throws away all the rows before the page. Begin behind the last row of the page before"
            f" instead: compare {', '.join(names)} with its values, one after the other, since they do not all go the"
            " same way."))
        return
    down = True in directions
    if block.order and statement.key not in [term.column for term in block.order]:
        select = select.order_by(exp.Ordered(this=statement.column(statement.key), desc=down, nulls_first=down))
    elif not block.order:
        select = select.order_by(statement.column(statement.key))
    columns = [statement.column(name) for name in names]
    last = [statement.new(f"last_{name}") for name in names]
    one = len(columns) == 1
    left: exp.Expr = columns[0] if one else exp.Tuple(expressions=columns)
    right: exp.Expr = last[0] if one else exp.Tuple(expressions=last)
    select = select.where(exp.LT(this=left, expression=right) if down else exp.GT(this=left, expression=right))
    text = statement.text(select)
    known = {name: statement.table.column(name) for name in names if name != statement.key}
    nulls = [name for name, column in known.items() if column is None or (column.nullable and column.nulls != 0)]
    yield Rewrite(kind="keyset", before=statement.query.text, after=text.sql, takes=text.takes, why=(
        "OFFSET reads and throws away all the rows before the page, so each page takes longer than the one before."
        f" This begins behind the last row of the page before: the new parameter{'s are' if len(names) > 1 else ' is'}"
        f" its {', '.join(names)}. The first page is asked for without that condition."
        + (f" {', '.join(nulls)} may be NULL, and rows where it is are left out: ask for those by themselves."
           if nulls else "")))


def batches(statement: Statement, seen: StatementSeen | None) -> Iterator[Rewrite]:
    """What can be done about many batches of one list, in the order in which it is to be tried."""
    block = statement.block
    if block.limit is None or block.offset or (seen is not None and seen.most_calls < _FEW):
        return
    if [term.column for term in block.order] not in ([statement.key], []):
        return
    cursor = [each for each in block.conditions if each.kind == "range" and each.column == statement.key]
    fixed = [each for each in block.conditions if each not in cursor and each.kind != "other"]
    if not fixed or (not block.order and not cursor):
        return
    yield from _ids_first(statement)
    yield from _force_index(statement)
    yield from _server_cursor(statement)


def larger(statement: Statement, seen: StatementSeen | None) -> Iterator[Rewrite]:
    """More rows a call, where calls are many and come back full."""
    from sqlglot import exp

    limit = statement.block.limit
    if seen is None or not isinstance(limit, int) or seen.most_calls < 10 or limit >= 10_000 or not seen.calls or (
            seen.rows / seen.calls < limit * 0.8):
        return
    select = statement.select
    select.set("limit", exp.Limit(expression=exp.Literal.number(min(10_000, limit * 10))))
    text = statement.text(select)
    yield Rewrite(kind="larger_batch", before=statement.query.text, after=text.sql, takes=text.takes, why=(
        f"It is called {seen.most_calls:,} times in one piece of work and comes back full with {limit:,} rows: what"
        " each call costs before its first row is paid less often by larger batches."))


def _ids_first(statement: Statement) -> Iterator[Rewrite]:
    """All keys in one go, then the rows by their keys: no batch searches again for where it begins."""
    once = _whole(statement)
    once.set("expressions", [statement.column(statement.key)])
    select = statement.select
    keys = statement.new("keys")
    for name in ("limit", "offset", "where", "locks"):
        select.set(name, None)
    select = select.where(_among(statement, keys))
    if statement.tree.args.get("locks"):
        select.set("locks", [each.copy() for each in statement.tree.args["locks"]])
    first, batch = statement.text(once), statement.text(select)
    yield Rewrite(
        kind="ids_first", before=statement.query.text, after=batch.sql, takes=batch.takes, once=first.sql,
        once_takes=first.takes, why=(
            f"Read all the keys once, without LIMIT, so that the planner has no reason to walk {statement.key} in its"
            " order in the hope of soon finding enough; then fetch the rows by batches of those keys (the new"
            " parameter is a list of at most as many as LIMIT says). Each row is found by its key; if a row may change"
            " in between, ask for the other conditions again. The keys take 8 bytes each, more in Python: for tens of"
            " millions of them use a cursor."))


def _force_index(statement: Statement) -> Iterator[Rewrite]:
    """Words that mean the same and leave the planner only the index of the conditions."""
    from sqlglot import exp

    equal = {each.column for each in statement.block.conditions if each.kind in ("equal", "in", "null") and each.column}
    by_conditions = next((index for index in statement.table.indexes if index.valid and index.predicate is None
                          and index.keys[0].column in equal), None)
    served = any(serves_order(index.keys, statement.block.order, frozenset()) for index in statement.table.indexes)
    if not statement.block.order or by_conditions is None or not served or serves_order(
            by_conditions.keys, statement.block.order, frozenset(name for name in equal if name)):
        return
    column = statement.table.column(statement.key)
    numeric = column is not None and column.type.lower() in _NUMBERS
    if not numeric:
        return
    select = statement.select
    order = select.args["order"]
    for each in order.expressions:
        each.set("this", exp.Add(this=each.this, expression=exp.Literal.number(0)))
    text = statement.text(select)
    yield Rewrite(kind="force_index", before=statement.query.text, after=text.sql, takes=text.takes, why=(
        f"ORDER BY {statement.key} + 0 means the same, and no index gives it: the planner has to find the rows by"
        f" {by_conditions.name}, and sorts them. That costs the same for every batch, however far away the rows lie,"
        " so it helps where few rows meet the conditions and many others lie between them."))


def _server_cursor(statement: Statement) -> Iterator[Rewrite]:
    """One statement for all rows, read through a cursor."""
    if statement.dialect != "postgres":
        return
    text = statement.text(_whole(statement))
    yield Rewrite(kind="server_cursor", before=statement.query.text, after=text.sql, takes=text.takes, why=(
        "One statement for all rows, read in pieces through a cursor of the server (psycopg: a cursor with a name),"
        " searches once. SET LOCAL cursor_tuple_fraction = 1 first, or the planner plans for the first tenth only and"
        " falls into the same trap. Its transaction stays open until the last row was read, which holds VACUUM back."))


def _whole(statement: Statement) -> "exp.Select":
    """It without LIMIT and without the condition that says where a batch begins."""
    from sqlglot import exp

    from penstock.advise.parsing.conditions import conjuncts

    select = statement.select
    where = select.args.get("where")
    kept = []
    for each in conjuncts(where.this if where is not None else None):
        column = each.find(exp.Column)
        begins = isinstance(each, exp.GT | exp.GTE | exp.LT | exp.LTE) and column is not None and (
            column.name.lower() == statement.key.lower()) and each.find(exp.Placeholder) is not None
        if not begins:
            kept.append(each.copy())
    for name in ("limit", "where", "locks"):
        select.set(name, None)
    return select.where(*kept)


def _among(statement: Statement, keys: "exp.Expr") -> "exp.Expr":
    from sqlglot import exp

    if statement.dialect == "postgres":
        return exp.EQ(this=statement.column(statement.key), expression=exp.Any(this=exp.Paren(this=keys)))
    listed = exp.select("value").from_(exp.Table(this=exp.Anonymous(this="json_each", expressions=[keys])))
    return exp.In(this=statement.column(statement.key), query=exp.Subquery(this=listed))
