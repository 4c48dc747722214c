"""What is declared under which key: who spends under a key that others have declared too spends what they declare as
well.

So of two declarations of one shared key with different numbers both hold, whoever makes the call.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.domain.errors import ConfigurationError
from penstock.domain.limits import Concurrency, Limit, key_of, name_of
from penstock.domain.names import did_you_mean

Keyed = tuple[Limit, str]


class Declared:
    """The limits of one app, by shared key."""

    def __init__(self) -> None:
        self._shared: dict[str, list[Limit]] = {}
        self._all: dict[str, Limit] = {}

    def add(self, limits: Iterable[Limit], own: Iterable[str] = ()) -> None:
        """Note limits; `own` is what their `by` may name at whoever declares them: such keys are nobody else's."""
        named = set(own)
        for limit in limits:
            self._all[name_of(limit)] = limit
            if isinstance(limit.by, str) and limit.by not in named:
                self._shared.setdefault(limit.by, []).append(limit)

    @property
    def limits(self) -> list[Limit]:
        return list(self._all.values())

    def keyed(self, limits: Sequence[Limit], owner: str, values: Mapping[str, Any]) -> list[Keyed]:
        """The limits of one call with their keys, and those that others declare of the same keys; the lowest number of
        places of each."""
        found: dict[tuple[str, str], Keyed] = {}
        for limit in limits:
            key = key_of(limit, owner, values)
            for each in (limit, *(self._shared.get(key, ()) if key == limit.by else ())):
                place = (key, name_of(each))
                known = found.get(place)
                if known is None or (isinstance(each, Concurrency) and each.count < known[0].count):
                    found[place] = (each, key)
        return list(found.values())

    def of(self, key: str) -> list[Keyed]:
        """The limits of a shared key. Raises `ConfigurationError` for one that nobody has declared."""
        limits = self._shared.get(key)
        if limits is None:
            raise ConfigurationError(
                f"expected the key of a limit, got {key!r}{did_you_mean(key, self._shared)}: declare it with"
                f" app.limits(Rate(10, per=\"second\", by={key!r})), or with by={key!r} at a task or sync")
        return self.keyed(limits, "", {})
