"""A task that notes what it is given, and fails or is cancelled when it is told to."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock import Cancel, Penstock, RetryPolicy
from penstock.testing import drain
from tests.clock import Clock


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def note(app: Penstock, ran: list[str]) -> Any:
    @app.task(name="note", retry=RetryPolicy(max_attempts=1))
    def note(text: str) -> None:
        ran.append(text)
        if text.startswith("bad"):
            raise ValueError(text)
        if text.startswith("off"):
            raise Cancel("called off")

    app.migrate()
    return note


@pytest.fixture
def states(app: Penstock, clock: Clock) -> Callable[..., list[str]]:
    """How jobs stand, in the order in which they are given."""
    def states(*jobs: Any) -> list[str]:
        found = dict(clock.fetch("select id, state from penstock.jobs"))  # type: ignore[arg-type]
        return [found[job.id] for job in jobs]

    return states


@pytest.fixture
def drained(app: Penstock, ran: list[str]) -> Callable[[], list[str]]:
    """Serves until nothing is left; gives what has run since the last time, in its order."""
    def drained() -> list[str]:
        ran.clear()
        drain(app)
        return list(ran)

    return drained


@pytest.fixture(autouse=True)
def nothing_is_left(app: Penstock, clock: Clock) -> Any:
    """Whatever a test has settled has left no wait behind; the counters are right."""
    yield
    if clock.fetch("select 1 from penstock.live_jobs"):
        return
    drain(app)
    assert clock.fetch("select * from penstock.job_waits") == []
    assert clock.fetch("select * from penstock.wait_news") == []
    counted = {row[:3]: row[3] for row in clock.fetch(
        "select queue, task, state, count(*) from penstock.jobs group by queue, task, state")}
    assert {(each.queue, each.task, each.state): each.jobs for each in app.counts()} == counted
