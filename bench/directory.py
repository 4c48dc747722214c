"""The app of the random histories: it keeps the destination of a world in step with its groups."""

from collections.abc import Iterator, Sequence
from typing import Any

from bench.truth import World
from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync


def declared(url: str, world: World, on_delete: str) -> Penstock:
    """An app that keeps the world's destination in step with its groups."""
    app = Penstock(url)

    class Verbs(Layer[dict[str, Any]]):
        key, batch_size = "key", 7

        def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
            return [Done(world.add((type(self).__name__, change.key))) for change in changes]

        def update(self, changes: Sequence[Change], run: Run) -> list[Done]:
            world.alive.update(change.remote_id or "" for change in changes)
            return [Done() for _ in changes]

        def delete(self, changes: Sequence[Change], run: Run) -> list[Done]:
            world.deleted(type(self).__name__, changes, run.subject.key)
            return [Done() for _ in changes]

        disable = delete

    class People(Verbs):
        scope = "account"

        def source(self, run: Run) -> Any:
            people, whole, error = world.given(run.subject.key)
            for person in people:
                yield {"key": person, "mail": world.mail.get(person or "", 0)}
            if error is not None:
                raise error
            world.read(run.subject.key, [person for person in people if person is not None],
                       whole and None not in people)
            return Complete(len(people)) if whole else None

        def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"mail": record["mail"]}

    class Rooms(Verbs):
        def source(self, run: Run) -> Any:
            yield {"key": run.subject.key}
            return Complete(1)

    class Members(Verbs):
        parent, references = Rooms.by("group"), [People.by("person")]

        def source(self, run: Run) -> Any:
            people, whole, error = world.given(run.subject.key)
            for person in people:
                key = None if person is None else f"{run.subject.key}/{person}"
                yield {"key": key, "group": run.subject.key, "person": person}
            if error is not None:
                raise error
            return Complete(len(people)) if whole else None

    People.on_delete = on_delete

    @app.sync("directory", max_concurrent=4)
    class Directory(Sync[str]):
        layers = [Rooms, People, Members]

        def subjects(self) -> Iterator[Subject]:
            for name, group in world.groups.items():
                yield Subject(name, account=group.account)

    return app
