"""What all file sources have in common: how they are declared, how rows become pages, and what a read proves."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from penstock.connectors.files import counts
from penstock.connectors.files.lines import Line, lines, opened
from penstock.connectors.files.location import Location
from penstock.domain.errors import ConfigurationError, SourceError
from penstock.domain.keys import key_text
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.read import Unreadable

Row = Mapping[str, Any]


@dataclass(slots=True)
class Reading:
    """What is known of a file so far: `rows` were met, of which `faults` could not be read.

    `line` is where the last of them begins, `ended` whether its line had its ending, `told` the count in the trailer.
    """

    path: str
    line: int = 0
    rows: int = 0
    faults: int = 0
    ended: bool = True
    told: int | None = None

    def fault(self, what: str) -> Unreadable:
        """A row that cannot be read, as it is reported. What stands in it is not repeated."""
        self.faults += 1
        return Unreadable(f"{self.path}, line {self.line}: {what}")


class FileSource:
    """A file of rows. The formats say what a row is; see `CSVSource` and `JSONLinesSource`."""

    def __init__(self, path: str | PathLike[str], *, key: str | Sequence[str], subject: str | None,
                 count: "counts.Count | None", final_newline: bool, page_size: int | None) -> None:
        owner = type(self).__name__
        faults: list[str] = []
        try:
            self._location = Location(owner, path)
            if subject is not None and "subject" in self._location.parameters:
                faults.append(f"{owner} expects a file for each subject (:subject in its path) or one file with a"
                              " column that tells them apart (subject=), but got both.")
        except ConfigurationError as error:
            faults += error.faults
        self.key = key if isinstance(key, str) else tuple(key) if isinstance(key, list | tuple) else ""
        if not self.key or not all(isinstance(field, str) and field for field in self.keys):
            faults.append(f"{owner} expects key to name the field, or fields, that identify a row, but got {key!r}.")
        if subject is not None and (not isinstance(subject, str) or not subject):
            faults.append(f"{owner} expects subject to name the field that holds a row's subject, but got {subject!r}.")
        if page_size is not None and (not isinstance(page_size, int) or page_size < 1):
            faults.append(f"{owner} expects page_size to be a number of records from 1, but got {page_size!r}.")
        try:
            self._count = counts.checked(owner, count)
        except ConfigurationError as error:
            faults += error.faults
        faults += self.faults()
        if faults:
            raise ConfigurationError(faults)
        self.subject = subject
        self.final_newline = final_newline
        self.page_size = page_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._location)!r}, key={self.key!r})"

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def trailer(self) -> str | None:
        """What the file's last row is known by, where it holds the count."""
        return self._count.mark if isinstance(self._count, counts.Trailer) else None

    def faults(self) -> list[str]:
        """What is wrong with what only this format is declared with."""
        return []

    def rows(self, source: Iterator[Line], reading: Reading) -> Iterator[Row | Unreadable]:
        """Every row of the file, told to `reading` as well. Raises SourceError."""
        raise NotImplementedError

    def pages(self, run: Run, size: int) -> Generator[Sequence[Any], None, Complete | None]:
        """The records of the run's subject, at most `size` (or `page_size`) at a time, in the order of the file.

        Rows that cannot be read come as `Unreadable`, on pages of their own. Returns `Complete` only for a file that
        was whole: without a fault, with its last line ended (or counted), with rows (or a count of none), and with
        as many of them as the count says. Raises SourceError where there is no telling what the file was to hold.
        """
        size = self.page_size or size
        path = self._location.of(run)
        expected = counts.expected(self._count, run)
        reading = Reading(path)
        given = 0
        readable: list[Row] = []
        unreadable: list[Unreadable] = []
        wanted = self._wanted(run)
        with opened(path) as file:
            for row in self.rows(lines(file, path), reading):
                if isinstance(row, Unreadable):
                    unreadable.append(row)
                else:
                    belongs = wanted(row, reading)
                    if isinstance(belongs, Unreadable):
                        unreadable.append(belongs)
                    elif belongs:
                        readable.append(row)
                if reading.rows % size == 0:
                    run.check()  # rows of other subjects may fill the time between two pages
                if len(readable) + len(unreadable) >= size:
                    given += len(readable)
                    yield from (page for page in (readable, unreadable) if page)
                    readable, unreadable = [], []
            given += len(readable)
            yield from (page for page in (readable, unreadable) if page)
        return self._proof(reading, given, expected)

    def _wanted(self, run: Run) -> "Callable[[Row, Reading], bool | Unreadable]":
        """Says of a row whether it belongs to the run's subject."""
        field, subject = self.subject, run.subject.key
        if field is None:
            return lambda row, reading: True

        def wanted(row: Row, reading: Reading) -> bool | Unreadable:
            value = row[field]
            try:
                return value == subject if type(value) is str else key_text(value) == subject
            except TypeError as error:
                return reading.fault(f"the subject in {field!r}: {error}")

        return wanted

    def _proof(self, reading: Reading, given: int, expected: int | None) -> Complete | None:
        if self.trailer is not None:
            expected = reading.told
        if reading.faults:
            return None
        if self.trailer is not None and expected is None:
            raise SourceError(f"{reading.path}: expected a last row that begins with {self.trailer!r} and says how many"
                              f" rows there are, got {reading.rows} rows without it: the file is cut off, or still"
                              " being written. Wait until it is whole, or export it again.")
        if expected is not None and expected != reading.rows:
            raise SourceError(f"{reading.path}: expected {expected} rows, as its count says, got {reading.rows}: the"
                              " file is cut off, still being written, or not the one that was counted. Wait until both"
                              " are whole, or export them again.")
        if expected is None and not (reading.rows and reading.ended):
            return None
        return Complete(given)
