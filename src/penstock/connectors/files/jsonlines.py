"""JSONLinesSource: a file with a JSON object on each line.

A line says by itself whether it is whole, so one that cannot be read stops no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike

import msgspec

from penstock.connectors.files.counts import Count, number_in
from penstock.connectors.files.lines import LINE_BYTES, Line
from penstock.connectors.files.source import FileSource, Reading, Row
from penstock.sync.planning.read import Unreadable

_decode = msgspec.json.Decoder().decode


class JSONLinesSource(FileSource):
    """A file of JSON objects in UTF-8, one on each line; their members are the record's fields.

        JSONLinesSource("export/people-:subject.jsonl", key="id")
        JSONLinesSource("members.jsonl.gz", key=("group", "person"), subject="group", count=Trailer("count"))

    In `path`, `:subject` and `:account` are the keys of the run's; a key that is no plain name of a file is refused.
    Instead, `subject` may name the field that says whose a row is. `key` names the field, or fields, that identify a
    row. `count` says how many rows the file has to have: a `Manifest`, a `Trailer`, a function of the run or a number.
    `final_newline=False` says that the writer leaves out the last line's ending: without it such a row is taken for
    cut off and reported, with it the file proves itself only by a `count`. Blank lines are passed over. A name that
    ends in `.gz` is unpacked.

    Raises ConfigurationError when it is declared wrongly, listing every fault; reading raises SourceError.
    """

    def __init__(self, path: str | PathLike[str], *, key: str | Sequence[str], subject: str | None = None,
                 count: Count | None = None, final_newline: bool = True, page_size: int | None = None) -> None:
        super().__init__(path, key=key, subject=subject, count=count, final_newline=final_newline, page_size=page_size)

    def rows(self, source: Iterator[Line], reading: Reading) -> Iterator[Row | Unreadable]:
        fields = (*self.keys, *([self.subject] if self.subject else []))
        for line in source:
            reading.line, reading.ended = line.number, line.ended
            if line.raw.isspace():
                continue
            row = self._row(line)
            if isinstance(row, str):
                reading.rows += 1
                yield reading.fault(row)
            elif reading.told is not None:
                yield reading.fault("expected nothing after the row with the count, got another row")
            elif self.trailer is not None and row.keys() == {self.trailer}:
                reading.told = number_in(row[self.trailer], f"{reading.path}, line {line.number}")
            else:
                reading.rows += 1
                missing = [name for name in fields if name not in row]
                yield reading.fault(f"expected a field {missing[0]!r}, got none") if missing else row

    def _row(self, line: Line) -> Row | str:
        """The line's object, or what is wrong with it."""
        if line.too_long:
            return f"expected a line of at most {LINE_BYTES} bytes, got a longer one"
        try:
            row = _decode(line.raw)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            cut = ", and the last line has no ending: it is cut off, or still being written" if not line.ended else ""
            return f"expected a JSON object, got what is none ({error}){cut}"
        if not isinstance(row, Mapping):
            return f"expected a JSON object, got {_kind(row)}"
        if not line.ended and self.final_newline:
            return ("the last line has no ending, so the file may be cut off; end it, or declare final_newline=False"
                    " with a count")
        return row


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", str: "a string", list: "an array"}.get(type(value), "a number")
