"""What Penstock needs of a connection that belongs to an application, whatever driver or framework made it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.store.statements import Dialect

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A connection as Penstock executes on it.

    `driver` is the driver's own connection, underneath whatever wraps it. `form` turns a compiled statement and its
    parameters into what `run` takes; `run` gives all rows as tuples, or awaits them where the connection is
    asynchronous.
    """

    driver: Any
    dialect: Dialect
    form: Callable[[str, Params], tuple[str, Any]]
    run: Callable[[str, Any], Any]
