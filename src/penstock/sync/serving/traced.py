"""Each layer of a run has a trace of its own, in two parts: what it creates and updates, and later what it deletes."""

from contextlib import AbstractContextManager, nullcontext

from penstock.observe.nesting import Nested, inside
from penstock.sync.declaring.ports import Run


class TracedLayers:
    """`with layers.part(name):` is a part of a layer's trace; all of them end with the block that this is entered for.
    Where the run is not traced, nothing is."""

    def __init__(self, sync: str, run: Run) -> None:
        self._sync = sync
        self._run = run
        self._found: dict[str, Nested | None] = {}

    def part(self, layer: str) -> AbstractContextManager[object]:
        if layer not in self._found:
            subject = self._run.subject
            self._found[layer] = inside("layer", f"{self._sync}/{layer}", subject=subject.key, account=subject.account)
        found = self._found[layer]
        return nullcontext() if found is None else found.part()

    def __enter__(self) -> "TracedLayers":
        return self

    def __exit__(self, *exception: object) -> None:
        for nested in self._found.values():
            if nested is not None:
                nested.end()
