"""A dispatcher by hand beside a worker by hand, and what the store says of the lines."""

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.conformance.admission.desk import Desk


@pytest.fixture
def desk(app: Penstock, clock: Clock) -> Desk:
    return Desk(app, clock)
