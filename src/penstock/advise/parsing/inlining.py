"""Subqueries in FROM, and common table expressions that are named once, taken into the SELECT around them.

Planners do so where the inner one is nothing but columns, tables and conditions, and then the conditions outside of it
are on its tables. Only where it is the one source of the SELECT, so that every name can be told; else it stays.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_DEEPEST = 10
_MORE_THAN_TABLES = ("with_", "group", "having", "limit", "offset", "distinct", "laterals", "order", "windows", "locks",
                     "sample")


def inlined(tree: "exp.Expr") -> "exp.Expr":
    """The statement with what can be taken in taken in. The tree that is given is not changed."""
    from sqlglot import exp

    copy = tree.copy()
    for _ in range(_DEEPEST):
        if not _named(copy) and not any(_taken_in(select) for select in list(copy.find_all(exp.Select))):
            break
    return copy


def _named(tree: "exp.Expr") -> bool:
    """Put one common table expression that is named once where it is named."""
    from sqlglot import exp

    for cte in list(tree.find_all(exp.CTE)):
        with_ = cte.parent
        if not isinstance(with_, exp.With) or with_.args.get("recursive") or cte.args.get("materialized") or not (
                isinstance(cte.this, exp.Select) and _plain(cte.this)) or cte.args["alias"].args.get("columns"):
            continue
        uses = [table for table in tree.find_all(exp.Table)
                if not table.db and table.name.lower() == cte.alias.lower() and isinstance(table.this, exp.Identifier)]
        if len(uses) != 1 or not isinstance(uses[0].parent, exp.From) or not _alone(uses[0].parent.parent):
            continue
        alias = uses[0].alias_or_name
        uses[0].replace(exp.Subquery(this=cte.this.copy(), alias=exp.TableAlias(this=exp.to_identifier(alias))))
        cte.pop()
        if not with_.expressions:
            with_.pop()
        return True
    return False


def _taken_in(select: "exp.Select") -> bool:
    """Take in the one subquery that a SELECT reads."""
    from sqlglot import exp

    from_ = select.args.get("from_")
    source = from_.this if from_ is not None else None
    if not isinstance(source, exp.Subquery) or not isinstance(source.this, exp.Select) or not _plain(source.this):
        return False
    inner, alias = source.this, source.alias.lower()
    columns = {each.alias_or_name.lower(): each.unalias() for each in inner.expressions if not each.is_star}
    starred = any(each.is_star for each in inner.expressions)
    if not _alone(select) or not all(isinstance(each, exp.Column) for each in columns.values()):
        return False
    for part in (part for name, part in select.args.items() if name not in ("from_", "with_")):
        for node in part if isinstance(part, list) else [part]:
            for column in list(node.find_all(exp.Column)) if isinstance(node, exp.Expr) else ():
                if column.table and column.table.lower() != alias:
                    continue
                if column.name.lower() in columns:
                    _put(column, columns[column.name.lower()])
                elif starred or column.is_star:
                    column.set("table", None)
    if any(each.is_star for each in select.expressions):
        select.set("expressions", [each.copy() for each in inner.expressions])
    where = [part.this for part in (inner.args.get("where"), select.args.get("where")) if part is not None]
    select.set("from_", inner.args["from_"].copy() if inner.args.get("from_") is not None else None)
    select.set("joins", [join.copy() for join in inner.args.get("joins") or []])
    select.set("where", exp.Where(this=exp.and_(*(each.copy() for each in where))) if where else None)
    return True


def _put(column: "exp.Column", meant: "exp.Expr") -> None:
    """The column that is meant, under the name that the result has."""
    from sqlglot import exp

    parent = column.parent
    if isinstance(parent, exp.Select) and column.arg_key == "expressions" and meant.name != column.name:
        column.replace(exp.alias_(meant.copy(), column.name))
    else:
        column.replace(meant.copy())


def _alone(select: "exp.Expr | None") -> bool:
    """Whether a SELECT has one source, and no subquery that might mean the names of it."""
    from sqlglot import exp

    if not isinstance(select, exp.Select) or select.args.get("joins") or select.args.get("laterals"):
        return False
    parts = [part for name, part in select.args.items() if name not in ("from_", "with_")]
    return not any(node.find(exp.Query) for part in parts for node in (part if isinstance(part, list) else [part])
                   if isinstance(node, exp.Expr))


def _plain(select: "exp.Select") -> bool:
    from sqlglot import exp

    return not any(select.args.get(name) for name in _MORE_THAN_TABLES) and not select.find(exp.AggFunc, exp.Window)
