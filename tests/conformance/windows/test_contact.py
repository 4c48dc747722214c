"""What the destination holds is read once for an account, and never again for a group, a window or a day."""

from typing import Any

import pytest

from penstock.sync import Run
from tests.clock import Clock
from tests.conformance.windows.conftest import Hall, Windowed


class Readable(Hall):
    """A hall whose doors tell who may pass; that takes a minute."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.scope = "account"
        self.reads: list[str] = []
        self.doors.read = self.read  # type: ignore[attr-defined]

    def read(self, run: Run) -> Any:
        self.reads.append(run.account)
        for id in range(6):
            self.pass_time(10)
            yield [(f"old-{id}", f"old-{id}", {"id": f"old-{id}"})]


@pytest.fixture
def hall(clock: Clock) -> Readable:
    return Readable(clock)


def test_once_for_all_groups_windows_and_days(engine: Windowed, hall: Readable) -> None:
    hall.groups = {f"g{number}": ["p", "q"] for number in range(5)}
    engine.request(*hall.groups)
    engine.settle_all()
    assert len(engine.windows) == 2
    assert hall.reads == ["acme"]
    assert engine.clock.fetch("select count(*) from penstock.sync_runs where status = 'succeeded'") == [(5,)]
    hall.pass_time(86_400)
    engine.register()
    engine.request(*hall.groups)
    engine.settle_all()
    assert hall.reads == ["acme"]
    engine.request("g0", account="other")
    engine.settle_all()
    assert hall.reads == ["acme", "other"]


def test_it_does_not_count_for_how_long_runs_take(engine: Windowed, hall: Readable) -> None:
    hall.groups = {"g0": ["p", "q"]}
    engine.sync("doors", "g0")
    assert engine.clock.fetch("select took_ms from penstock.sync_runs") == [(15_000,)]


def test_one_that_was_broken_off_is_made_in_the_next_window(engine: Windowed, hall: Readable) -> None:
    hall.groups = {"g0": ["p", "q"]}
    engine.request("g0")
    engine.until = hall.at + 45
    engine.window()
    assert engine.runs["g0"] == ("pending", 0, "OutOfTime")
    assert hall.doors.calls == []
    engine.until = None
    engine.settle_all()
    assert engine.runs["g0"][0] == "succeeded"
    assert hall.reads == ["acme", "acme"]
