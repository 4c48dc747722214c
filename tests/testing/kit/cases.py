"""An address book in memory as a connector's two ends, whole, and broken in each of the ways that the kit must find."""

import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from penstock.domain.records import Change, Complete, Done, Outcome
from penstock.sync import Layer, Run
from penstock.sync.declaring.ports import Found
from penstock.testing.connectors import ConnectorCase, Held, Records


@dataclass
class Entry:
    id: str
    name: str
    city: str


def entries(*numbers: int, city: str = "York") -> list[Entry]:
    return [Entry(f"e{number}", f"name {number}", city) for number in numbers]


class Shelf:
    """Where the source's entries lie. `limit` cuts what can be read of them; `total` is how many there are."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.limit: int | None = None

    def page(self, after: int, size: int) -> list[Entry]:
        return self.entries[:self.limit][after:after + size]


class Source:
    """Reads a shelf, and holds what it gave against the shelf's own number."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def pages(self, run: Run, size: int) -> Generator[list[Entry], None, Complete | None]:
        given = 0
        while page := self.shelf.page(given, size):
            given += len(page)
            yield page
        return self.proof(given)

    def proof(self, given: int) -> Complete | None:
        return Complete(given) if given == len(self.shelf.entries) else None


class Book:
    """A destination that enforces nothing, so that what is created twice is there twice."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.ids = count(1)

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return [self.added(change) for change in changes]

    def added(self, change: Change) -> Outcome:
        id = f"r{next(self.ids)}"
        self.held[id] = dict(change.payload)
        return Done(id)

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        for change in changes:
            self.held[str(change.remote_id)] |= change.payload
        return [Done(change.remote_id) for change in changes]

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        for change in changes:
            self.held.pop(str(change.remote_id), None)
        return [Done(change.remote_id) for change in changes]

    def find(self, values: Sequence[str], run: Run) -> Found:
        return {value: found for value in values
                if (found := [id for id, held in self.held.items() if held["name"] == value])}


class AddressBook(ConnectorCase):
    first: Records = {"Entries": entries(1, 2, 3, 4, 5, 6, 7)}
    then: Records = {"Entries": [*entries(1, 2, 4, 5, 6), *entries(7, city="Bath"), *entries(8, 9)]}
    source_type = Source
    book_type = Book

    def fresh(self) -> None:
        self.shelf = Shelf()
        self.book = self.book_type()

    def layers(self) -> list[type[Layer[Any]]]:
        case = self

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            source, destination = case.source_type(case.shelf), case.book

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return case.rendered(entry)

        return [Entries]

    def rendered(self, entry: Entry) -> dict[str, Any]:
        return {"name": entry.name, "city": entry.city}

    def put(self, records: Records) -> None:
        self.shelf.entries = list(records["Entries"])

    def held(self) -> Held:
        return {"Entries": [(held["name"], held) for held in self.book.held.values()]}

    def cut_short(self) -> AbstractContextManager[None]:
        return self._cut()

    @contextmanager
    def _cut(self) -> Iterator[None]:
        self.shelf.limit = 5
        try:
            yield
        finally:
            self.shelf.limit = None


class AsyncBook(Book):
    """The same with `async def` verbs, and outcomes by key."""

    async def create(self, changes: Sequence[Change], run: Run) -> Any:  # type: ignore[override]
        return {change.key: self.added(change) for change in reversed(changes)}

    async def find(self, values: Sequence[str], run: Run) -> Found:  # type: ignore[override]
        return super().find(values, run)


class AsyncAddressBook(AddressBook):
    book_type = AsyncBook


class OwnVerbs(AddressBook):
    """The layer itself has the verbs, one change at a time, and a generator for a source."""

    def layers(self) -> list[type[Layer[Any]]]:
        shelf, book = self.shelf, self.book

        class Entries(Layer[Entry]):
            key, match = "id", "name"

            def source(self, run: Run) -> Any:
                yield from shelf.entries[:shelf.limit]
                return Complete(len(shelf.entries)) if shelf.limit is None else None

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

            def create_one(self, change: Change, run: Run) -> Outcome:
                return book.added(change)

            def update_one(self, change: Change, run: Run) -> Outcome | None:
                return book.update([change], run)[0]

            def delete_one(self, change: Change, run: Run) -> Outcome | None:
                return book.delete([change], run)[0]

            def find(self, values: Sequence[str], run: Run) -> Found:
                return book.find(values, run)

        return [Entries]


class DisablingBook(Book):
    """Keeps those that are gone, and says so."""

    def added(self, change: Change) -> Outcome:
        outcome = super().added(change)
        self.held[str(outcome.remote_id if isinstance(outcome, Done) else None)]["active"] = True
        return outcome

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        outcomes = super().update(changes, run)
        for change in changes:
            self.held[str(change.remote_id)]["active"] = True
        return outcomes

    def disable(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        for change in changes:
            self.held[str(change.remote_id)]["active"] = False
        return [Done(change.remote_id) for change in changes]


class Disabling(AddressBook):
    book_type = DisablingBook

    def layers(self) -> list[type[Layer[Any]]]:
        [layer] = super().layers()
        layer.on_delete, layer.scope = "disable", "account"
        return [layer]

    def held(self) -> Held:
        return {"Entries": [(held["name"], held) for held in self.book.held.values() if held["active"]]}


class KitsSource(AddressBook):
    """A case about a destination only."""

    def layers(self) -> list[type[Layer[Any]]]:
        [layer] = super().layers()
        layer.source = None
        return [layer]

    def put(self, records: Records) -> None:
        """The kit's own source has them."""

    def cut_short(self) -> Any:
        return None


