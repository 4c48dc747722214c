"""Columns that are fetched because `*` asks for all of them.

Which of them the program looks at cannot be told from here, and so it is not said: what is named is how many wide rows
came whole.
"""

import re
from collections.abc import Iterator

from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, Work
from penstock.observe.patterns.shapes import takes_all_columns

_ROWS = 1000
"""In a trace on average: fewer rows cost little, however wide they are."""
_WIDE = 500
"""Bytes of a row, as the planner estimates them: some ten columns, or one of free text. Narrower rows lose little."""
_SHARE = 0.1
"""Of the wall time."""
_BYTES = re.compile(r"\brows of ([\d,]+) bytes")


def unused_columns(work: Work) -> Iterator[Pattern]:
    """Statements that take every column of many wide rows; none whose rows are known to be narrow, or are not known."""
    for seen in work.statements:
        share = work.share(seen.total_us)
        if share < _SHARE or seen.rows < _ROWS * max(seen.traces, 1) or not takes_all_columns(seen.text):
            continue
        plans = [each.text for each in work.plans
                 if (each.fingerprint, each.database) == (seen.fingerprint, seen.database)]
        width = max((_width(text) for text in plans), default=0)
        if width < _WIDE:
            continue
        place = evidence.site(seen.sites)
        yield Pattern(
            kind="unused columns", took_us=seen.total_us, share=share, fingerprint=seen.fingerprint,
            database=seen.database, site=place, evidence={**evidence.numbers(seen, work), "row_bytes": width},
            says=f"`{evidence.short(seen.text)}`" + (f" at {place}" if place else "") + f" takes every column of"
                 f" {seen.rows:,} rows of about {width:,} bytes: {evidence.spent(seen.total_us, work)}",
            faster="name the columns that are used; an index may then hold all of them")


def _width(text: str) -> int:
    """How many bytes the planner thinks that a row of the whole has; 0 where its plan does not say."""
    found = _BYTES.search(text.partition("\n")[0])
    return int(found[1].replace(",", "")) if found else 0
