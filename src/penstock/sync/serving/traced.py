"""Each layer of a run has a trace of its own, in two parts: what it creates and updates, and later what it deletes."""

import inspect
import re
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

from penstock.observe.nesting import Nested, inside
from penstock.observe.sites import Declared
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run

_SOURCE = re.compile(r"\s+(def )?source\b")


class TracedLayers:
    """`with layers.part(name):` is a part of a layer's trace; all of them end with the block that this is entered for.
    Where the run is not traced, nothing is."""

    def __init__(self, sync: str, run: Run) -> None:
        self._sync = sync
        self._run = run
        self._found: dict[str, Nested | None] = {}

    def part(self, layer: LayerDefinition) -> AbstractContextManager[object]:
        name = layer.name
        if name not in self._found:
            subject = self._run.subject
            made = inside("layer", f"{self._sync}/{name}", subject=subject.key, account=subject.account)
            if made is not None:
                made.trace.declared = declared_at(layer.layer)
            self._found[name] = made
        found = self._found[name]
        return nullcontext() if found is None else found.part()

    def __enter__(self) -> "TracedLayers":
        return self

    def __exit__(self, *exception: object) -> None:
        for nested in self._found.values():
            if nested is not None:
                nested.end()


def declared_at(declared: object) -> Declared:
    """Where the class of a sync or a layer is declared: what a source or a destination of Penstock's asks for is asked
    for there. Without its text at hand, of the module alone."""
    layer: Any = type(declared)
    return _declared_at(layer)


@lru_cache(maxsize=1000)
def _declared_at(layer: type) -> Declared:
    try:
        lines, first = inspect.getsourcelines(layer)
        file = inspect.getsourcefile(layer) or layer.__module__
    except (OSError, TypeError, SyntaxError):
        return Declared(layer.__module__, 0, layer.__qualname__)
    source = next((place for place, line in enumerate(lines) if _SOURCE.match(line)), None)
    return Declared(file, first, layer.__qualname__, 0 if source is None else first + source)
