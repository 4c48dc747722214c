"""An app of a shop, on each store; its time is not set, so that tests may set it as applications do."""

from collections.abc import Iterator

import pytest

from penstock import Penstock


@pytest.fixture
def shop(store_url: str) -> Iterator[Penstock]:
    with Penstock(store_url) as app:
        yield app
