"""Arrays in PostgreSQL's text format (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO).

The driver adapts each element by itself, which takes it several times as long. It also names an array's type by its
largest number, so a statement would be prepared once for small ones and once for each larger kind.
"""

from collections.abc import Sequence
from typing import Any

_REPEATED = 4
_PLAIN = ({int}, {float}, {bool}, set[type]())


def written(value: Any) -> Any:
    """A parameter of a statement: a list as its text where that can be, since the statement says of what type it is."""
    return _literal(value) if type(value) is list else value


def array(texts: Sequence[str]) -> str:
    """A text array."""
    return "{" + ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts) + "}"


def _literal(values: list[Any]) -> Any:
    """Numbers, texts, truth values and nulls as one text; a list of anything else as it is, for the driver."""
    kinds = set(map(type, values))
    if kinds == {int} and len(distinct := set(values)) * _REPEATED <= len(values):
        texts = {value: str(value) for value in distinct}  # a lease stands for hundreds of jobs
        return "{" + ",".join([texts[value] for value in values]) + "}"
    if kinds in _PLAIN:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        return array(values)
    kinds.discard(type(None))
    if kinds in _PLAIN:
        return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
    if kinds == {str}:
        return "{" + ",".join("NULL" if value is None else array((value,))[1:-1] for value in values) + "}"
    return values
