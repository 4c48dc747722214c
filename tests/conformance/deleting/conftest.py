"""A directory of one group that is big enough for the guard, and what was heard of it."""

from collections.abc import Iterator

import pytest

from penstock.events import DeletesWithheld
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine

PEOPLE = 40


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Directory:
    """Calls carry 100 changes, or as many as a test asks for."""
    return Directory(groups={"g1": {f"p{number:02}": f"name {number}" for number in range(PEOPLE)}},
                     batch_size=getattr(request, "param", 100))


@pytest.fixture
def engine(directory: Directory, store_url: str, clock: Clock) -> Iterator[Engine]:
    with directory.app(store_url, clock.expression, max_concurrent=3, per_account=3) as app:
        yield Engine(app, clock)


@pytest.fixture
def heard(engine: Engine) -> list[DeletesWithheld]:
    """The withholdings that listeners heard of."""
    events: list[DeletesWithheld] = []
    engine.app.listen(lambda event: events.append(event) if isinstance(event, DeletesWithheld) else None)
    return events


def leave(directory: Directory, count: int, *, first: int = 0, group: str = "g1") -> list[str]:
    """Let some people leave a group; return their keys."""
    gone = sorted(directory.groups[group])[first:first + count]
    for key in gone:
        del directory.groups[group][key]
    return gone
