"""Syncs on hosts that end what runs: a window stops at a checkpoint in time, at no attempt, and sends nothing twice."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from penstock import Penstock, Report, Window
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.conformance.hosts.hours import Hours
from tests.waiting import until

PEOPLE = 12


class Door:
    """A destination that takes so many seconds of `hours` for a call, and holds each call until it may go on."""

    def __init__(self, hours: Hours, seconds: float) -> None:
        self.hours = hours
        self.seconds = seconds
        self.made: list[str] = []
        self.called = threading.Semaphore(0)
        self.go = threading.Event()

    def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
        self.called.release()
        assert self.go.wait(60)
        self.hours.seconds += self.seconds
        self.made += [change.key for change in changes]
        return [Done(change.key) for change in changes]


def declared(url: str, clock: Clock, door: Door, **settings: Any) -> Penstock:
    app = Penstock(url, now=clock.expression, **settings)
    app.monotonic = door.hours

    class People(Layer[dict[str, Any]]):
        key, batch_size, mode, duplicates_possible = "id", 2, "create_only", True

        def source(self, run: Run) -> Iterator[Any]:
            yield from ({"id": f"{run.subject.key}-{number:02}"} for number in range(PEOPLE))
            return Complete(PEOPLE)

        def render(self, person: Any, run: Run) -> Any:
            return person

        create = staticmethod(door.create)

    @app.sync("doors", window=Window(500, 100))
    class Doors(Sync[str]):
        layers = [People]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("d", account="acme")

    app.migrate()
    return app


@pytest.mark.parametrize("slots", [1, 3])
def test_a_run_that_is_larger_than_a_window_goes_on_in_the_next(store_url: str, clock: Clock, slots: int):
    door = Door(Hours(), seconds=150)
    door.go.set()
    with declared(store_url, clock, door) as app:
        app.syncs["doors"].sync.request("d")
        reports = []
        while not reports or reports[-1].remaining:
            began = door.hours.seconds
            reports.append(app.drain(Window(500, 100), slots=slots))
            assert door.hours.seconds - began <= 500, "it ended in time, as calls take 150"
            assert len(reports) < 6
        assert reports[-1] == Report(1, 0, None)
    assert 2 <= len(reports) <= 4
    assert door.made == [f"d-{number:02}" for number in range(PEOPLE)], "each once, in order"
    assert clock.fetch("select status, attempt from penstock.sync_runs") == [("succeeded", 1)]


def test_a_stop_ends_a_run_at_a_checkpoint(store_url: str, clock: Clock):
    door = Door(Hours(), seconds=0)
    with declared(store_url, clock, door, poll_seconds=0.05) as app:
        app.syncs["doors"].sync.request("d")
        worker = app.worker()
        worker.start()
        assert door.called.acquire(timeout=60)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        # With dispatching, which would admit again at once what the window puts back.
        until("claiming has ended", lambda: {"penstock-claim", "penstock-dispatch"}.isdisjoint(
            each.name for each in threading.enumerate()))
        door.go.set()
        stopping.join(60)
        assert not stopping.is_alive()
        assert 0 < len(door.made) < PEOPLE, "the call that was under way ended, and no other began"
        assert clock.fetch("select status, attempt from penstock.sync_runs") == [("pending", 0)]
        assert clock.fetch("select count(*) from penstock.leases") == [(0,)]
        assert app.drain(Window(500, 100)).remaining == 0
    assert door.made == [f"d-{number:02}" for number in range(PEOPLE)], "each once, in order"
