"""Each layer of a run has a trace of its own, in two parts: what it creates and updates, and later what it deletes."""

import linecache
import re
import sys
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
    """Told by the text alone: `inspect` parses it, and on Python 3.11 threads that parse at once fail one another."""
    file = getattr(sys.modules.get(layer.__module__), "__file__", None)
    lines = linecache.getlines(file) if file else []
    begins = re.compile(rf"(\s*)class\s+{re.escape(layer.__name__)}\b")
    known = layer.__dict__.get("__firstlineno__", 1)  # from Python 3.13 on, with its decorators
    for first, line in enumerate(lines[known - 1:], known):
        if found := begins.match(line):
            return Declared(file or "", first, layer.__qualname__, _source(lines, first, len(found[1])))
    return Declared(file or layer.__module__, 0, layer.__qualname__)


def _source(lines: list[str], first: int, indent: int) -> int:
    """The line of a class that says what its source is; 0 where none does."""
    for place, line in enumerate(lines[first:], first + 1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        if _SOURCE.match(line):
            return place
    return 0
