"""A worker, whole: real threads, real loops, real time; short leases, and events instead of sleeps."""

from typing import Any

import pytest


@pytest.fixture
def settings() -> dict[str, Any]:
    """A lease of 0.6 s is renewed each 0.2 s."""
    return {"now": None, "lease_seconds": 0.6, "poll_seconds": 0.05, "grace_seconds": 10}
