"""A range of a column instead of a function of it, so that an index of the column serves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.advise.parsing.conditions import conjuncts
from penstock.advise.proposing.rewriting.statement import Statement
from penstock.domain.advice import Rewrite

if TYPE_CHECKING:
    from sqlglot import exp

_UNITS = ("hour", "day", "week", "month", "quarter", "year")


def plain_columns(statement: Statement) -> Iterator[Rewrite]:
    """`created_at::date = x` and `date_trunc('month', created_at) = x` as ranges of `created_at`."""
    from sqlglot import exp

    if statement.dialect != "postgres":
        return
    select = statement.select
    where = select.args.get("where")
    changed = []
    for each in list(conjuncts(where.this if where is not None else None)):
        found = _period(each)
        if found is None:
            continue
        column, unit, value = found
        date = unit == "date"
        step = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY" if date else unit.upper()))
        begin = exp.cast(value.copy(), "date" if date else "timestamptz")
        each.replace(exp.and_(exp.GTE(this=column.copy(), expression=begin), exp.LT(
            this=column.copy(), expression=exp.Add(this=begin.copy(), expression=step))))
        changed.append(column.name)
    if changed:
        text = statement.text(select)
        yield Rewrite(kind="plain_column", before=statement.query.text, after=text.sql, takes=text.takes, why=(
            f"A function of {', '.join(changed)} is served by no index of the column. A range of it means the same, in"
            " the session's time zone, and an index serves that."))


def _period(node: "exp.Expr") -> "tuple[exp.Column, str, exp.Expr] | None":
    from sqlglot import exp

    if not isinstance(node, exp.EQ):
        return None
    for function, value in ((node.this, node.expression), (node.expression, node.this)):
        if value.find(exp.Column):
            continue
        if isinstance(function, exp.Cast) and function.to.is_type("date") and isinstance(function.this, exp.Column):
            return function.this, "date", value
        if isinstance(function, exp.Date) and isinstance(function.this, exp.Column):
            return function.this, "date", value
        if isinstance(function, exp.TimestampTrunc | exp.DateTrunc) and isinstance(function.this, exp.Column):
            unit = str(function.args["unit"].name).lower()
            return (function.this, unit, value) if unit in _UNITS else None
    return None