class Folder:
    """A destination outside of the process: a file for each record, which may be found, or not."""

    def __init__(self, path: Path, blind: bool) -> None:
        self.path = path
        self.blind = blind

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return [self.write(f"r{len(os.listdir(self.path)) + 1}-{change.key}", change) for change in changes]

    def write(self, id: str, change: Change) -> Outcome:
        (self.path / id).write_text(json.dumps(change.payload))
        return Done(id)

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return [self.write(str(change.remote_id), change) for change in changes]

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        for change in changes:
            (self.path / str(change.remote_id)).unlink(missing_ok=True)
        return [Done(change.remote_id) for change in changes]

    def find(self, values: Sequence[str], run: Run) -> Found:
        return {} if self.blind else {value: ids for value in values if (ids := [
            id for id, held in self.held() if held["name"] == value])}

    def held(self) -> list[tuple[str, dict[str, Any]]]:
        return [(file.name, json.loads(file.read_text())) for file in sorted(self.path.iterdir())]


class FolderCase(AddressBook):
    """It can be pickled, and its destination outlives processes."""

    outlives_processes = True
    first: Records = {"Entries": entries(1, 2, 3)}
    then: Records = {"Entries": [*entries(1), *entries(2, city="Bath"), *entries(4)]}

    def __init__(self, path: Path, blind: bool = False) -> None:
        self.folder = Folder(path, blind)

    def fresh(self) -> None:
        for file in self.folder.path.iterdir():
            file.unlink()

    def layers(self) -> list[type[Layer[Any]]]:
        folder = self.folder

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            destination = folder

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def put(self, records: Records) -> None:
        """The kit's own source has them."""

    def held(self) -> Held:
        return {"Entries": [(held["name"], held) for _, held in self.folder.held()]}


# Broken ones


class LosingSource(Source):
    """Begins each page one record too late."""

    def pages(self, run: Run, size: int) -> Generator[list[Entry], None, Complete | None]:
        place = given = 0
        while page := self.shelf.page(place, size):
            place += size + 1
            given += len(page)
            yield page
        return Complete(given)


class LyingSource(Source):
    """Says that it is whole, whatever it got."""

    def proof(self, given: int) -> Complete | None:
        return Complete(given)


class MiscountingSource(Source):
    def proof(self, given: int) -> Complete | None:
        return Complete(given + 1)


class LosingBook(Book):
    """Says Done of each, and keeps all but the last of a call."""

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        outcomes = super().create(changes, run)
        self.held.popitem()
        return outcomes


class BlindBook(Book):
    """Finds nothing, so what was created is created again."""

    def find(self, values: Sequence[str], run: Run) -> Found:
        return {}


class LyingBook(Book):
    """Finds the first record there is, whatever is asked for."""

    def find(self, values: Sequence[str], run: Run) -> Found:
        return {value: [id] for value in values for id in list(self.held)[:1]}


class LazyBook(Book):
    """Says that it has updated."""

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return [Done(change.remote_id) for change in changes]


class HoardingBook(Book):
    """Says that it has deleted."""

    def delete(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        return [Done(change.remote_id) for change in changes]


class NamelessBook(Book):
    """Tells no remote id, so every run looks up and updates again."""

    def create(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        super().create(changes, run)
        return [Done() for _ in changes]


class RestlessSource(Source):
    """Gives now and then a space more, which the destination does not keep."""

    reads = 0

    def pages(self, run: Run, size: int) -> Generator[list[Entry], None, Complete | None]:
        RestlessSource.reads += 1
        space = " " * (RestlessSource.reads % 2)
        given = 0
        for page in super().pages(run, size):
            given += len(page)
            yield [Entry(each.id, each.name, each.city + space) for each in page]
        return Complete(given)


class TrimmingBook(Book):
    def added(self, change: Change) -> Outcome:
        outcome = super().added(change)
        self.trim()
        return outcome

    def update(self, changes: Sequence[Change], run: Run) -> Sequence[Outcome | None]:
        outcomes = super().update(changes, run)
        self.trim()
        return outcomes

    def trim(self) -> None:
        for held in self.held.values():
            held["city"] = held["city"].strip()


class RestlessCase(AddressBook):
    """Renders the number of the rendering."""

    def __init__(self) -> None:
        self.renderings = count()

    def rendered(self, entry: Entry) -> dict[str, Any]:
        return {**super().rendered(entry), "at": next(self.renderings)}


class WritingLookCase(AddressBook):
    """Connecting to it changes what it holds."""

    def connect(self, account: str) -> Any:
        for held in self.book.held.values():
            held["city"] += "!"


def broken(source: type[Source] = Source, book: type[Book] = Book) -> ConnectorCase:
    case = AddressBook()
    case.source_type, case.book_type = source, book
    return case
