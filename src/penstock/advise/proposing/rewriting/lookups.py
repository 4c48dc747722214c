"""One row at a time, many times: one statement for many keys."""

from collections.abc import Iterator

from penstock.advise.parsing.conditions import conjuncts
from penstock.advise.proposing.rewriting.statement import Statement
from penstock.domain.advice import Rewrite
from penstock.domain.traces import StatementSeen

_MANY = 10


def batch(statement: Statement, seen: StatementSeen | None) -> Iterator[Rewrite]:
    """`= ANY` instead of `=`, for a statement that is asked for one key after another."""
    from sqlglot import exp

    if seen is None or seen.most_calls < _MANY or not seen.calls:
        return
    single = seen.at_most_one / seen.calls >= 0.9
    asked = [each for each in statement.block.conditions if each.kind == "equal" and each.column
             and each.parameter is not None]
    if not asked or statement.block.limit not in (None, 1) or statement.block.order or not (
            single or len(asked) == len(statement.block.conditions)):
        return
    name = next((each.column for each in asked if (each.column,) == statement.table.primary_key), asked[0].column) or ""
    select = statement.select
    where = select.args["where"]
    for each in conjuncts(where.this):
        column, place = each.find(exp.Column), each.find(exp.Placeholder)
        if isinstance(each, exp.EQ) and column is not None and place is not None and column.name == name:
            keys = statement.new("keys")
            if statement.dialect == "postgres":
                each.replace(exp.EQ(this=column.copy(), expression=exp.Any(this=exp.Paren(this=keys))))
            else:
                listed = exp.select("value").from_(exp.Table(this=exp.Anonymous(this="json_each", expressions=[keys])))
                each.replace(exp.In(this=column.copy(), query=exp.Subquery(this=listed)))
            break
    else:
        return
    select.set("limit", None)
    needed = [part.name for part in select.expressions if isinstance(part, exp.Column)]
    if name not in needed and not any(isinstance(part, exp.Star) or part.is_star for part in select.expressions):
        select.set("expressions", [statement.column(name), *select.expressions])
    text = statement.text(select)
    kind = "a list" if statement.dialect == "postgres" else "a list as JSON"
    yield Rewrite(kind="batch", before=statement.query.text, after=text.sql, takes=text.takes, why=(
        f"It was asked {seen.most_calls:,} times in one piece of work, for one {name} at a time: each call waits for an"
        f" answer across the network. Ask for many at once (the new parameter is {kind} of them), and put the rows into"
        f" a dictionary by {name}."))
