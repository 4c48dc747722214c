"""Fixtures for pytest: an app on a store of its own for each test, its clock, and inline mode.

What they need is imported when one of them is used: this module is loaded by every run of pytest near which Penstock is
installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from penstock.app import Penstock
    from penstock.testing.clock import FakeClock
    from penstock.testing.inline import Inline


@pytest.fixture(scope="session")
def penstock_app_path() -> str | None:
    """Where the app is, as `module:attribute`. Override it; else `PENSTOCK_APP` or `[tool.penstock] app` says it."""
    return None


@pytest.fixture
def penstock_url(tmp_path: Path) -> str:
    """The store of one test: a SQLite file of its own. Override it for tests on PostgreSQL."""
    return f"sqlite:///{quote((tmp_path / 'penstock-test.db').as_posix())}"


@pytest.fixture
def penstock_app(pytestconfig: pytest.Config, penstock_app_path: str | None, penstock_url: str) -> Iterator[Penstock]:
    """The app, with the store of `penstock_url`, migrated; afterwards it has its own again."""
    from penstock.testing.finding import find_app
    from penstock.testing.place import stored_at

    with stored_at(find_app(penstock_app_path, pytestconfig.rootpath), penstock_url) as app:
        yield app


@pytest.fixture
def penstock_clock(penstock_app: Penstock) -> Iterator[FakeClock]:
    """The time of the app's store, which stands still until a test moves it."""
    from penstock.testing.clock import FakeClock

    with FakeClock(penstock_app) as clock:
        yield clock


@pytest.fixture
def penstock_inline(penstock_app: Penstock) -> Iterator[Inline]:
    """Inline mode: every enqueue of the app runs its job at once."""
    from penstock.testing.inline import inline

    with inline(penstock_app) as inlined:
        yield inlined
