"""What an index could have as a key: a column, or an expression over the columns of one table that never changes."""

from typing import TYPE_CHECKING, NamedTuple

from penstock.advise.parsing.scope import Scope

if TYPE_CHECKING:
    from sqlglot import exp

_LOCAL_TIMES = ("timestamp", "timestamp without time zone", "date")


class KeyFound(NamedTuple):
    """A key of the source `alias`: either a column or an expression."""

    alias: str
    column: str | None
    expression: str | None
    base: str | None = None


def key_of(node: "exp.Expr", scope: Scope) -> KeyFound | None:
    """The key that a side of a comparison is; None where it is none, or no index of it may be made."""
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.Column):
        owner = scope.owner(node)
        return KeyFound(owner.alias, owner.column, None) if owner and not owner.outer else None
    if why_no_key(node, scope) is not None:
        return None
    owners = {owner.alias for column in node.find_all(exp.Column) if (owner := scope.owner(column))}
    if len(owners) != 1:
        return None
    columns = [owner.column for column in node.find_all(exp.Column) if (owner := scope.owner(column))]
    keeps = all(isinstance(each, exp.Lower | exp.Upper | exp.Trim | exp.MD5 | exp.Column | exp.Identifier)
                for each in node.walk())
    return KeyFound(owners.pop(), None, plain_sql(node, scope), columns[0] if keeps and len(columns) == 1 else None)


def why_no_key(node: "exp.Expr", scope: Scope) -> str | None:
    """Why an expression over columns cannot be indexed, or should not be; None where it can, or has no column."""
    from sqlglot import exp

    node = node.unnest()
    columns = list(node.find_all(exp.Column))
    owners = [scope.owner(column) for column in columns]
    if isinstance(node, exp.Column) or not columns or any(owner is None or owner.outer for owner in owners):
        return None
    if node.find(exp.Query, exp.Placeholder, exp.AggFunc, exp.Window):
        return "one side of it mixes columns with values, so it cannot be a key"
    steps = [each for each in node.walk() if not isinstance(each, exp.Column | exp.Identifier)]
    dates = [each for each in steps if isinstance(each, exp.Cast | exp.Date | exp.TimestampTrunc | exp.DateTrunc
                                                   | exp.Extract | exp.TsOrDsToDate)]
    if dates and not all(_local(column, scope) for column in columns):
        return ("it is a function of a time, whose result depends on the session's time zone, so that no index of it"
                " may be made; compare the column itself with a range of times")
    if any(isinstance(each, exp.Add | exp.Sub | exp.Mul | exp.Div) for each in steps):
        return "it reckons with the column; write the column alone on one side, and an index serves it"
    if any(isinstance(each, exp.Anonymous | exp.Dot) for each in steps):
        return "it calls a function of which nobody has said that it is immutable, as the key of an index has to be"
    return None


def plain_sql(node: "exp.Expr", scope: Scope) -> str:
    """The SQL of an expression without the names of tables in front of columns."""
    from sqlglot import exp

    copy = node.copy()
    for column in [copy] if isinstance(copy, exp.Column) else list(copy.find_all(exp.Column)):
        column.set("table", None)
        column.set("db", None)
    for place in list(copy.find_all(exp.Placeholder)):
        place.replace(exp.var(f":{place.this}"))
    return str(copy.sql(dialect=scope.dialect, normalize_functions="lower"))


def _local(column: "exp.Column", scope: Scope) -> bool:
    owner = scope.owner(column)
    table = scope.table(owner.alias) if owner else None
    known = table.column(owner.column) if table and owner else None
    kind = known.type.lower() if known else ""
    return scope.dialect == "sqlite" or kind in _LOCAL_TIMES or not (kind == "" or kind.startswith("time"))
