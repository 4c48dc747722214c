"""A directory to sync: people of an account, groups, and memberships that refer to both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock import Penstock
from penstock.sync import Complete, Layer, Run, Subject, Sync
from tests.remote import Remote


@dataclass
class Person:
    id: str | None
    name: Any


@dataclass
class Group:
    id: str


@dataclass
class Member:
    group_id: str
    person_id: str


@dataclass
class Directory:
    """The source and the destinations. `proof` False leaves out the proof that a read was whole."""

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: Remote = field(default_factory=Remote)
    rooms: Remote = field(default_factory=Remote)
    members: Remote = field(default_factory=Remote)
    proof: bool = True
    extra: list[Any] = field(default_factory=list)
    fail_after: int | None = None
    batch_size: int = 3

    def app(self, url: str, now: str | None, **options: Any) -> Penstock:
        """An app with two syncs: `people` (one layer, of the subject) and `directory` (three layers)."""
        app = Penstock(url, now=now)
        kept = self

        def read(records: list[Any]) -> Any:
            for number, record in enumerate(records):
                if kept.fail_after is not None and number >= kept.fail_after:
                    raise OSError("the source broke off")
                yield record
            return Complete(len(records)) if kept.proof else None

        class People(Layer[Person]):
            key, match, batch_size = "id", "name", kept.batch_size
            destination = kept.people

            def source(self, run: Run) -> Any:
                people = kept.groups.get(run.subject.key, {})
                return read([Person(key, name) for key, name in people.items()] + kept.extra)

            def render(self, person: Person, run: Run) -> dict[str, Any]:
                return {"name": person.name}

        class Everybody(People):
            scope, on_delete = "account", "disable"

        class Rooms(Layer[Group]):
            key = "id"
            destination = kept.rooms

            def source(self, run: Run) -> Any:
                return read([Group(run.subject.key)] if run.subject.key in kept.groups else [])

            def render(self, group: Group, run: Run) -> dict[str, Any]:
                return {"title": group.id}

        class Members(Layer[Member]):
            key = ("group_id", "person_id")
            parent, references = Rooms.by("group_id"), [Everybody.by("person_id")]
            destination = kept.members

            def source(self, run: Run) -> Any:
                people = kept.groups.get(run.subject.key, {})
                return read([Member(run.subject.key, key) for key in people])

        def subjects() -> Iterator[Subject]:
            for key in kept.groups:
                yield Subject(key, account="acme")

        @app.sync("people", **options)
        class PeopleSync(Sync[str]):
            layers = [People]

            def subjects(self) -> Iterator[Subject]:
                return subjects()

        @app.sync("directory", **options)
        class DirectorySync(Sync[str]):
            layers = [Members, Rooms, Everybody]

            def subjects(self) -> Iterator[Subject]:
                return subjects()

        self.sync = PeopleSync
        self.directory_sync = DirectorySync
        return app
