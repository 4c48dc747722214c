"""People and their badges, in apps that call the same things by other names or know them by other keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock import Penstock
from penstock.sync import Complete, Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.engine import Engine
from tests.remote import Remote


@dataclass
class Person:
    number: str
    email: str
    name: str


@dataclass
class Badge:
    id: str
    number: str
    email: str


@dataclass
class Office:
    """The source and the destinations, which outlive every version of the app; and the engines that were made."""

    url: str
    clock: Clock
    people: list[Person] = field(default_factory=list)
    remote: Remote = field(default_factory=Remote)
    badges: Remote = field(default_factory=Remote)
    read: int = 0
    engines: list[Engine] = field(default_factory=list)

    def app(self, layer: str = "Users", sync: str = "staff", *, sync_was: str | tuple[str, ...] = (), by: str = "email",
            **options: Any) -> Penstock:
        """A version of the app: what its layer and sync are called; `by` is how badges refer to people."""
        app = Penstock(self.url, now=self.clock.expression)
        office = self

        def source(self: Any, run: Run) -> Any:
            office.read += 1
            yield from list(office.people)
            return Complete(len(office.people))

        def render(self: Any, person: Person, run: Run) -> dict[str, Any]:
            return {"name": person.name}

        class Base(Layer[Person]):
            pass

        users = type(layer, (Base,), {
            "key": "email", "source": source, "render": render, "destination": self.remote, **options})

        class Badges(Layer[Badge]):
            key, parent = "id", users.by(by)
            destination = self.badges

            def source(self, run: Run) -> Any:
                yield from (Badge(f"b{each.number}", each.number, each.email) for each in office.people)
                return Complete(len(office.people))

        @app.sync(sync, was=sync_was)
        class Staff(Sync[str]):
            layers = [users, Badges]

            def subjects(self) -> Iterator[Subject]:
                yield Subject("all", account="acme")

        return app

    def engine(self, *names: str, **options: Any) -> Engine:
        """An engine of a version of the app, its store migrated."""
        engine = Engine(self.app(*names, **options), self.clock)
        self.engines.append(engine)
        return engine

    def close(self) -> None:
        for engine in self.engines:
            engine.app.close()

    def writes(self) -> list[Any]:
        return [call for remote in (self.remote, self.badges) for call in remote.calls if call[0] != "find"]

    def forget_calls(self) -> None:
        self.remote.calls.clear()
        self.badges.calls.clear()
