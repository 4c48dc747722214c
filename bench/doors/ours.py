"""*Penstock*: the layers of the walk of case study K, drained in windows of the same length."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from bench.doors.directory import CALLS_PER_SECOND, Directory
from bench.doors.office import Office, Person
from bench.doors.times import Times
from penstock import Penstock, Rate, Window
from penstock.connectors import scim
from penstock.sync import Complete, Layer, Subject, Sync


def declared(url: str, directory: Directory, office: Office, times: Times) -> Penstock:
    app = Penstock(url)

    class People(Layer[dict[str, Any]]):
        scope, key, match, on_delete = "account", "id", "email", "disable"
        destination = scim.Users

        def source(self, run: Any) -> Iterator[Any]:
            return _given([person._asdict() for person in office.people(run.subject.key)])

        def render(self, person: dict[str, Any], run: Any) -> dict[str, Any]:
            return {"userName": person["email"], "displayName": person["name"]}

    class Groups(Layer[dict[str, Any]]):
        key, match = "title", "title"
        destination = scim.Groups

        def source(self, run: Any) -> Iterator[Any]:
            return _given([{"title": run.subject.key}])

        def render(self, group: dict[str, Any], run: Any) -> dict[str, Any]:
            return {"displayName": group["title"]}

    class Members(Layer[dict[str, Any]]):
        key, parent, references = ("title", "person"), Groups.by("title"), [People.by("person")]
        destination = scim.Members

        def source(self, run: Any) -> Iterator[Any]:
            people = office.found("where door_group = ?", run.subject.key)
            return _given([{"title": run.subject.key, "person": person.id} for person in people])

    @app.sync("doors", window=Window(times.total, times.headroom),
              limits=[Rate(CALLS_PER_SECOND // 2, per="second", by="account", unit="call")])
    class Doors(Sync[str]):
        layers = [People, Groups, Members]

        def subjects(self) -> Iterator[Subject]:
            for group in office.groups:
                yield Subject(group, account="customer", size=len(Person._fields))

        def connect(self, account: str) -> Any:
            return scim.connect(directory.url, token=directory.token)

    app.migrate()
    return app


def _given(records: list[dict[str, Any]]) -> Generator[dict[str, Any], None, Complete]:
    yield from records
    return Complete(len(records))


class Ours:
    """Penstock, with its state between passes."""

    def __init__(self, app: Penstock) -> None:
        self._app = app

    def __call__(self, directory: Directory, office: Office, times: Times) -> int:
        """Request every group, and drain as a function does that calls itself again. How many windows it took."""
        requesting = self._app.syncs["doors"].sync
        type(requesting).request_many(list(requesting.subjects()))
        windows = 0
        while True:
            windows += 1
            began = time.monotonic()
            report = self._app.drain(Window(times.total, times.headroom), slots=1)
            directory.counted["over_limit"] += time.monotonic() - began > times.limit
            if report.next_due is None:
                return windows
            if not report.remaining:
                time.sleep(0.05)  # a run that was told to wait


@contextmanager
def opened(url: str, directory: Directory, office: Office, times: Times) -> Iterator[Ours]:
    with declared(url, directory, office, times) as app:
        yield Ours(app)
