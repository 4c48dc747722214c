"""Jobs in every state, put there by the engine itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Penstock, RetryPolicy
from penstock.testing import drain
from tests.clock import Clock
from tests.engine import Engine


@pytest.fixture
def work(app: Penstock) -> Any:
    """A task that fails, or is cancelled, when it is told to."""
    @app.task(name="work", retry=RetryPolicy(max_attempts=1))
    def work(how: str = "well") -> None:
        if how == "fail":
            raise ValueError("it is broken")
        if how == "cancel":
            raise Cancel("called off")

    @app.task(name="again", queue="other", retry=RetryPolicy(max_attempts=3))
    def again() -> None:
        raise KeyError("once more")

    app.migrate()
    return work


@pytest.fixture
def every(app: Penstock, clock: Clock, work: Any) -> dict[str, int]:
    """The id of a job in each state."""
    jobs = {"completed": work.enqueue(), "discarded": work.enqueue("fail"), "cancelled": work.enqueue("cancel"),
            "retryable": app.tasks["again"].enqueue()}
    drain(app)
    engine = Engine(app, clock, lease_ms=86_400_000)
    jobs["executing"] = work.using(tags=["busy"]).enqueue()
    assert len(engine.claim("default")) == 1
    jobs["scheduled"] = work.using(run_after=timedelta(hours=1)).enqueue()
    jobs["available"] = work.using(tags=["one", "two"]).enqueue()
    jobs["pending"] = work.using(after=[jobs["executing"]]).enqueue()
    return {state: job.id for state, job in jobs.items()}


@pytest.fixture
def states(clock: Clock) -> Callable[..., list[str]]:
    """How jobs stand, in the order in which they are given."""
    def states(*ids: int) -> list[str]:
        found = dict(clock.fetch("select id, state from penstock.jobs"))  # type: ignore[arg-type]
        return [found[id] for id in ids]

    return states
