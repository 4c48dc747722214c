"""Evidence in words: what a sentence says of a statement or of a call, and of the time that they took."""

from collections.abc import Sequence

from penstock.domain.lasting import lasting
from penstock.domain.traces import CallSeen, CallSite, StatementSeen
from penstock.observe.patterns.contract import Work

_LONGEST, _END = 110, 40
_TAIL = 3
_THIRD = 3
Numbers = dict[str, int | float | str]


def short(text: str) -> str:
    """A statement as it was kept, in as much of one line as fits into a sentence: its end says how it is cut up."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST - _END - 1]}…{line[-_END:]}"


def site(sites: Sequence[CallSite]) -> str | None:
    """Where most of the calls came from: `file.py:12 in load`."""
    if not sites:
        return None
    most = max(sites, key=lambda each: each.calls)
    file = "/".join(most.file.replace("\\", "/").split("/")[-_TAIL:])
    return f"{file}:{most.line} in {most.function}"


def at_one_site(sites: Sequence[CallSite], share: float) -> bool:
    """Whether one place in the code makes so great a share of the calls."""
    return bool(sites) and max(each.calls for each in sites) >= share * sum(each.calls for each in sites)


def calls(seen: StatementSeen | CallSeen) -> str:
    """`90 calls`, or `90 calls in each of 12 traces`; where they differ, on average."""
    if seen.traces <= 1:
        return f"{seen.calls:,} call{'' if seen.calls == 1 else 's'}"
    mean = seen.calls / seen.traces
    about = "" if mean == seen.most_calls else "about "
    count = max(round(mean), 1)
    return f"{about}{count:,} call{'' if count == 1 else 's'} in each of {seen.traces:,} traces"


def each(seen: StatementSeen) -> str:
    """`each 1,000 rows, 30 s each`."""
    rows = round(seen.rows / seen.calls) if seen.calls else 0
    gives = "each at most one row, " if seen.at_most_one == seen.calls else f"each {rows:,} rows, " if rows else ""
    return f"{gives}{lasting(seen.total_us / max(seen.calls, 1))} each"


def spent(took_us: float, work: Work) -> str:
    """`45 min of 50 min`, over all traces looked at."""
    return f"{lasting(min(took_us, work.trace.total_us))} of {lasting(work.trace.total_us)}"


def numbers(seen: StatementSeen | CallSeen, work: Work) -> Numbers:
    """The same for programs."""
    found: Numbers = {"calls": seen.calls, "traces": seen.traces, "most_calls": seen.most_calls,
                      "total_us": seen.total_us, "wall_us": work.trace.total_us}
    return {**found, "rows": seen.rows} if isinstance(seen, StatementSeen) else found


def growth(seen: StatementSeen) -> tuple[float, float, float] | None:
    """By how much calls were slower at the end of the longest trace than at its beginning, and what a call took there.

    Told from the first and the last three tenths, as (times, first_us, last_us); None where too few are known.
    """
    known = [(count, took) for count, took in seen.by_position if count]
    if len(known) < 2 * _THIRD:
        return None
    first, last = (sum(took for _, took in part) / sum(count for count, _ in part)
                   for part in (known[:_THIRD], known[-_THIRD:]))
    return last / max(first, 1.0), first, last
