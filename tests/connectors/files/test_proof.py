"""What a file proves: only one that was whole, and that nobody touched meanwhile, says that it gave everything."""

import os
import threading
import tracemalloc
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from penstock.connectors import CSVSource, JSONLinesSource, Manifest, Trailer
from penstock.domain.errors import SourceError
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Source
from tests.connectors.files.reading import read, run_of, write

Make = Callable[..., Source]
ROWS = {"csv": ["id,name\n", "E1,London\n", "E2,Paris\n", "E3,Rome\n"],
        "jsonl": ["", '{"id":"E1","name":"London"}\n', '{"id":"E2","name":"Paris"}\n', '{"id":"E3","name":"Rome"}\n']}
SOURCES: dict[str, Any] = {"csv": CSVSource, "jsonl": JSONLinesSource}


@pytest.fixture(params=["csv", "jsonl", "csv.gz", "jsonl.gz"])
def name(request: pytest.FixtureRequest) -> str:
    return f"people.{request.param}"


@pytest.fixture
def path(tmp_path: Path, name: str) -> Path:
    return tmp_path / name


@pytest.fixture
def kind(name: str) -> str:
    return name.split(".")[1]


@pytest.fixture
def make(path: Path, kind: str) -> Make:
    return lambda **options: SOURCES[kind](path, key="id", **options)


def content(kind: str, rows: int = 3) -> str:
    return "".join(ROWS[kind][:rows + 1])


def ids(records: list[Any]) -> list[str]:
    return [record["id"] for record in records]


def test_a_whole_file(path: Path, kind: str, make: Make):
    write(path, content(kind))
    records, faults, complete = read(make())
    assert (ids(records), faults, complete) == (["E1", "E2", "E3"], [], Complete(3))


def test_a_file_that_is_cut_off_anywhere_proves_nothing_unless_it_is_between_two_lines(
        path: Path, kind: str, make: Make):
    """Wherever it is cut, every record that is given is one that was written, whole."""
    whole = content(kind)
    written = read(SOURCES[kind](write(path, whole), key="id"))[0]
    for length in range(len(whole)):
        write(path, whole[:length])
        try:
            records, faults, complete = read(make())
        except SourceError:
            continue
        assert records == written[:len(records)]
        if whole[:length].endswith("\n") and records:
            assert complete == Complete(len(records))
        else:
            assert complete is None
            assert faults or not records
        with nullcontext() if faults else pytest.raises(SourceError, match="expected 3 rows"):
            assert read(make(count=3))[2] is None


@pytest.mark.parametrize("name", ["people.csv.gz", "people.jsonl.gz"])
def test_a_compressed_file_that_is_cut_off_is_an_error(path: Path, kind: str, make: Make):
    packed = write(path, content(kind)).read_bytes()
    for length in range(1, len(packed)):
        path.write_bytes(packed[:length])
        with pytest.raises(SourceError):
            read(make())
    path.write_bytes(packed[:30] + bytes([packed[30] ^ 0xFF]) + packed[31:])
    with pytest.raises(SourceError, match="could not be read"):
        read(make())
    path.write_text("not compressed")
    with pytest.raises(SourceError, match="name it .gz only if it is compressed"):
        read(make())


def test_a_file_without_rows_proves_nothing_unless_its_count_says_so(path: Path, kind: str, make: Make):
    write(path, content(kind, 0))
    assert read(make()) == ([], [], None)
    assert read(make(count=0)) == ([], [], Complete(0))


def test_a_last_line_without_its_ending(path: Path, kind: str, make: Make):
    """By default the row is left out: in CSV, Rome could be the beginning of Romeo."""
    write(path, content(kind)[:-1])
    records, [fault], complete = read(make())
    assert (ids(records), complete) == (["E1", "E2"], None)
    assert "the last line has no ending" in fault
    assert read(make(count=3))[2] is None
    records, faults, complete = read(make(final_newline=False))
    assert (ids(records), faults, complete) == (["E1", "E2", "E3"], [], None)
    assert read(make(final_newline=False, count=3))[2] == Complete(3)
    with pytest.raises(SourceError, match="expected 4 rows"):
        read(make(final_newline=False, count=4))


def test_a_missing_file_is_an_error(make: Make):
    with pytest.raises(SourceError, match="there is none. Correct the path"):
        read(make())


def test_what_is_no_file_is_an_error(path: Path, make: Make):
    path.mkdir()
    with pytest.raises(SourceError, match="something else is there"):
        read(make())
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(SourceError, match="something else is there"):
        read(make())


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def overwritten(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"x" * size)


