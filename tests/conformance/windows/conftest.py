"""Windows in virtual time: a page of the source and a call to the destination take as long as a test says."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from penstock import Penstock, Window
from penstock.sync import Change, Complete, Layer, Run, Subject, Sync
from penstock.sync.window.row import WindowRow, latest_windows
from tests.clock import Clock
from tests.engine import Engine
from tests.remote import Remote

Record = dict[str, Any]
LEASE_SECONDS = 1000
"""Longer than any window here: nothing renews it while time is passed by hand."""


class Timed(Remote):
    """A destination whose calls take `seconds`."""

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self.pass_time = pass_time
        self.seconds = 10.0
        self.began: list[float] = []
        self.wake: Callable[[], float] = lambda: 0.0

    def _call(self, verb: str, changes: Sequence[Change], one: Any) -> Any:
        self.began.append(self.wake())
        self.pass_time(self.seconds)
        return super()._call(verb, changes, one)


class Hall:
    """Groups of doors to sync, each with its people, and the time that goes by meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.at = 1000.0
        self.groups: dict[str, list[str]] = {}
        self.accounts: dict[str, str] = {}
        self.page_seconds = 5.0
        self.doors = Timed(self.pass_time)
        self.doors.wake = lambda: self.at
        self.connections: list[str] = []
        self.loads: dict[str, Any] = {}
        self.broken: dict[str, Exception] = {}
        self.scope = "subject"

    def pass_time(self, seconds: float) -> None:
        self.at += seconds
        self.clock.advance(seconds)

    def app(self, url: str, **options: Any) -> Penstock:
        app = Penstock(url, now=self.clock.expression)
        app.monotonic = lambda: self.at
        hall = self

        class People(Layer[Record]):
            scope, key, batch_size = hall.scope, "id", 2
            destination = hall.doors

            def source(self, run: Run) -> Iterator[Record]:
                hall.pass_time(hall.page_seconds)
                if error := hall.broken.pop(run.subject.key, None):
                    raise error
                people = hall.groups.get(run.subject.key, [])
                yield from ({"id": f"{run.subject.key}-{person}"} for person in people)
                return Complete(len(people))

            def render(self, person: Record, run: Run) -> Record:
                return dict(person)

        @app.sync("doors", **options)
        class Doors(Sync[str]):
            layers = [People]

            def subjects(self) -> Iterator[Subject]:
                for key, people in hall.groups.items():
                    yield Subject(key, hall.accounts.get(key, "acme"), len(people))

            def load(self, key: str) -> Any:
                loaded = hall.loads.get(key, key)
                if isinstance(loaded, Exception):
                    raise loaded
                return loaded

            @contextmanager
            def connect(self, account: str) -> Iterator[str]:
                hall.connections.append(account)
                yield account

        return app


class Windowed(Engine):
    """An engine whose syncs have windows."""

    def request(self, *subjects: str, priority: int = 0, account: str = "acme") -> None:
        self.app.request([{"sync": "doors", "subject": each, "account": account, "priority": priority, "reason": "test"}
                          for each in subjects])

    def window(self) -> None:
        """Dispatch, and serve one window."""
        self.dispatch()
        jobs = self.claim()
        assert len(jobs) == 1
        self.end(jobs[0])

    def end(self, job: Any) -> None:
        from penstock.queue.claim import settle

        settle(self.app.store, [self.execute(job)])

    @property
    def windows(self) -> list[WindowRow]:
        """Those of the doors, oldest first."""
        return self.windows_of("doors")

    def windows_of(self, sync: str) -> list[WindowRow]:
        return latest_windows(self.app.store, sync)[::-1]

    @property
    def runs(self) -> dict[str, tuple[Any, ...]]:
        """(status, attempt, error class) of the newest run of each subject."""
        rows = self.clock.fetch("select subject, status, attempt, error_class from penstock.sync_runs order by id")
        return {subject: rest for subject, *rest in ((row[0], *row[1:]) for row in rows) for rest in [tuple(rest)]}


@pytest.fixture
def hall(clock: Clock) -> Hall:
    return Hall(clock)


@pytest.fixture
def options() -> dict[str, Any]:
    return {"window": Window(total=100, headroom=20)}


@pytest.fixture
def engine(hall: Hall, store_url: str, clock: Clock, options: dict[str, Any]) -> Iterator[Windowed]:
    with hall.app(store_url, **options) as app:
        yield Windowed(app, clock, lease_ms=LEASE_SECONDS * 1000)
