"""Where a file is, and whose rows are whose; what is declared wrongly is said at once."""

from pathlib import Path
from typing import Any

import pytest

from penstock.connectors import CSVSource, JSONLinesSource, Manifest, Trailer
from penstock.domain.errors import ConfigurationError, SourceError
from penstock.domain.records import Complete
from tests.connectors.files.reading import read, run_of, write


def fault(source: Any = CSVSource, path: Any = "people.csv", **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        source(path, **{"key": "id", **options})
    return str(caught.value)


@pytest.mark.parametrize("source", [CSVSource, JSONLinesSource])
def test_paths_with_subject_and_account(tmp_path: Path, source: Any):
    row = "id\nE1\n" if source is CSVSource else '{"id": "E1"}\n'
    write(tmp_path / "acme" / "group-g1.txt", row)
    found = source(f"{tmp_path}/:account/group-:subject.txt", key="id")
    assert read(found)[2] == Complete(1)
    with pytest.raises(SourceError, match="there is none"):
        read(found, run=run_of("g2"))


@pytest.mark.parametrize("key", ["", ".", "..", "../g1", "/etc/passwd", "a/../../g1", "a\\b", "g1\0", "g1/"])
@pytest.mark.parametrize("parameter", ["subject", "account"])
def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str, parameter: str):
    write(tmp_path / "g1.csv", "id\nE1\n")
    for name in (f":{parameter}.csv", f":{parameter}", f".:{parameter}"):
        path = tmp_path / "in" / name
        with pytest.raises(SourceError, match="a name without / and"):
            read(CSVSource(path, key="id"), run=run_of(**{parameter: key}))


@pytest.mark.parametrize("key", ["x" * 300, "\ud800"])
def test_a_key_that_no_file_can_be_called_by(tmp_path: Path, key: str):
    with pytest.raises(SourceError, match="could not be opened"):
        read(CSVSource(tmp_path / ":subject", key="id"), run=run_of(key))


def test_one_file_with_a_column_that_says_whose_a_row_is(tmp_path: Path):
    path = write(tmp_path / "members.csv", "group,id\ng1,E1\ng2,E2\n,E3\ng1,E4\n")
    source = CSVSource(path, key=("group", "id"), subject="group", count=4)
    assert read(source) == ([{"group": "g1", "id": "E1"}, {"group": "g1", "id": "E4"}], [], Complete(2))
    assert read(source, 1, run_of("g3")) == ([], [], Complete(0))


def test_a_subject_in_json_may_be_a_number(tmp_path: Path):
    path = write(tmp_path / "m.jsonl", '{"g":7,"id":1}\n{"g":"7","id":2}\n{"g":8,"id":3}\n{"g":null,"id":4}\n')
    source = JSONLinesSource(path, key="id", subject="g")
    assert read(source, run=run_of("7")) == ([{"g": 7, "id": 1}, {"g": "7", "id": 2}], [], Complete(2))
    write(path, '{"g":7.5,"id":1}\n{"id":2}\n{"g":"7","id":3}\n')
    records, faults, complete = read(source, run=run_of("7"))
    assert ([record["id"] for record in records], complete) == ([3], None)
    assert [message.rpartition(", line ")[2] for message in faults] == [
        "1: the subject in 'g': a key is text, a whole number or an identifier, got 7.5",
        "2: expected a field 'g', got none"]


def test_a_row_that_cannot_be_read_may_be_anybodys(tmp_path: Path):
    path = write(tmp_path / "members.csv", "group,id\ng1,E1\ng2\n")
    assert read(CSVSource(path, key="id", subject="group"))[2] is None


@pytest.mark.parametrize(("options", "said"), [
    ({"path": 7}, "expects the path of a file, as text or a Path, but got 7"),
    ({"path": ""}, "but got ''"),
    ({"path": b"people.csv"}, "but got b'people.csv'"),
    ({"path": "https://user:s3cret@example.com/people.csv"}, "but got a URL. Fetch the file first."),
    ({"path": "people-:subjct.csv"}, "but it holds :subjct; did you mean 'subject'?"),
    ({"path": "people-:day.csv"}, "may hold :account and :subject, but it holds :day."),
    ({"path": ":subject.csv", "subject": "group"}, "but got both"),
    ({"subject": ""}, "expects subject to name the field that holds a row's subject, but got ''"),
    ({"key": ""}, "expects key to name the field, or fields, that identify a row, but got ''"),
    ({"key": ()}, "but got ()"),
    ({"key": ("id", "")}, "but got ('id', '')"),
    ({"key": 7}, "but got 7"),
    ({"page_size": 0}, "a number of records from 1, but got 0"),
    ({"count": -1}, "a number of rows, a Manifest, a Trailer or a function of the run, but got -1"),
    ({"count": "people.count"}, "but got 'people.count'"),
    ({"count": True}, "but got True"),
    ({"count": Trailer("")}, "expects the mark that the last row is known by, but got ''"),
    ({"count": Manifest(":sbject.count")}, "CSVSource's Manifest may hold :account and :subject, but it holds :sbject"),
    ({"delimiter": ""}, "expects delimiter to be one character between cells, but got ''"),
    ({"blank": "-"}, "to be '' or None, but got '-'"),
    ({"delimiter": '"'}, "but got '\"'"),
    ({"encoding": "utf-16"}, "an encoding that keeps ASCII as it is, such as utf-8 or cp1252, but got 'utf-16'"),
    ({"encoding": "utf-99"}, "but got 'utf-99'"),
    ({"encoding": None}, "but got None"),
])
def test_what_cannot_work_is_said_at_once(options: dict[str, Any], said: str):
    assert said in fault(**options)
    assert "s3cret" not in fault(**options)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        CSVSource("", key="", subject="", page_size=0, count=-1, delimiter="", encoding="?")
    assert len(caught.value.faults) == 7


def test_it_is_shown_by_its_path_and_key():
    assert repr(CSVSource(Path("a") / ":subject.csv", key="id")) == "CSVSource('a/:subject.csv', key='id')"
    assert repr(JSONLinesSource("m.jsonl", key=["a", "b"])) == "JSONLinesSource('m.jsonl', key=('a', 'b'))"
