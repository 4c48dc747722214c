"""What a statement asks for: its tables, and by block the columns that it compares, orders, joins and needs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from penstock.advise.parsing.blocks import Blocks
from penstock.advise.parsing.inlining import inlined
from penstock.advise.parsing.lexis import telling
from penstock.advise.parsing.reading import NotParsed, parsed
from penstock.advise.parsing.values import HIDDEN_TEXT, Value
from penstock.domain.advice import Dialect, Hidden, Query, Schema

if TYPE_CHECKING:
    from sqlglot import exp

Kind = Literal["select", "insert", "update", "delete", "other"]


def parse(text: str, dialect: Dialect, schema: Schema | None = None, parameters: Any = None) -> Query:
    """What a statement comes to. Never raises for what is written in it: `fault` says what is wrong.

    Without `schema` columns that do not say whose they are stay unknown where there are several tables: parse once for
    the tables' names, and again with the tables. `parameters` are its values as the driver took them, by place or name.
    """
    try:
        tree, places = parsed(text, dialect)
    except NotParsed as fault:
        return Query(text=text, dialect=dialect, kind="other", fault=str(fault))
    hidden = _hidden(text, dialect)
    try:
        kind = _kind(tree)
        blocks = Blocks(dialect, schema, Value(places, parameters, hidden)).of(inlined(tree))
        return Query(text=text, dialect=dialect, kind=kind, blocks=tuple(blocks), writes=_written(tree), hidden=hidden,
                     assigned=tuple(_assigned(tree)), tables=tuple(dict.fromkeys(_tables(tree, dialect))))
    except RecursionError:
        return Query(text=text, dialect=dialect, kind="other", fault="it is nested too deeply")
    except Exception as fault:          # one statement of a form that nobody foresaw must not cost the advice on others
        said = f"it is of a form that is not understood ({type(fault).__name__}: {fault})"
        return Query(text=text, dialect=dialect, kind="other", fault=said)


def _hidden(text: str, dialect: Dialect) -> Hidden:
    """Which of its literals were not kept. Where only zeros and `'…'` are left, none was."""
    literals = [word.text for word in telling(text, dialect) if word.kind in ("text", "number")]
    if not literals or any(each not in ("0", f"'{HIDDEN_TEXT}'") for each in literals):
        return "texts" if f"'{HIDDEN_TEXT}'" in literals else "none"
    return "all"


def _kind(tree: "exp.Expr") -> Kind:
    from sqlglot import exp

    kinds: dict[type[exp.Expr], Kind] = {exp.Insert: "insert", exp.Update: "update", exp.Delete: "delete"}
    return kinds.get(type(tree), "select" if isinstance(tree, exp.Query | exp.Values) else "other")


def _written(tree: "exp.Expr") -> str | None:
    from sqlglot import exp

    target = tree.find(exp.Table) if isinstance(tree, exp.Insert | exp.Update | exp.Delete) else None
    return target.name if target is not None else None


def _assigned(tree: "exp.Expr") -> Iterator[str]:
    from sqlglot import exp

    if isinstance(tree, exp.Update):
        for each in tree.expressions:
            for column in each.this.find_all(exp.Column) if isinstance(each, exp.EQ) else ():
                yield column.name


def _tables(tree: "exp.Expr", dialect: Dialect) -> Iterator[tuple[str | None, str]]:
    from sqlglot import exp

    named = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in named):
            continue
        folded = dialect == "postgres"
        schema, name = table.args.get("db"), table.this
        yield (_folded(schema, folded) if schema is not None else None), _folded(name, folded)


def _folded(identifier: "exp.Expr", folded: bool) -> str:
    text = str(identifier.name)
    return text.lower() if folded and not identifier.args.get("quoted") else text
