"""JSON read piece by piece is the JSON that was written, wherever the pieces end, and what is none is refused."""

import io
import json
import re
from typing import Any

import pytest

from penstock.domain import pull
from penstock.domain.pull import Pull

DOCUMENT = {"a": [1, 22, -3.5e7, "x\\\"}]", None, True], "b": {}, "c": [], "d": {"e": [{"f": "gé"}]}}


def whole(reader: Pull, like: Any) -> Any:
    """A document taken in the smallest pieces."""
    if isinstance(like, dict):
        return {name: whole(reader, like[name]) for name in reader.members()}
    if isinstance(like, list):
        return [whole(reader, like[place]) for place, _ in enumerate(reader.items())]
    return reader.value()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2])
def test_it_is_what_was_written(monkeypatch: pytest.MonkeyPatch, size: int, indent: int | None) -> None:
    monkeypatch.setattr(pull, "_CHUNK", size)
    reader = Pull(io.StringIO(json.dumps(DOCUMENT, indent=indent) + "\n"))
    assert whole(reader, DOCUMENT) == DOCUMENT
    reader.end()


@pytest.mark.parametrize(("text", "fault"), [
    ("", "expected more at character 1, got its end"),
    ("[1]", "expected '{' at character 1, got '[1]'"),
    ('{"a": 1', "expected more at character 8, got its end"),
    ('{"a": x}', "expected a JSON value at character 7, got 'x}'"),
    ('{"a": 1 2', "expected ',' at character 9, got '2'"),
    ('{"a": 1} {', "expected the end at character 10, got '{'"),
    ("{1: 2}", "expected the name of a member at character 3, got ': 2}'"),
])
def test_what_is_no_such_document_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}$"):
        values_of(Pull(io.StringIO(text)))


def values_of(reader: Pull) -> None:
    for _ in reader.members():
        reader.value()
    reader.end()


def test_it_holds_no_more_than_a_piece() -> None:
    """Of a long array, what was taken is let go."""
    reader = Pull(io.StringIO("[" + ",".join(["12345678"] * 100_000) + "]"))
    most = 0
    for _ in reader.items():
        reader.value()
        most = max(most, len(reader._buffer))
    assert most <= 2 * 65_536
