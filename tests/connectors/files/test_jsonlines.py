"""JSON Lines: an object on each line; a line that cannot be read is reported and stops no other."""

from pathlib import Path

import pytest

from penstock.connectors import JSONLinesSource
from penstock.domain.errors import SourceError
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Source
from tests.connectors.files.reading import read, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.jsonl"


def test_objects_become_records(path: Path):
    write(path, '\ufeff{"id": 1, "tags": ["a"], "boss": null}\r\n\n  \n{"id": "E2", "name": "Åse"}\n')
    source = JSONLinesSource(path, key="id")
    assert isinstance(source, Source)
    assert read(source) == ([{"id": 1, "tags": ["a"], "boss": None}, {"id": "E2", "name": "Åse"}], [], Complete(2))


@pytest.mark.parametrize(("bad", "said"), [
    (b'{"id": 2', "expected a JSON object, got what is none (Input data was truncated)"),
    (b"{'id': 2}", "expected a JSON object, got what is none"),
    (b'{"id": "\xff"}', "expected a JSON object, got what is none ('utf-8' codec"),
    (b"\0\0\0\0", "expected a JSON object, got what is none"),
    (b"[" * 100_000, "expected a JSON object, got what is none"),
    (b"[1, 2]", "expected a JSON object, got an array"),
    (b"null", "expected a JSON object, got null"),
    (b"7", "expected a JSON object, got a number"),
    (b'"E2"', "expected a JSON object, got a string"),
    (b"true", "expected a JSON object, got true or false"),
    (b'{"Id": 2}', "expected a field 'id', got none"),
])
def test_a_bad_line_is_reported_and_stops_no_other(path: Path, bad: bytes, said: str):
    write(path, b'{"id": 1}\n' + bad + b'\n{"id": 9}\n')
    for size in (1, 2, 100):
        records, [fault], complete = read(JSONLinesSource(path, key="id"), size)
        assert records == [{"id": 1}, {"id": 9}]
        assert fault.startswith(f"{path}, line 2: {said}")
        assert complete is None


def test_a_line_that_is_too_long_is_passed_over_without_being_held(path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in ("lines", "jsonlines"):
        monkeypatch.setattr(f"penstock.connectors.files.{module}.LINE_BYTES", 100)
    monkeypatch.setattr("penstock.connectors.files.lines._SKIP_BYTES", 7)
    write(path, '{"id": 1}\n{"id": "' + "x" * 1000 + '"}\n{"id": 9}\n')
    records, faults, complete = read(JSONLinesSource(path, key="id"))
    assert (records, complete) == ([{"id": 1}, {"id": 9}], None)
    assert faults == [f"{path}, line 2: expected a line of at most 100 bytes, got a longer one"]


def test_utf_16_is_named(path: Path):
    write(path, '{"id": 1}\n'.encode("utf-16"))
    with pytest.raises(SourceError, match="begins like UTF-16. Export it as UTF-8"):
        read(JSONLinesSource(path, key="id"))
