"""What a SELECT says besides its conditions: its order, its groups, its limit, and the columns that it needs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from penstock.advise.parsing.keys import key_of, plain_sql
from penstock.advise.parsing.scope import Scope
from penstock.advise.parsing.values import Value, number_of
from penstock.domain.queries import Ordering

if TYPE_CHECKING:
    from sqlglot import exp


def order_of(node: "exp.Expr", scope: Scope) -> Iterator[Ordering]:
    """The terms of ORDER BY."""
    order = node.args.get("order")
    for each in order.expressions if order is not None else ():
        descending = bool(each.args.get("desc"))
        first = bool(each.args.get("nulls_first"))
        usual = descending if scope.dialect == "postgres" else not descending
        yield _term(each.this, node, scope, descending, None if first == usual else first)


def group_of(node: "exp.Expr", scope: Scope) -> Iterator[Ordering]:
    """The terms of GROUP BY."""
    group = node.args.get("group")
    for each in group.expressions if group is not None else ():
        yield _term(each, node, scope, False, None)


def _term(term: "exp.Expr", node: "exp.Expr", scope: Scope, descending: bool,
          nulls_first: bool | None) -> Ordering:
    from sqlglot import exp

    if isinstance(term, exp.Literal) and not term.is_string and 0 < int(term.this) <= len(node.expressions):
        term = node.expressions[int(term.this) - 1]
    if isinstance(term, exp.Column) and not term.table:
        # A name in ORDER BY is that of a result first.
        term = next((each.this for each in node.expressions
                     if isinstance(each, exp.Alias) and each.alias == term.name), term)
    term = term.this if isinstance(term, exp.Alias) else term
    found = key_of(term, scope)
    if found is None:
        return Ordering(expression=plain_sql(term, scope), descending=descending, nulls_first=nulls_first)
    return Ordering(alias=found.alias, column=found.column, expression=found.expression, descending=descending,
                    nulls_first=nulls_first)


def count_of(node: "exp.Expr | None", values: Value) -> int | str | None:
    """The number of LIMIT or OFFSET."""
    from sqlglot import exp

    if node is None:
        return None
    value: Any = node.args.get("count") if isinstance(node, exp.Fetch) else node.expression
    if isinstance(value, exp.Literal) and str(value.this).isdigit():
        return int(value.this) if values.hidden != "all" else "?"
    if isinstance(value, exp.Placeholder):
        number = number_of(value)
        known = values.of(number) if number else None
        return known if isinstance(known, int) else "?"
    return None if value is None or isinstance(value, exp.Var | exp.Null) else "?"


def columns_of(node: "exp.Expr", scope: Scope) -> Iterator[tuple[str, str]]:
    """The columns of its own sources that it names anywhere, by alias and name."""
    from sqlglot import exp

    for column in node.find_all(exp.Column):
        owner = scope.owner(column)
        if owner and not owner.outer:
            yield owner.alias, owner.column


def stars_of(node: "exp.Expr", scope: Scope) -> Iterator[str]:
    """The sources of which it takes every column."""
    from sqlglot import exp

    for each in node.expressions if isinstance(node, exp.Select) else ():
        if isinstance(each, exp.Star):
            yield from (alias for alias, source in scope.sources.items() if source.join in ("inner", "left"))
        elif isinstance(each, exp.Column) and isinstance(each.this, exp.Star):
            yield scope.name(each.args["table"])
    if isinstance(node, exp.Update | exp.Delete):
        yield next(iter(scope.sources), "")
