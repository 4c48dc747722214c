"""Reading a source: pages, types, and what proves that it was read whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypedDict

import msgspec
import pytest

from penstock.domain.errors import SourceError
from penstock.domain.records import Complete, Subject
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.read import Unreadable, pages


@dataclass
class Person:
    id: str
    age: int


def read(source: Any, record_type: Any = Person, size: int = 2) -> tuple[list[list[Any]], Complete | None]:
    layer: Any = SimpleNamespace(name="People", layer=SimpleNamespace(source=source), record_type=record_type)
    stream = pages(layer, Run(Subject("g1")), size)
    found = []
    while True:
        try:
            found.append(next(stream))
        except StopIteration as stop:
            return found, stop.value


def test_a_generator_is_read_in_pages_and_its_proof_is_kept() -> None:
    people = [Person(str(number), number) for number in range(5)]

    def source(run: Run) -> Any:
        yield from people
        return Complete(5)

    assert read(source) == ([people[:2], people[2:4], people[4:]], Complete(5))


def test_a_source_that_proves_nothing() -> None:
    assert read(lambda run: iter([Person("a", 1)])) == ([[Person("a", 1)]], None)


def test_a_proof_that_counts_otherwise_is_no_proof() -> None:
    def source(run: Run) -> Any:
        yield Person("a", 1)
        return Complete(2)

    with pytest.raises(SourceError, match="complete with 2 records, but gave 1"):
        read(source)


def test_a_proof_that_is_something_else() -> None:
    def source(run: Run) -> Any:
        yield Person("a", 1)
        return 1

    with pytest.raises(SourceError, match=r"expected its source to return Complete\(count\) or nothing, got 1"):
        read(source)


class Rows:
    """A source in pages of mappings, as SQLSource gives them."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows

    def pages(self, run: Run, size: int) -> Any:
        for place in range(0, len(self.rows), size):
            yield list(self.rows[place:place + size])
        return Complete(len(self.rows))


def test_mappings_become_records_of_the_layers_type() -> None:
    source = Rows({"id": "a", "age": "7"}, {"id": "b", "age": 8})
    assert read(source)[0] == [[Person("a", 7), Person("b", 8)]]
    assert read(source, dict)[0] == [[{"id": "a", "age": "7"}, {"id": "b", "age": 8}]]
    assert read(source, None)[0] == [[SimpleNamespace(id="a", age="7"), SimpleNamespace(id="b", age=8)]]
    struct = msgspec.defstruct("P", [("id", str), ("age", int)])
    assert read(source, struct)[0] == [[struct("a", 7), struct("b", 8)]]


def test_a_row_that_does_not_fit_stops_no_other() -> None:
    [[bad, good]], _ = read(Rows({"id": "a", "age": "old"}, {"id": "b", "age": 8}))
    assert isinstance(bad, Unreadable)
    assert "int" in bad.error
    assert good == Person("b", 8)


def test_a_page_may_mix_mappings_with_records() -> None:
    bad, good, ready = read(Rows({"id": "a", "age": "old"}, {"id": "b", "age": "8"}, Person("c", 9)), size=3)[0][0]  # type: ignore[arg-type]
    assert (type(bad), good, ready) == (Unreadable, Person("b", 8), Person("c", 9))
    first, second = read(Rows(Person("c", 9), {"id": "b", "age": "8"}))[0][0]  # type: ignore[arg-type]
    assert (first, second) == (Person("c", 9), Person("b", 8))


class Typed(TypedDict):
    id: str
    age: int


def test_a_typed_dictionary_is_checked_and_stays_a_mapping() -> None:
    assert read(Rows({"id": "a", "age": "7"}), Typed)[0] == [[{"id": "a", "age": 7}]]


def test_a_source_is_closed_when_its_reader_stops_early() -> None:
    closed = []

    def source(run: Run) -> Iterator[Person]:
        try:
            while True:
                yield Person("a", 1)
        finally:
            closed.append(True)

    layer: Any = SimpleNamespace(name="People", layer=SimpleNamespace(source=source), record_type=Person)
    stream = pages(layer, Run(Subject("g1")), 2)
    next(stream)
    stream.close()
    assert closed == [True]
