"""Workers that look often, and give up early on what does not listen."""

from typing import Any

import pytest


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "patience_seconds": 0.1}
