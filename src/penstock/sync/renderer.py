"""What a layer's `render` is, so that it can be told whether it has changed."""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from types import CodeType
from typing import Any

_BYTES = 16


def fingerprint(render: Callable[..., Any] | None) -> str:
    """A text that stays the same while the code of `render` does; functions that it calls are not looked into.

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
    code = getattr(getattr(render, "__func__", render), "__code__", None)
    waiting = [code] if code is not None else []
    while waiting:
        each = waiting.pop()
        yield each
        waiting += [constant for constant in each.co_consts if isinstance(constant, CodeType)]


def _texts(constants: tuple[Any, ...]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _texts(tuple(constant))
