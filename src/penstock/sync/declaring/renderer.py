"""What a layer's `render` is, so that it can be told whether it has changed."""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from types import CellType, CodeType
from typing import Any

_BYTES = 16


def fingerprint(render: Callable[..., Any] | None) -> str:
    """A text that stays the same while the code of `render` does; functions elsewhere that it calls do not count.

    Line numbers and comments do not count. Another version of Python may give another text.
    """
    digest = blake2b(digest_size=_BYTES)
    for code in _codes(render):
        constants = [sorted(map(repr, each)) if isinstance(each, frozenset) else each  # a set's order is by chance
                     for each in code.co_consts if not isinstance(each, CodeType)]
        digest.update(code.co_code + repr((constants, code.co_names, code.co_varnames, code.co_freevars)).encode())
    return digest.hexdigest()


def words(render: Callable[..., Any] | None) -> frozenset[str]:
    """Every text and name in the code of `render`: the name of a field that it gives is among them, unless it is made
    while it runs."""
    found: set[str] = set()
    for code in _codes(render):
        found.update(code.co_names, _texts(code.co_consts))
    return frozenset(found)


def _codes(render: Callable[..., Any] | None) -> Iterator[CodeType]:
    """The code of a function, of those within it, and of those that it encloses (as a decorator does)."""
    waiting: list[Any] = [getattr(render, "__func__", render)]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        code = each if isinstance(each, CodeType) else getattr(each, "__code__", None)
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        yield code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        waiting += [cell.cell_contents for cell in getattr(each, "__closure__", None) or () if _filled(cell)]


def _filled(cell: CellType) -> bool:
    try:
        return callable(cell.cell_contents)
    except ValueError:  # it is yet to be given a value
        return False


def _texts(constants: tuple[Any, ...]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _texts(tuple(constant))
