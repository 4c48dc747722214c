"""What one condition says of the columns of a table, and whether an ordered index could serve it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import structs

from penstock.advise.parsing.keys import key_of, plain_sql, why_no_key
from penstock.advise.parsing.scope import Scope
from penstock.advise.parsing.values import Value, pattern_beginning, value_of
from penstock.domain.advice import Condition, ConditionKind

if TYPE_CHECKING:
    from sqlglot import exp

_GIN = ("an ordered index does not serve it; a GIN or GiST index may, which is for the operator class to say and for"
        " people to try")
_ALL_BUT = "it asks for everything but some values, which an index does not narrow down"


def conjuncts(node: "exp.Expr | None") -> "Iterator[exp.Expr]":
    """The conditions that AND joins."""
    from sqlglot import exp

    if node is None:
        return
    if isinstance(node, exp.Paren):
        yield from conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from conjuncts(node.this)
        yield from conjuncts(node.expression)
    else:
        yield node


def conditions(node: "exp.Expr", scope: Scope, values: Value) -> list[Condition]:
    """What one condition comes to: one of the kind `equal` for each side of a join, else one, or none that is known."""
    from sqlglot import exp

    if isinstance(node, exp.EQ | exp.NullSafeEQ):
        return _equal(node, scope, values)
    if isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE):
        return _compared(node, node.this, node.expression, "range", scope, values)
    if isinstance(node, exp.Between):
        ends = ((node.args["low"], True), (node.args["high"], False))
        return [structs.replace(each, above=above) if each.kind == "range" else each for value, above in ends
                for each in _of_key(node, node.this, "range", scope, values, value)]
    if isinstance(node, exp.In):
        return _in(node, scope, values)
    if isinstance(node, exp.Is):
        return _is(node, scope, values)
    if isinstance(node, exp.Not):
        return _not(node, scope, values)
    if isinstance(node, exp.Column):
        return _of_key(node, node, "equal", scope, values, exp.true())
    if isinstance(node, exp.Like | exp.Glob | exp.StartsWith):
        return _like(node, scope, values)
    if isinstance(node, exp.Or):
        return _or(node, scope, values)
    return _other(node, scope, _reason(node))


def _equal(node: "exp.Expr", scope: Scope, values: Value) -> list[Condition]:
    from sqlglot import exp

    left, right = node.this, node.expression
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
        pairs = zip(left.expressions, right.expressions, strict=False)
        return [each for one, two in pairs for each in conditions(exp.EQ(this=one, expression=two), scope, values)]
    for one, two in ((left, right), (right, left)):
        if isinstance(two, exp.Any):
            return _of_key(node, one, "in", scope, values, two.this)
    if isinstance(node, exp.NullSafeEQ):
        return _other(node, scope, "IS NOT DISTINCT FROM uses no index; write = or IS NULL")
    return _compared(node, left, right, "equal", scope, values)


def _compared(node: "exp.Expr", left: "exp.Expr", right: "exp.Expr", kind: ConditionKind, scope: Scope,
              values: Value) -> list[Condition]:
    from sqlglot import exp

    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple) and left.expressions:
        left, right = left.expressions[0], right.expressions[0]
    one, two = key_of(left, scope), key_of(right, scope)
    if one and two and one.alias != two.alias:
        if kind != "equal" or not (one.column and two.column):
            return [Condition(kind="other", alias=each.alias, text=plain_sql(node, scope),
                              reason="it compares two tables, and not for being equal") for each in (one, two)]
        text = plain_sql(node, scope)
        return [Condition(kind="equal", alias=mine.alias, column=mine.column, other=(theirs.alias, theirs.column or ""),
                          text=text) for mine, theirs in ((one, two), (two, one))]
    if one and two:
        return _other(node, scope, "it compares columns of one row with each other")
    for key, value in ((left, right), (right, left)):
        if key_of(key, scope):
            found = _of_key(node, key, kind, scope, values, value)
            above = isinstance(node, exp.GT | exp.GTE) == (key is left)
            return [structs.replace(each, above=above) if each.kind == "range" else each for each in found]
    reason = why_no_key(left, scope) or why_no_key(right, scope)
    return _other(node, scope, reason or "it is no comparison with a value")


def _of_key(node: "exp.Expr", key: "exp.Expr", kind: ConditionKind, scope: Scope, values: Value,
            value: "exp.Expr | None") -> list[Condition]:
    found = key_of(key, scope)
    if found is None:
        return _other(node, scope, why_no_key(key, scope) or "it is no comparison of a column with a value")
    given = value_of(value, scope, values)
    if given.own:
        return _other(node, scope, "it compares columns of one row with each other")
    count = given.length if kind == "in" else None
    return [Condition(kind="equal" if count == 1 else kind, alias=found.alias, column=found.column,
                      expression=found.expression, base=found.base, constant=given.constant,
                      parameter=given.parameter, values=count,
                      correlated=given.correlated, ago=given.ago, text=plain_sql(node, scope))]


def _in(node: "exp.In", scope: Scope, values: Value) -> list[Condition]:
    from sqlglot import exp

    if node.args.get("query") is not None:
        found = key_of(node.this, scope)
        return [Condition(kind="in", alias=found.alias, column=found.column, expression=found.expression,
                          text=plain_sql(node, scope))] if found else []
    listed = exp.Array(expressions=node.expressions) if node.expressions else node.args.get("field")
    return _of_key(node, node.this, "in", scope, values, listed)


def _is(node: "exp.Is", scope: Scope, values: Value) -> list[Condition]:
    from sqlglot import exp

    if isinstance(node.expression, exp.Null):
        return _of_key(node, node.this, "not_null" if node.args.get("negate") else "null", scope, values, None)
    if isinstance(node.expression, exp.Boolean) and not node.args.get("negate"):
        return _of_key(node, node.this, "equal", scope, values, node.expression)
    return _other(node, scope, _reason(node))


def _not(node: "exp.Not", scope: Scope, values: Value) -> list[Condition]:
    from sqlglot import exp

    inner = node.this.unnest()
    if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
        return _of_key(node, inner.this, "null" if inner.args.get("negate") else "not_null", scope, values, None)
    if isinstance(inner, exp.Column):
        return _of_key(node, inner, "equal", scope, values, exp.false())
    return _other(node, scope, _ALL_BUT)


def _like(node: "exp.Expr", scope: Scope, values: Value) -> list[Condition]:
    from sqlglot import exp

    if node.args.get("negate"):
        return _other(node, scope, _ALL_BUT)
    if isinstance(node, exp.Like) and scope.dialect == "sqlite":
        return _other(node, scope, "LIKE of SQLite ignores case, which an ordinary index does not serve; GLOB may")
    beginning = pattern_beginning(node, scope, values)
    if beginning is None:
        return _other(node, scope, "whether an index serves LIKE is decided by the pattern, and that was not kept; to"
                                   " tell, all parameters and texts have to be kept")
    if not beginning:
        return _other(node, scope, "its pattern begins with a wildcard, so no ordered index narrows it down; a trigram"
                                   " index (pg_trgm) may")
    found = _of_key(node, node.this, "prefix", scope, values, None)
    return [each if each.kind != "prefix" else structs.replace(each, constant=beginning) for each in found]


def _or(node: "exp.Expr", scope: Scope, values: Value) -> list[Condition]:
    arms = [conditions(arm, scope, values) for arm in _arms(node)]
    flat = [arm[0] for arm in arms if len(arm) == 1]
    if len(flat) == len(arms) and all(each.kind in ("equal", "in") and not each.other for each in flat) and len(
            {(each.alias, each.column, each.expression) for each in flat}) == 1:
        counts = [each.values if each.kind == "in" else 1 for each in flat]
        total = sum(each for each in counts if each) if all(counts) else None
        return [Condition(kind="in", alias=flat[0].alias, column=flat[0].column, expression=flat[0].expression,
                          values=total, text=plain_sql(node, scope))]
    return _other(node, scope, "OR over different columns is served by no single index; UNION of the two, or an index"
                               " for each, may")


def _arms(node: "exp.Expr") -> "Iterator[exp.Expr]":
    from sqlglot import exp

    inner = node.unnest()
    if isinstance(inner, exp.Or):
        yield from _arms(inner.this)
        yield from _arms(inner.expression)
    else:
        yield inner


def _other(node: "exp.Expr", scope: Scope, reason: str) -> list[Condition]:
    """A condition that no index serves, for each source that it is about."""
    from sqlglot import exp

    owners = [owner for column in node.find_all(exp.Column) if (owner := scope.owner(column)) and not owner.outer]
    text = plain_sql(node, scope)
    return [Condition(kind="other", alias=alias, column=column if len(owners) == 1 else None, text=text, reason=reason)
            for alias, column in {owner.alias: owner.column for owner in owners}.items()]


def _reason(node: "exp.Expr") -> str:
    from sqlglot import exp

    if isinstance(node, exp.NEQ | exp.NullSafeNEQ):
        return "it asks for everything but one value, which an index does not narrow down"
    if isinstance(node, exp.ILike):
        return ("ILIKE ignores case, so no ordered index of the column serves it; compare lower(…), or try a trigram"
                " index (pg_trgm)")
    if isinstance(node, exp.RegexpLike | exp.RegexpILike | exp.SimilarTo):
        return "a regular expression is served by no ordered index; a trigram index (pg_trgm) may"
    if isinstance(node, exp.ArrayContainsAll | exp.ArrayOverlaps | exp.ArrayContainedBy | exp.MatchAgainst
                  | exp.JSONBContains):
        return _GIN
    return "it is of no form that an ordered index serves"
