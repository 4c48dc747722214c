"""An app whose jobs are run by hand, with keys or without."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from penstock import Keyring, Penstock
from tests.clock import Clock
from tests.engine import Engine

OLD, NEW = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))

Apps = Callable[..., Engine]


@pytest.fixture
def apps(store_url: str, clock: Clock) -> Iterator[Apps]:
    """Makes apps on one store, as other deployments and other programs would: each with the keys that it has."""
    with ExitStack() as opened:
        def make(keys: dict[str, str] | None = None, declare: Callable[[Penstock], object] | None = None) -> Engine:
            app = Penstock(store_url, now=clock.expression, traces=False, encryption=keys and Keyring(keys))
            opened.enter_context(app)
            if declare is not None:
                declare(app)
            return Engine(app, clock)

        yield make
