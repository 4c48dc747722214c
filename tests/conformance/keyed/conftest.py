"""Lines as the store has them, and an admission by hand: what jobs do to lines is tested without a dispatcher."""

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.conformance.keyed.lines import Lines


@pytest.fixture
def lines(app: Penstock, clock: Clock) -> Lines:
    return Lines(app, clock)
