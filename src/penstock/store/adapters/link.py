"""What Penstock needs of a connection that belongs to an application, whatever driver or framework made it."""

import sys
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


@dataclass(frozen=True, slots=True)
class Kind:
    """Classes of one module whose instances can be written through.

    `open` makes a link of an instance; that of an `asynchronous` kind may have to be awaited, and its `run` always.
    """

    module: str
    classes: tuple[str, ...]
    open: Callable[[Any], Any]
    asynchronous: bool = False

    def has(self, connection: object) -> bool:
        return is_one_of(connection, self.module, self.classes)


def is_one_of(found: object, module: str, classes: tuple[str, ...]) -> bool:
    """Whether something is an instance of classes of a module, which the application must then have imported."""
    known = [getattr(sys.modules.get(module), name, None) for name in classes]
    return isinstance(found, tuple(each for each in known if isinstance(each, type)))
