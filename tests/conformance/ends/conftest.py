"""Workers that soon give up on what does not end, here and in processes of their own."""

from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Penstock
from tests.conformance import ending_app


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "patience_seconds": 0.1, "abandoned_limit": 2}


@pytest.fixture
def ending(store_url: str) -> Iterator[Penstock]:
    """The tasks of `ending_app`, which processes serve, to enqueue with."""
    with ending_app.enqueuing(store_url) as app:
        yield app
