"""The engine over files that somebody else writes: what can be read is sent, and nothing is deleted on suspicion."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.connectors import CSVSource, JSONLinesSource, Manifest
from penstock.sync import Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.connectors.files.reading import write
from tests.engine import Engine
from tests.remote import Remote


@dataclass
class Person:
    id: str
    name: str
    age: int


PEOPLE = [("E1", "Ada", 36), ("E2", "Bo", 41), ("E3", "Cy", 29), ("E4", "Di", 52)]


class Export:
    """The file of group g1 in one of the formats."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.path = folder / f"people-g1.{kind}"
        template = folder / f"people-:subject.{kind}"
        self.source: Any = (CSVSource if "csv" in kind else JSONLinesSource)(template, key="id")
        self.counted: Any = (CSVSource if "csv" in kind else JSONLinesSource)(
            template, key="id", count=Manifest(folder / ":subject.count"))

    def line(self, person: tuple[str, str, object]) -> str:
        if "csv" in self.path.name:
            return ",".join(map(str, person)) + "\n"
        return '{{"id":"{}","name":"{}","age":"{}"}}\n'.format(*person)

    def write(self, people: list[tuple[str, str, Any]], end: str = "") -> None:
        header = "id,name,age\n" if "csv" in self.path.name else ""
        write(self.path, header + "".join(map(self.line, people)) + end)


@pytest.fixture(params=["csv", "jsonl", "csv.gz"])
def export(request: pytest.FixtureRequest, tmp_path: Path) -> Export:
    export = Export(tmp_path, request.param)
    export.write(PEOPLE)
    return export


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def counted() -> bool:
    return False


@pytest.fixture
def engine(store_url: str, clock: Clock, export: Export, remote: Remote, counted: bool) -> Iterator[Engine]:
    app = Penstock(store_url, now=clock.expression)

    class People(Layer[Person]):
        key = "id"
        source = export.counted if counted else export.source
        destination = remote

        def render(self, person: Person, run: Run) -> dict[str, Any]:
            return {"name": person.name, "age": person.age}

    @app.sync("people")
    class Directory(Sync[str]):
        layers = [People]

        def subjects(self) -> Iterator[Subject]:
            yield Subject("g1", account="acme")

    with app:
        yield Engine(app, clock)


def names(remote: Remote) -> set[str]:
    return {record["payload"]["name"] for record in remote.records.values()}


def test_what_a_whole_file_no_longer_has_is_deleted(engine: Engine, export: Export, remote: Remote):
    [run] = engine.sync("people", "g1")
    assert (run.status, run.created) == ("succeeded", 4)
    export.write(PEOPLE[:3])
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted, run.skipped) == ("succeeded", 1, 3)
    assert names(remote) == {"Ada", "Bo", "Cy"}


SPOILT = {
    "a row that does not fit the type": ([*PEOPLE[:2], ("E9", "Eve", "old")], ""),
    "a row that cannot be read": (PEOPLE[:2], "}{\n"),
    "cut off within a row": (PEOPLE[:2], "E"),
    "without any row": ([], ""),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_file_that_is_not_whole_deletes_nothing(engine: Engine, export: Export, remote: Remote, spoil: str):
    engine.sync("people", "g1")
    people, end = SPOILT[spoil]
    export.write([("E1", "Ann", 36), *people[1:]] if people else [], end)
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted) == ("succeeded", 0)
    assert names(remote) == ({"Ann", "Bo", "Cy", "Di"} if people else {"Ada", "Bo", "Cy", "Di"})
    if people:
        assert (run.updated, run.failed) == (1, 1)
        assert "People: " in (run.error or "")
    export.write(PEOPLE[:2])
    [run] = engine.sync("people", "g1")
    assert (run.status, run.deleted) == ("succeeded", 2)


def test_a_missing_file_has_the_run_tried_again(engine: Engine, export: Export, remote: Remote):
    engine.sync("people", "g1")
    export.path.unlink()
    [run] = engine.sync("people", "g1")
    assert (run.status, run.error_class) == ("pending", "SourceError")
    export.write(PEOPLE[:3])
    engine.clock.advance(60)
    engine.settle_all()
    assert names(remote) == {"Ada", "Bo", "Cy"}


@pytest.mark.parametrize("counted", [True])
def test_a_file_that_was_cut_off_between_two_rows_is_known_by_its_manifest(
        engine: Engine, export: Export, remote: Remote, counted: bool):
    manifest = export.path.with_name("g1.count")
    write(manifest, "4")
    [run] = engine.sync("people", "g1")
    assert run.created == 4
    export.write([("E1", "Ann", 36)])
    [run] = engine.sync("people", "g1")
    assert (run.status, run.error_class) == ("pending", "SourceError")
    assert "expected 4 rows, as its count says, got 1" in (run.error or "")
    assert names(remote) == {"Ada", "Bo", "Cy", "Di"}
    write(manifest, "1")
    engine.clock.advance(60)
    engine.settle_all()
    assert names(remote) == {"Ann"}
