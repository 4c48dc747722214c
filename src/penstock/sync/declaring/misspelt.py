"""Options of a layer that are misspelt: they would be attributes like any other, and quietly do nothing."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from penstock.sync.declaring.declare import Layer

_SHORTEST = 8
"""Options that are shorter are near too many names that people give to things of their own."""
_NEAR = 0.88


def misspelt(declared: type[Layer[Any]]) -> Iterator[str]:
    """A fault for each value that a layer sets under a name which is nearly that of an option, but none.

    Methods are people's own, and so is what continues the name of an option, or is continued by it (`destinations`).
    """
    options = [name for name in dir(Layer) if not name.startswith("_") and len(name) >= _SHORTEST]
    own = [owner for owner in declared.__mro__ if owner not in Layer.__mro__]
    given = {name: value for owner in reversed(own) for name, value in vars(owner).items()}
    for name, value in given.items():
        if name.startswith("_") or hasattr(Layer, name) or callable(value) or isinstance(value, property):
            continue
        for near in get_close_matches(name, options, 1, _NEAR):
            if near not in given and not near.startswith(name) and not name.startswith(near):
                yield f"{declared.__name__}: {name} is no option of a layer; did you mean {near!r}?"
