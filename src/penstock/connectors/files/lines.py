"""The lines of a file that somebody else writes, perhaps at this very moment.

Whoever reads to the end and leaves `opened` without an error has read one state of the file: it was not written to,
not replaced and not moved away meanwhile. A change that leaves size, times and identity as they were goes unseen.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from penstock.domain.errors import SourceError

LINE_BYTES = 16 * 1024 * 1024
"""The longest line that is held in memory."""

BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_SKIP_BYTES = 1024 * 1024


class Line(NamedTuple):
    """`number` counts from 1; `raw` holds the line's ending, unless the file stops before it (`ended` is False).

    Of a line longer than `LINE_BYTES` (`too_long`) `raw` is only the beginning.
    """

    number: int
    raw: bytes
    ended: bool = True
    too_long: bool = False


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The file's content, unpacked if the name ends in `.gz`. Raises SourceError, also where the file changed."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a named pipe would have us wait for ever
            raise SourceError(f"The source expects a file at {path}, but something else is there. Correct the path.")
        raw = open(path, "rb")  # noqa: SIM115 - closed below; what the reader raises is not to be caught here
    except FileNotFoundError as error:
        raise SourceError(
            f"The source expects a file at {path}, but there is none. Correct the path (a relative one starts at the"
            " current directory), or wait until the file is written."
        ) from error
    except (OSError, ValueError) as error:  # a key may be no text that a file could be called
        raise SourceError(f"The source at {path!r} could not be opened: {_reason(error)}. Correct the path, or give"
                          " this user leave to read the file.") from error
    with raw:
        before = _state(os.fstat(raw.fileno()))
        try:
            yield gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw  # type: ignore[misc]
        except SourceError:
            _check_unchanged(raw, path, before)  # which would be why it makes no sense
            raise
        _check_unchanged(raw, path, before)


def lines(file: IO[bytes], path: str) -> Iterator[Line]:
    """Every line, without the mark of byte order that UTF-8 may begin with. Raises SourceError."""
    number = 0
    while raw := _read(file, path, LINE_BYTES + 1):
        number += 1
        if number == 1:
            if raw.startswith(_WIDE):
                raise SourceError(f"The source at {path} is expected in UTF-8, but begins like UTF-16. Export it as"
                                  " UTF-8.")
            raw = raw.removeprefix(BOM)
        if raw.endswith(b"\n"):
            yield Line(number, raw)
        elif len(raw) > LINE_BYTES:
            rest = b"x"
            while rest and not rest.endswith(b"\n"):
                rest = _read(file, path, _SKIP_BYTES)
            yield Line(number, raw, bool(rest), too_long=True)
        elif raw:
            yield Line(number, raw, ended=False)


def _read(file: IO[bytes], path: str, most: int) -> bytes:
    try:
        return file.readline(most)
    except EOFError as error:
        raise SourceError(f"The source at {path} is cut off: its compressed data have no end. Wait until it is whole,"
                          " or export it again.") from error
    except (OSError, zlib.error) as error:
        raise SourceError(f"The source at {path} could not be read: {_reason(error)}. Export it again, and name it"
                          " .gz only if it is compressed with gzip.") from error


def _check_unchanged(raw: IO[bytes], path: str, before: tuple[int, ...]) -> None:
    try:
        after, here = _state(os.fstat(raw.fileno())), _state(os.stat(path))
    except OSError as error:
        raise _changed(path, "it is no longer there") from error
    if here[:2] != before[:2]:
        raise _changed(path, "another file has taken its place")
    if before != after or before != here:
        raise _changed(path, "it was written to")


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _changed(path: str, how: str) -> SourceError:
    return SourceError(
        f"The source at {path} is expected to stay as it is while it is read, but {how}. Write the new file under"
        " another name and rename it when it is whole; the run is tried again."
    )


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
