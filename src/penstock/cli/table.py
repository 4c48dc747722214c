"""Columns in plain text: as wide as what is in them, so that they can be read, searched and cut by other programs.

Numbers stand to the right. On a terminal that is too narrow the widest texts are cut off, so that a row stays a line;
into a file or a pipe they go whole.
"""

import shutil
import sys
from collections.abc import Iterable, Sequence

NUMBERS = frozenset((
    "ATTEMPT", "WAITING", "OLDEST", "RUNNING", "SLOTS", "BUSY", "LATER", "DONE",
    "COMPLETED", "DISCARDED", "DONE/MIN", "FAILED/MIN", "UP", "MEMORY", "RUNS", "TRACES", "FAILED", "IN A ROW", "TOTAL",
    "SHARE", "P50", "P95", "P99", "MAX", "MEAN", "CPU", "CALLS", "ROWS", "READ", "PERMITS", "WAITED", "TOOK", "SERVED",
    "PUT BACK", "SKIPPED", "USED", "UNUSED"))
"""The headings below which numbers stand, of all commands. What identifies something is a name, be it a number."""
_WHOLE = NUMBERS | {"ENQUEUED", "REQUESTED", "BEGAN", "CHANGED", "NEXT", "LAST", "WHEN", "LAST SUCCESS", "STATE",
                    "STATUS"}
"""What is of no use when half of it is missing: numbers, times, states."""
_GAP = "  "
_LEAST = 12
"""So much of a text is always shown."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of columns."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    if sys.stdout.isatty():
        widths = fitting(headings, widths, shutil.get_terminal_size().columns) or widths
    return "\n".join(_GAP.join(_cell(heading, text, width)
                               for heading, text, width in zip(headings, line, widths, strict=True)).rstrip()
                     for line in lines)


def fitting(headings: Sequence[str], widths: Sequence[int], columns: int) -> list[int] | None:
    """Widths that together are no more than so many columns; None where texts cannot be cut off so far."""
    found = list(widths)
    texts = [place for place, heading in enumerate(headings) if heading not in _WHOLE]
    while sum(found) + len(_GAP) * (len(found) - 1) > columns:
        widest = max(texts, key=found.__getitem__, default=None)
        if widest is None or found[widest] <= max(_LEAST, len(headings[widest])):
            return None  # nothing is cut off in vain
        found[widest] -= 1
    return found


def _cell(heading: str, text: str, width: int) -> str:
    if len(text) > width:
        text = f"{text[:width - 1]}…"
    return text.rjust(width) if heading in NUMBERS else text.ljust(width)


def short(text: str, most: int = 80) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most - 1]}…"
