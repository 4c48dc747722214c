"""CSVSource: rows of a CSV file (RFC 4180), whose first row names the fields.

Where rows begin and end is known only as long as quotes are balanced. So a row whose quoting is broken is left out
alone if it stays on its line; if it reaches beyond it, nothing after it can be told apart, and the rest is not read:
text inside of a value must never be taken for a row.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from penstock.connectors.files.counts import Count, number_in
from penstock.connectors.files.lines import LINE_BYTES, Line
from penstock.connectors.files.source import FileSource, Reading, Row
from penstock.domain.errors import SourceError
from penstock.domain.names import did_you_mean
from penstock.sync.planning.read import Unreadable

REST = "the rest of the file is not read, since its rows cannot be told apart"


class CSVSource(FileSource):
    """A CSV file, read row by row; the columns that its first row names are the record's fields, as text.

        CSVSource("export/:account/people-:subject.csv", key="id")
        CSVSource("members.csv.gz", key=("group", "person"), subject="group", count=Manifest("members.count"))

    In `path`, `:subject` and `:account` are the keys of the run's; a key that is no plain name of a file is refused.
    Instead, `subject` may name the column that says whose a row is. `key` names the column, or columns, that identify
    a row. `count` says how many rows the file has to have, without the header: a `Manifest`, a `Trailer`, a function
    of the run or a number. `final_newline=False` says that the writer leaves out the last line's ending: without it
    such a row is taken for cut off and reported, with it the file proves itself only by a `count`. `blank=None` makes
    empty cells None. `encoding` may be any that keeps ASCII as it is; UTF-8 may begin with a mark of byte order. A
    name that ends in `.gz` is unpacked.

    Raises ConfigurationError when it is declared wrongly, listing every fault; reading raises SourceError.
    """

    def __init__(self, path: str | PathLike[str], *, key: str | Sequence[str], subject: str | None = None,
                 count: Count | None = None, delimiter: str = ",", encoding: str = "utf-8", blank: str | None = "",
                 final_newline: bool = True, page_size: int | None = None) -> None:
        self.delimiter = delimiter
        self.encoding = encoding
        self.blank = blank
        super().__init__(path, key=key, subject=subject, count=count, final_newline=final_newline, page_size=page_size)

    def faults(self) -> list[str]:
        faults = []
        if not isinstance(self.delimiter, str) or len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            faults.append(f"CSVSource expects delimiter to be one character between cells, but got {self.delimiter!r}.")
        if self.blank not in ("", None):
            faults.append(f"CSVSource expects empty cells (blank) to be '' or None, but got {self.blank!r}.")
        if not _keeps_ascii(self.encoding):
            faults.append(f"CSVSource expects an encoding that keeps ASCII as it is, such as utf-8 or cp1252, but got"
                          f" {self.encoding!r}.")
        return faults

    def rows(self, source: Iterator[Line], reading: Reading) -> Iterator[Row | Unreadable]:
        feed = _Feed(source, self.encoding)
        cells = csv.reader(feed, delimiter=self.delimiter, strict=True)
        names: list[str] | None = None
        while True:
            feed.begin()
            try:
                row = next(cells)
            except StopIteration:
                break
            except (csv.Error, _TooLongError) as error:
                if names is None:
                    raise SourceError(f"{reading.path}: expected a first row that names the columns, got one that"
                                      f" cannot be read: {error}. Export the file again.") from error
                reading.rows += 1
                reading.line = feed.first
                if isinstance(error, _TooLongError) or feed.number > feed.first:
                    yield reading.fault(f"{_meant(error, feed)}; {REST}")
                    return
                yield reading.fault(_meant(error, feed))
                continue
            reading.line, reading.ended = feed.first, feed.ended
            if not row:
                continue  # a blank line
            if names is None:
                names = self._header(row, feed, reading)
                continue
            if row[0] == self.trailer or reading.told is not None:
                yield from self._trailer(row, feed, reading)
                continue
            reading.rows += 1
            if fault := self._fault(row, names, feed):
                yield reading.fault(fault)
                continue
            if self.blank is None and "" in row:
                row = [cell or None for cell in row]  # type: ignore[misc]
            yield dict(zip(names, row, strict=True))
        if names is None:
            raise SourceError(f"{reading.path}: expected a first row that names the columns, got an empty file. Wait"
                              " until it is written, or export it again.")

    def _header(self, names: list[str], feed: "_Feed", reading: Reading) -> list[str]:
        where = f"{reading.path}: expected a first row that names the columns, each once,"
        if feed.undecodable:
            raise SourceError(f"{where} but it is no {self.encoding}: say encoding= as it is, or export it again.")
        repeated = [name for name, times in Counter(names).items() if times > 1 or not name]
        if repeated:
            raise SourceError(f"{where} but {', '.join(map(repr, repeated))} is empty or stands there twice. Name the"
                              " columns apart.")
        for name in (*self.keys, *([self.subject] if self.subject else [])):
            if name not in names:
                raise SourceError(f"{reading.path}: expected a column {name!r}, got {', '.join(names)[:400]}"
                                  f"{did_you_mean(name, names) or '. Name the right one, or the right delimiter.'}")
        return names

    def _fault(self, row: list[str], names: list[str], feed: "_Feed") -> str | None:
        if feed.undecodable:
            return f"expected text in {self.encoding}, got bytes that are none"
        wrong = f"expected {len(names)} columns, got {len(row)}" if len(row) != len(names) else None
        if not feed.ended and (wrong or self.final_newline):
            return _cut_off(wrong)
        return wrong

    def _trailer(self, row: list[str], feed: "_Feed", reading: Reading) -> Iterator[Unreadable]:
        if reading.told is not None:
            yield reading.fault("expected nothing after the row with the count, got another row")
        elif not feed.ended and self.final_newline:
            yield reading.fault(_cut_off(None))  # 12 may be the beginning of 123
        else:
            where = f"{reading.path}, line {feed.first}"
            reading.told = number_in(row[1] if len(row) > 1 else "", where)


class _TooLongError(Exception):
    """A row goes on and on."""


class _Feed:
    """The lines as text, and what is known of those of the present row: `first` to `number`."""

    def __init__(self, source: Iterator[Line], encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._bytes = 0
        self.number = 0
        self.begin()
        self.ended = True

    def begin(self) -> None:
        self._bytes = 0
        self.first = self.number + 1
        self.undecodable = False

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = next(self._source)
        self.number, self.ended = line.number, line.ended
        self._bytes += len(line.raw)
        if line.too_long or self._bytes > LINE_BYTES:
            raise _TooLongError(f"expected a row of at most {LINE_BYTES} bytes, got a longer one")
        try:
            return line.raw.decode(self._encoding)
        except UnicodeError:
            self.undecodable = True
            # The row's quotes and commas still count, or what follows would be cut into rows that are none.
            return line.raw.decode(self._encoding, "surrogateescape")


def _meant(error: Exception, feed: _Feed) -> str:
    """What was wrong with a row's quoting, for people who have not read the csv module."""
    said = str(error)
    if "unexpected end of data" in said:
        return "a quote is opened and never closed: the row is cut off, or the quote is no quote"
    if "expected after" in said:
        return "a quote ends in the middle of a value; double the quotes that are part of one" + (
            f" (lines {feed.first} to {feed.number})" if feed.number > feed.first else "")
    if "field limit" in said:
        return f"a value is longer than {csv.field_size_limit()} characters, or a quote is never closed"
    if "new-line character" in said:
        return "lines that end in \\n or \\r\\n are expected, not in \\r alone"
    return said


def _cut_off(wrong: str | None) -> str:
    also = f"{wrong}, and " if wrong else ""
    return (f"{also}the last line has no ending, so it may be cut off; end it, or declare final_newline=False with a"
            " count")


def _keeps_ascii(encoding: Any) -> bool:
    try:
        ascii_text = bytes(range(128)).decode("ascii")
        return codecs.lookup(encoding).name not in ("utf-7",) and ascii_text.encode(encoding).removeprefix(
            codecs.BOM_UTF8) == ascii_text.encode("ascii")
    except (LookupError, TypeError, UnicodeError):
        return False
