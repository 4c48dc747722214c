"""Parts of a library that were replaced, and what is needed to put them back."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

_ABSENT = object()
_buried: dict[tuple[int, str], Any] = {}
"""What others have wrapped around ours, by what it is an attribute of."""


class Patches:
    """What one instrument has replaced. `restore` undoes it, the last first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a function of a class or a module by what `make` makes of it; it keeps its name and its signature.

        A private one that this version of the library does not have is left out: what it would tell is missing then.
        """
        if name.startswith("_") and not hasattr(owner, name):
            return
        original = getattr(owner, name)
        self.put(owner, name, functools.update_wrapper(make(original), original))

    def put(self, owner: Any, name: str, new: Any) -> None:
        """Put something in the place of an attribute.

        What somebody else has wrapped since is not taken away, since that would cut them off: it goes on to tell, and
        is not put there a second time.
        """
        before = vars(owner).get(name, _ABSENT)
        key = id(owner), name
        if key in _buried and _buried[key] is before:
            return
        setattr(owner, name, new)

        def undo() -> None:
            now = vars(owner).get(name)
            if now is not new:
                _buried[key] = now
                return
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        self._undo.append(undo)

    def finally_(self, undo: Callable[[], None]) -> None:
        """Have something else done when it is removed."""
        self._undo.append(undo)

    def restore(self) -> None:
        while self._undo:
            self._undo.pop()()


class Instrument(Protocol):
    """A module of this package that is one."""

    LIBRARY: str

    def install(self, patches: Patches, **options: Any) -> None: ...
