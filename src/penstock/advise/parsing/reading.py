"""From text to a tree, by sqlglot. Whatever it stumbles over becomes one error with a reason for people."""

import logging
import re
from typing import TYPE_CHECKING

from penstock.advise.parsing.lexis import Unfinished, telling
from penstock.advise.parsing.placeholders import Placeholders, taken
from penstock.domain.advice import Dialect
from penstock.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlglot import exp

# What it has to say about a statement is said by the error; without a handler it would go to standard error.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_INNARDS = re.compile(r"<class '[\w.]*?(\w+)'>|<Token [^>]*?text: ([^,>]*)[^>]*>|\x1b\[\d+m")
_LONGEST = 100_000
_STATEMENTS = ("select", "with", "values", "table", "insert", "update", "delete", "replace")


class NotParsed(ValueError):
    """A text that is not one statement of a kind that can be advised on; the message says why."""


def tree(text: str, dialect: Dialect) -> "exp.Expr":
    """The tree of the one statement in a text, with placeholders `:p1` …. Raises `NotParsed`."""
    return parsed(text, dialect)[0]


def parsed(text: str, dialect: Dialect) -> "tuple[exp.Expr, Placeholders]":
    """The tree and what its placeholders stand for. Raises `NotParsed`."""
    try:
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError
    except ImportError:
        raise ConfigurationError("advise: expected sqlglot, which is not installed; pip install 'penstock[advise]'"
                                 ) from None
    if len(text) > _LONGEST:
        raise NotParsed(f"it has {len(text):,} characters; at most {_LONGEST:,} are parsed")
    try:
        neutral, places = taken(text, dialect)
    except Unfinished as fault:
        raise NotParsed(str(fault)) from None
    first = next((word.text.upper() for word in telling(neutral, dialect) if word.text != "("), "nothing")
    if first.lower() not in _STATEMENTS:
        raise NotParsed(f"it begins with {first}, which is no query")
    try:
        trees = [each for each in sqlglot.parse(neutral, dialect=dialect) if each is not None]
    except SqlglotError as fault:
        raise NotParsed(_first_line(fault)) from None
    except RecursionError:
        raise NotParsed("it is nested too deeply") from None
    except Exception as fault:          # a parser that stumbles over what nobody should write must stop nobody else
        raise NotParsed(f"the parser failed on it: {type(fault).__name__}") from fault
    if len(trees) != 1:
        raise NotParsed(f"expected one statement, got {len(trees)}")
    [tree] = trees
    if isinstance(tree, exp.Command):
        raise NotParsed("its beginning is understood and its rest is not")
    if isinstance(tree, exp.Insert | exp.Update | exp.Delete) and not isinstance(tree.this, exp.Table | exp.Schema):
        raise NotParsed(f"{first} names no table")
    if any(table.args.get("catalog") is not None for table in tree.find_all(exp.Table)):
        raise NotParsed("it names a table of another database")
    return tree, places


def written(tree: "exp.Expr", places: Placeholders, *, pretty: bool = False) -> str:
    """The statement of a tree as its driver takes it."""
    from sqlglot import exp

    copy = tree.copy()
    for place in list(copy.find_all(exp.Placeholder)):
        place.replace(exp.var(f":{place.this}"))
    return places.back(copy.sql(dialect=places.dialect, pretty=pretty))


def _first_line(fault: Exception) -> str:
    first = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
    return _INNARDS.sub(lambda found: found[1] or found[2] or "", first.rstrip("."))
