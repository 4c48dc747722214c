"""Statements over views, as statements over the tables behind them: what is proposed is for those.

Only what is proposed goes by this; what is explained and tried is the statement as it was written.
"""

from typing import TYPE_CHECKING

from penstock.advise.parsing.reading import NotParsed, parsed, written
from penstock.domain.advice import Schema

if TYPE_CHECKING:
    from sqlglot import exp

_DEEPEST = 5


def through_views(text: str, schema: Schema) -> str:
    """The statement with each view's SELECT in its place, as a subquery; as it is where there are none that parse."""
    if not any(table.definition for table in schema.tables):
        return text
    try:
        tree, places = parsed(text, schema.dialect)
        for _ in range(_DEEPEST):
            if not _replaced(tree, schema):
                break
        return written(tree, places)
    except NotParsed:
        return text


def _replaced(tree: "exp.Expr", schema: Schema) -> bool:
    """Put one SELECT in the place of each view that is named. Raises `NotParsed`."""
    from sqlglot import exp

    defined = {each.alias_or_name for each in tree.find_all(exp.CTE)}
    found = False
    for named in list(tree.find_all(exp.Table)):
        view = schema.table(named.name, named.db or None)
        if view is None or view.definition is None or named.name in defined:
            continue
        inner, _ = parsed(view.definition, schema.dialect)
        if isinstance(inner, exp.Query):
            named.replace(inner.subquery(named.alias_or_name))
            found = True
    return found