def times_put_back(path: Path) -> None:
    before = path.stat()
    overwritten(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    other = path.with_name("new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


CHANGES = {"appended": appended, "overwritten": overwritten, "times put back": times_put_back, "replaced": replaced,
           "removed": Path.unlink}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["after the first page", "after the last page"])
def test_a_file_that_changes_while_it_is_read_is_an_error(
        path: Path, kind: str, make: Make, change: str, when: str):
    write(path, content(kind))
    pages = make().pages(run_of(), 1)
    for _ in range(1 if when == "after the first page" else 3):
        next(pages)
    CHANGES[change](path)
    with pytest.raises(SourceError, match="is expected to stay as it is while it is read"):
        list(pages)


def test_a_link_that_is_moved_to_a_new_file_while_it_is_read_is_an_error(tmp_path: Path):
    write(tmp_path / "1.csv", content("csv"))
    write(tmp_path / "2.csv", content("csv"))
    link = tmp_path / "current.csv"
    link.symlink_to("1.csv")
    pages = CSVSource(link, key="id").pages(run_of(), 1)
    next(pages)
    link.unlink()
    link.symlink_to("2.csv")
    with pytest.raises(SourceError, match="another file has taken its place"):
        list(pages)


@pytest.mark.parametrize("told", [" 3\n", b"\xef\xbb\xbf3"])
def test_a_manifest_beside_the_file(tmp_path: Path, path: Path, kind: str, make: Make, told: str | bytes):
    write(path, content(kind))
    write(tmp_path / "g1.acme.count", told)
    source = make(count=Manifest(tmp_path / ":subject.:account.count"))
    assert read(source)[2] == Complete(3)
    write(path, content(kind, 2))
    with pytest.raises(SourceError, match="expected 3 rows, as its count says, got 2"):
        read(source)


def test_a_manifest_in_json(tmp_path: Path, path: Path, kind: str, make: Make):
    write(path, content(kind))
    manifest = tmp_path / "manifest.json"
    source = make(count=Manifest(manifest, field="rows"))
    for good in ('{"rows": 3}', '{"rows": "3"}'):
        write(manifest, good)
        assert read(source)[2] == Complete(3)
    for bad in ("3", "{}", "[]", "", '{"rows": -1}', '{"rows": true}', '{"rows": 2.5}', '{"rows": "three"}'):
        write(manifest, bad)
        with pytest.raises(SourceError, match="number of rows"):
            read(source)
    manifest.unlink()
    with pytest.raises(SourceError, match="there is none"):
        read(source)


def test_a_function_that_counts(path: Path, kind: str, make: Make):
    write(path, content(kind))
    assert read(make(count=lambda run: {"g1": 3}[run.subject.key]))[2] == Complete(3)
    with pytest.raises(SourceError, match="expected to give a number of rows, but gave None"):
        read(make(count=lambda run: None))


TRAILERS = {"csv": "TOTAL,{}\n", "jsonl": '{{"TOTAL":{}}}\n'}


def test_a_trailer_at_the_end_of_the_file(path: Path, kind: str, make: Make):
    source = make(count=Trailer("TOTAL"))
    write(path, content(kind) + TRAILERS[kind].format(3))
    records, faults, complete = read(source)
    assert (ids(records), faults, complete) == (["E1", "E2", "E3"], [], Complete(3))
    write(path, content(kind, 0) + TRAILERS[kind].format(0))
    assert read(source) == ([], [], Complete(0))
    for rows in (2, 4):
        write(path, content(kind) + TRAILERS[kind].format(rows))
        with pytest.raises(SourceError, match=f"expected {rows} rows"):
            read(source)
    write(path, content(kind))
    with pytest.raises(SourceError, match="expected a last row that begins with 'TOTAL'"):
        read(source)
    write(path, content(kind) + TRAILERS[kind].format('"many"'))
    with pytest.raises(SourceError, match="expected a number of rows, got 'many'"):
        read(source)


def test_a_trailer_that_is_not_the_end(path: Path, kind: str, make: Make):
    write(path, content(kind) + TRAILERS[kind].format(3) + ROWS[kind][1])
    _, [fault], complete = read(make(count=Trailer("TOTAL")))
    assert "expected nothing after the row with the count" in fault
    assert complete is None


def test_a_trailer_without_its_ending_may_be_half_a_number(path: Path, kind: str, make: Make):
    write(path, content(kind) + TRAILERS[kind].format(3)[:-1])
    assert read(make(count=Trailer("TOTAL")))[2] is None
    assert read(make(count=Trailer("TOTAL"), final_newline=False))[2] == Complete(3)


def test_a_run_that_has_to_stop_need_not_wait_for_a_page(path: Path, kind: str, make: Make):
    """All the rows are another subject's."""
    write(path, content(kind))
    run = run_of("nobody")
    checks = []
    run.check = lambda: checks.append(True)
    assert read(make(subject="name"), 1, run) == ([], [], Complete(0))
    assert len(checks) == 3


def test_a_read_that_is_given_up_closes_the_file(path: Path, kind: str, make: Make):
    write(path, content(kind))
    pages = make().pages(run_of(), 1)
    next(pages)
    appended(path)
    closing = threading.Thread(target=pages.close)  # perhaps by another thread
    closing.start()
    closing.join()


def test_memory_does_not_grow_with_the_file(path: Path, kind: str, make: Make):
    def peak(rows: int) -> int:
        write(path, content(kind, 0) + ROWS[kind][1] * rows)
        pages = make(count=rows).pages(run_of(), 100)
        next(pages)
        tracemalloc.start()
        deque(pages, maxlen=0)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(10_000) < peak(2_000) + 50_000
