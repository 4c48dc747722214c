"""An app whose process can die: from then on nothing that it does reaches its store."""

from typing import Any, cast

from penstock.app import Penstock
from penstock.store.port import Store
from penstock.testing.connectors.faults import Faults


class MortalApp(Penstock):
    """A `Penstock` with the faults of one world."""

    def __init__(self, url: str, faults: Faults) -> None:
        self._faults = faults
        super().__init__(url)

    @property
    def store(self) -> Store:
        return cast("Store", Mortal(super().store, self._faults))


class Mortal:
    """A store as long as its process lives; then every use of it raises `Killed`."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    @property
    def control(self) -> "Mortal":
        return Mortal(self._store.control, self._faults)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._faults.alive()
            return found(*arguments, **named)

        return call
