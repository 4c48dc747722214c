"""Engines of syncs with a depot of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from penstock.sync.state.runs import RunRow
from tests.clock import Clock
from tests.conformance.applying.depot import Depot, Parcels
from tests.engine import Engine


class Post(Engine):
    """An engine of the sync `parcels`."""

    parcels: Parcels

    @property
    def depot(self) -> Any:
        return self.parcels.depot

    def run(self) -> RunRow:
        [run] = self.sync("parcels", "depot")
        return run

    def rows(self, columns: str) -> dict[str, tuple[Any, ...]]:
        """Columns of the layer's state, by key."""
        table = self.app.layer_tables[0].state
        return {key: tuple(rest) for key, *rest in self.clock.fetch(f"select key, {columns} from penstock.{table}")}


Opened = Callable[..., Post]


@pytest.fixture
def post(store_url: str, clock: Clock) -> Iterator[Opened]:
    """`post(depot, "a", "b", option=…)` gives an engine whose source has parcels of these keys."""
    with ExitStack() as stack:
        def opened(depot: Depot | None = None, *keys: str, **options: Any) -> Post:
            parcels = Parcels(depot if depot is not None else Depot())
            parcels.put(*keys)
            engine = Post(stack.enter_context(parcels.app(store_url, clock.expression, **options)), clock)
            engine.parcels = parcels
            return engine

        yield opened
