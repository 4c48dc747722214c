"""A task that says what ran, an engine that steps, and workers whose patience is short."""

from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from tests.clock import Clock
from tests.engine import Engine


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "patience_seconds": 0.2}


@pytest.fixture
def ran() -> list[Any]:
    return []


@pytest.fixture
def work(app: Penstock, ran: list[Any]) -> Any:
    @app.task(name="work", retry=RetryPolicy(base_seconds=10, jitter=0))
    def work(number: int) -> None:
        ran.append(number)

    return work


@pytest.fixture
def engine(app: Penstock, work: Any, clock: Clock) -> Engine:
    return Engine(app, clock)
