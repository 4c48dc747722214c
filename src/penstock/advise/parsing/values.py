"""What a column is compared with: a constant of the statement, a parameter, a list, or a column from around it."""

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.advise.parsing.placeholders import Placeholders
from penstock.advise.parsing.scope import Scope
from penstock.domain.queries import Hidden

if TYPE_CHECKING:
    from sqlglot import exp


HIDDEN_TEXT = "…"
"""What stands for a text that was not kept."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
            "year": 31_557_600}


class Value(NamedTuple):
    """The values of a statement's parameters, as far as they are known."""

    places: Placeholders
    parameters: Any = None
    hidden: Hidden = "none"

    def of(self, number: int) -> Any:
        """The value of a placeholder; None where it is not known."""
        try:
            return self.places.value(number, self.parameters)
        except LookupError:
            return None


class Given(NamedTuple):
    """One side of a comparison. `length` is how many values a list has; `own`: it has columns of the same tables."""

    constant: str | None = None
    parameter: int | None = None
    length: int | None = None
    correlated: bool = False
    own: bool = False
    ago: float | None = None


def value_of(node: "exp.Expr | None", scope: Scope, values: Value) -> Given:
    """What is known of a value."""
    from sqlglot import exp

    if node is None:
        return Given()
    node = node.unnest()
    owners = [scope.owner(column) for column in node.find_all(exp.Column)]
    if any(owner and not owner.outer for owner in owners) and not node.find(exp.Query):
        return Given(own=True)
    if any(owner and owner.outer for owner in owners):
        return Given(correlated=True)
    inner = node
    while isinstance(inner, exp.Cast):
        inner = inner.this.unnest()
    if isinstance(inner, exp.Literal):
        kept = inner.this != HIDDEN_TEXT and (values.hidden != "all" or inner.is_string)
        return Given(constant=str(inner.this) if kept else None)
    if isinstance(inner, exp.Boolean):
        return Given(constant="t" if inner.this else "f")
    if isinstance(inner, exp.Array | exp.Tuple):
        return Given(length=len(inner.expressions))
    if isinstance(inner, exp.Placeholder):
        number = number_of(inner)
        value = values.of(number) if number else None
        return Given(parameter=number, constant=text_of(value),
                     length=len(value) if isinstance(value, list | tuple | set) else None)
    return Given(ago=_ago(inner))


def _ago(node: "exp.Expr") -> float | None:
    """How many seconds before now `now() - interval '1 day'` is, or `now()` itself."""
    from sqlglot import exp

    now = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentDatetime)
    if isinstance(node, now):
        return 0.0
    interval = node.expression if isinstance(node, exp.Sub) and isinstance(node.this.unnest(), now) else None
    if not isinstance(interval, exp.Interval) or not isinstance(interval.this, exp.Literal):
        return None
    unit = str(interval.args.get("unit") or "").lower().rstrip("s")
    try:
        return float(interval.this.this) * _SECONDS[unit]
    except (KeyError, ValueError):
        return None


def number_of(place: "exp.Expr") -> int | None:
    """The number of a placeholder `:p1`."""
    text = str(place.this)
    return int(text[1:]) if text[1:].isdigit() else None


def text_of(value: Any) -> str | None:
    """A parameter's value as a database's statistics would write it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, int | float | str) or type(value).__name__ in ("Decimal", "UUID") else None


def pattern_beginning(node: "exp.Expr", scope: Scope, values: Value) -> str | None:
    """What the texts begin with that a pattern fits, maybe nothing; None where the pattern is not known."""
    from sqlglot import exp

    given = value_of(node.expression, scope, values)
    if given.constant is None:
        return None
    if isinstance(node, exp.StartsWith):
        return given.constant
    wild = "*?[" if isinstance(node, exp.Glob) else "%_\\"
    return given.constant[:next((place for place, sign in enumerate(given.constant) if sign in wild),
                                len(given.constant))]
