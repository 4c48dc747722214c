"""CSV: its first row names the fields; a row that cannot be read is reported and stops no other."""

from pathlib import Path

import pytest

from penstock.connectors import CSVSource
from penstock.domain.errors import SourceError
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Source
from tests.connectors.files.reading import read, run_of, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def test_columns_become_fields(path: Path):
    write(path, 'id,name\r\nE1,"Åse, the ""1st"""\r\n\r\nE2,"two\nlines"\r\n')
    source = CSVSource(path, key="id")
    assert isinstance(source, Source)
    assert read(source) == ([{"id": "E1", "name": 'Åse, the "1st"'}, {"id": "E2", "name": "two\nlines"}], [],
                            Complete(2))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_hold_no_more_than_they_should(path: Path, size: int):
    write(path, "id\n" + "".join(f"E{number}\n" for number in range(3)))
    assert read(CSVSource(path, key="id"), size) == ([{"id": "E0"}, {"id": "E1"}, {"id": "E2"}], [], Complete(3))
    assert len(next(CSVSource(path, key="id", page_size=2).pages(run_of(), 1000))) == 2


def test_a_delimiter_an_encoding_and_blanks(path: Path):
    write(path, "id;name;age\nE1;Åse;\n".encode("cp1252"))
    source = CSVSource(path, key="id", delimiter=";", encoding="cp1252", blank=None)
    assert read(source) == ([{"id": "E1", "name": "Åse", "age": None}], [], Complete(1))


def test_a_mark_of_byte_order_is_no_part_of_the_first_name(path: Path):
    write(path, "\ufeffid,name\nE1,Åse\n")
    assert read(CSVSource(path, key="id"))[0] == [{"id": "E1", "name": "Åse"}]


@pytest.mark.parametrize(("bad", "said"), [
    (b"E2\n", "line 3: expected 2 columns, got 1"),
    (b"E2,b,c\n", "line 3: expected 2 columns, got 3"),
    (b"E2,\xff\n", "line 3: expected text in utf-8, got bytes that are none"),
    (b'E2,"\n\xff\nE3,c\n"\n', "line 3: expected text in utf-8, got bytes that are none"),
    (b'E2,"12" pipe"\n', "line 3: a quote ends in the middle of a value; double the quotes that are part of one"),
    (b"E2,b\rE3,c\n", "line 3: lines that end in \\n or \\r\\n are expected, not in \\r alone"),
    (b"E2," + b"x" * 200_000 + b"\n", "line 3: a value is longer than 131072 characters, or a quote is never closed"),
])
def test_a_bad_row_is_reported_and_stops_no_other(path: Path, bad: bytes, said: str):
    write(path, b"id,name\nE1,a\n" + bad + b"E9,z\n")
    for size in (1, 2, 100):
        records, faults, complete = read(CSVSource(path, key="id"), size)
        assert records == [{"id": "E1", "name": "a"}, {"id": "E9", "name": "z"}]
        assert faults == [f"{path}, {said}"]
        assert complete is None


def test_a_fault_says_nothing_of_what_stands_in_the_row(path: Path):
    write(path, "id,name\nE1,a,s3cret\nE2,\"s3cret\"x\n")
    assert "s3cret" not in "".join(read(CSVSource(path, key="id"))[1])


def test_a_quote_that_is_never_closed_hides_the_rest_which_is_said(path: Path):
    write(path, 'id,name\nE1,a\nE2,"b\nE3,c\nE4,d\n')
    records, faults, complete = read(CSVSource(path, key="id"))
    assert records == [{"id": "E1", "name": "a"}]
    assert faults == [f"{path}, line 3: a quote is opened and never closed: the row is cut off, or the quote is no"
                      " quote; the rest of the file is not read, since its rows cannot be told apart"]
    assert complete is None


def test_text_in_a_value_is_never_taken_for_rows(path: Path):
    """A value that is too long and has lines that look like rows."""
    write(path, 'id,name\nE1,"' + "X1,x\n" * 40_000 + '"\nE2,b\n')
    records, faults, complete = read(CSVSource(path, key="id"))
    assert records == []
    assert len(faults) == 1
    assert complete is None


def test_a_row_that_never_ends_is_not_held_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.connectors.files.csvfile.LINE_BYTES", 1000)
    write(path, "id\nE1\n" + '"\n","\n",' * 1000)
    records, [fault], complete = read(CSVSource(path, key="id"))
    assert (records, complete) == ([{"id": "E1"}], None)
    assert "expected a row of at most 1000 bytes" in fault


@pytest.mark.parametrize(("content", "said"), [
    ("", "got an empty file"),
    ("id,name,id\n", "'id' is empty or stands there twice"),
    ("id,,name\n", "'' is empty or stands there twice"),
    ("ID;name\n", "expected a column 'id', got ID;name. Name the right one, or the right delimiter."),
    ("idd,name\n", "expected a column 'id', got idd, name; did you mean 'idd'?"),
    ('"id,name\n', "got one that cannot be read"),
    (b"id,\xff\n", "but it is no utf-8"),
    ("id\n".encode("utf-16"), "begins like UTF-16"),
])
def test_a_header_that_cannot_work(path: Path, content: str | bytes, said: str):
    write(path, content)
    with pytest.raises(SourceError) as caught:
        read(CSVSource(path, key="id"))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
