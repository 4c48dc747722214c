"""How many rows a file has to have, as its writer says: beside it, at its end, or by a function.

Only such a count tells a file that was cut off between two lines from one that is whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import msgspec

from penstock.connectors.files.lines import opened
from penstock.connectors.files.location import Location
from penstock.domain.errors import ConfigurationError, SourceError
from penstock.sync.declaring.ports import Run

_MANIFEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file beside the rows that says how many there are: a bare number, or the `field` of a JSON object.

    The path may hold `:subject` and `:account`.
    """

    path: str | PathLike[str]
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Trailer:
    """The file's last row says how many rows are before it.

    In CSV it is the row whose first cell is `mark`, and the count is its second cell; in JSON Lines it is an object
    with only the field `mark`, which is the count. The row itself is not counted.
    """

    mark: str


Count = int | Manifest | Trailer | Callable[[Run], int]


def checked(owner: str, count: object) -> "int | Trailer | Callable[[Run], int] | None":
    """What was declared, with a manifest as the function that reads it. Raises ConfigurationError."""
    if isinstance(count, Manifest):
        location = Location(f"{owner}'s Manifest", count.path)
        field = count.field
        return lambda run: _in_manifest(location.of(run), field)
    if isinstance(count, Trailer):
        if isinstance(count.mark, str) and count.mark:
            return count
        raise ConfigurationError(f"Trailer expects the mark that the last row is known by, but got {count.mark!r}.")
    if count is None or callable(count) or _is_count(count):
        return count  # type: ignore[return-value]
    raise ConfigurationError(
        f"{owner} expects count to be a number of rows, a Manifest, a Trailer or a function of the run, but got"
        f" {count!r}."
    )


def expected(count: "int | Trailer | Callable[[Run], int] | None", run: Run) -> int | None:
    """The count for one run, as far as it can be known before the file is read."""
    if count is None or isinstance(count, Trailer):
        return None
    if isinstance(count, int):
        return count
    told = count(run)
    if not _is_count(told):
        raise SourceError(f"The function count of a source is expected to give a number of rows, but gave {told!r}.")
    return told


def number_in(value: Any, where: str) -> int:
    """A count as text or as a number. Raises SourceError."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if _is_count(value):
        return int(value)
    raise SourceError(f"{where}: expected a number of rows, got {str(value)[:40]!r}. Correct what writes it.")


def _in_manifest(path: str, field: str | None) -> int:
    with opened(path) as file:
        content = file.read(_MANIFEST_BYTES)
    if field is None:
        return number_in(content.decode("utf-8-sig", "replace"), path)
    try:
        value = msgspec.json.decode(content)[field]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise SourceError(f"{path}: expected a JSON object with the number of rows in {field!r}, got none. Correct"
                          " what writes it, or the field.") from error
    return number_in(value, path)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
