"""One statement, added up as it is executed: first within a trace, then over those of an hour.

Of its executions a few are kept as they were: marks, taken at a stride that doubles whenever there are too many of
them, so that the first 40 are all there and later ones are spread evenly; and the slowest. The marks carry what the
calls before them came to, so that how long calls took can be told by their position in the trace.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from penstock.domain.fingerprint import fingerprint
from penstock.domain.literals import redacted
from penstock.domain.parameters import Keeping, TooLong, keep
from penstock.domain.traces import Sample, StatementSeen
from penstock.observe.sites import Declared, Site, call_sites

MOST_MARKS = 40
MOST_SITES = 20
_SAMPLES = 8
_LONGEST_VALUE = 1000
_LONGEST_TEXT = 20_000
_PARTS = 10


class Mark(NamedTuple):
    """One execution as it was: its number from 0, its own time, and that of all before it."""

    call: int
    took_ns: int
    rows: int | None
    parameters: Any
    before_ns: int


class Statement:
    """What the executions of one statement came to. `Trace.statement` adds to it in place.

    `marks`, `last` and `calls_marked` are those of the one trace in which the statement took longest.
    """

    __slots__ = ("at_most_one", "calls", "calls_marked", "database", "driver", "failed", "fingerprint", "last",
                 "last_told", "locked_ns", "longest_ns", "marks", "max_ns", "most_calls", "next_mark", "rows", "sites",
                 "slowest", "stride", "text", "total_marked", "total_ns", "traces", "varied")

    def __init__(self, text: str, driver: str, database: str | None) -> None:
        self.text = text[:_LONGEST_TEXT]
        self.varied = False  # whether it came in several texts, so that literals in them are data
        self.driver = driver
        self.database = database
        self.fingerprint = fingerprint(text)
        self.calls = self.failed = self.rows = self.total_ns = self.at_most_one = self.locked_ns = 0
        self.max_ns = -1
        self.sites: dict[Site | Declared | None, int] = {}
        self.marks: list[Mark] = []
        self.slowest: Mark | None = None
        self.last: Mark | None = None
        self.last_told: tuple[int, int, int | None, Any] | None = None
        self.next_mark, self.stride = 0, 1
        self.traces, self.most_calls, self.longest_ns = 1, 0, 0
        self.calls_marked = self.total_marked = 0

    def mark(self, took_ns: int, rows: int | None, parameters: Any) -> None:
        """Keep the execution that is being added, whose time the total does not have yet."""
        self.marks.append(Mark(self.calls, took_ns, rows, copied(parameters), self.total_ns))
        if len(self.marks) > MOST_MARKS:
            del self.marks[1::2]
            self.stride *= 2
        self.next_mark = self.calls + self.stride

    def end(self) -> None:
        """The trace has ended: what only it could tell is settled."""
        self.most_calls = self.calls_marked = self.calls
        self.longest_ns = self.total_marked = self.total_ns
        if self.calls == 1 and self.marks:  # most traces execute most statements once
            self.last = self.slowest = self.marks[0]
            self.last_told = None
            return
        if self.last_told is not None:
            call, took_ns, rows, parameters = self.last_told
            self.last = Mark(call, took_ns, rows, copied(parameters), 0)
            self.last_told = None
        if self.slowest is not None:
            self.slowest = self.slowest._replace(parameters=copied(self.slowest.parameters))

    def absorb(self, other: "Statement") -> None:
        """Add what the same statement came to in another trace that has ended."""
        self.calls += other.calls
        self.failed += other.failed
        self.varied = self.varied or other.varied or self.text != other.text
        self.rows += other.rows
        self.total_ns += other.total_ns
        self.locked_ns += other.locked_ns
        self.at_most_one += other.at_most_one
        self.traces += other.traces
        if other.most_calls > self.most_calls:
            self.most_calls = other.most_calls
        if other.max_ns > self.max_ns:
            self.max_ns, self.slowest = other.max_ns, other.slowest
        if other.longest_ns > self.longest_ns:
            self.longest_ns, self.marks, self.last = other.longest_ns, other.marks, other.last
            self.calls_marked, self.total_marked = other.calls_marked, other.total_marked
        for site, calls in other.sites.items():
            if site in self.sites:
                self.sites[site] += calls
            elif len(self.sites) < MOST_SITES:
                self.sites[site] = calls

    def copy(self) -> "Statement":
        """The same, to be added to by somebody else."""
        found = Statement(self.text, self.driver, self.database)
        found.traces = 0
        found.absorb(self)
        return found

    def seen(self, keeping: Keeping) -> StatementSeen:
        """As it is kept: times in microseconds, parameters as they may be."""
        return StatementSeen(
            fingerprint=self.fingerprint, text=self.told(keeping), driver=self.driver, database=self.database,
            calls=self.calls, failed=self.failed, rows=self.rows, total_us=self.total_ns // 1000,
            max_us=max(self.max_ns, 0) // 1000, locked_us=self.locked_ns // 1000, at_most_one=self.at_most_one,
            traces=self.traces, most_calls=self.most_calls, monotone=monotone(self.marks),
            sites=call_sites({site: calls for site, calls in self.sites.items() if site}, MOST_SITES),
            samples=[_sample(mark, keeping) for mark in self.examples()], by_position=self._by_position())

    def told(self, keeping: Keeping) -> str:
        """The text as it is kept. Literals are code if they were the same at each of several calls, else perhaps data.
        """
        code = keeping == "plain" and self.calls > 1 and not self.varied
        return self.text if code or not self.driver else redacted(self.text, keeping)[:_LONGEST_TEXT]

    def examples(self) -> list[Mark]:
        """The first, some of the middle and the last of the longest trace, and the slowest; by position."""
        marks = self.marks
        step = max(len(marks) / (_SAMPLES - 2), 1.0)
        found = {mark.call: mark for mark in (marks[int(step * place)] for place in range(_SAMPLES)
                                              if int(step * place) < len(marks))}
        if self.last is not None:
            found[self.last.call] = self.last
        chosen = [found[call] for call in sorted(found)]
        if self.slowest is not None and all(mark.took_ns < self.slowest.took_ns for mark in chosen):
            chosen.append(self.slowest)
        return chosen

    def _by_position(self) -> list[tuple[int, int]]:
        """Calls and their microseconds for each tenth of the longest trace's calls; nothing for fewer than ten."""
        calls = self.calls_marked
        if calls < _PARTS:
            return []
        known = [(mark.call, mark.before_ns) for mark in self.marks] + [(calls, self.total_marked)]
        bounds = [calls * part // _PARTS for part in range(_PARTS + 1)]
        sums = [_between(known, bound) for bound in bounds]
        return [(bounds[part + 1] - bounds[part], round((sums[part + 1] - sums[part]) / 1000))
                for part in range(_PARTS)]


def _between(known: list[tuple[int, int]], call: int) -> float:
    """What the calls before this one came to, by the marks on either side of it."""
    before, after = known[0], known[-1]
    for each in known:
        if each[0] <= call:
            before = each
        else:
            after = each
            break
    if after[0] <= before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (call - before[0]) / (after[0] - before[0])


def _sample(mark: Mark, keeping: Keeping) -> Sample:
    return Sample(mark.call, mark.took_ns // 1000, mark.rows, keep(mark.parameters, keeping))


def copied(parameters: Any) -> Any:
    """Parameters as they are now: user code may go on to change them, and what is long is not held."""
    if isinstance(parameters, Mapping):
        return {name: _held(value) for name, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str | bytes | bytearray):
        return tuple(_held(value) for value in parameters[:_LONGEST_VALUE])
    return None


def _held(value: Any) -> Any:
    if isinstance(value, str | bytes | bytearray | memoryview) and len(value) > _LONGEST_VALUE:
        return TooLong(type(value), len(value))
    return list(value) if isinstance(value, list) else value


def monotone(marks: list[Mark]) -> bool | None:
    """Whether one parameter only grew, or only shrank, from mark to mark; None where there is none to tell by."""
    if len(marks) < 3:
        return None
    told = None
    first = marks[0].parameters
    places = first.keys() if isinstance(first, dict) else range(len(first)) if isinstance(first, tuple) else ()
    for place in places:
        try:
            values = [mark.parameters[place] for mark in marks]
            kinds = {type(value) for value in values} - {type(None)}
            if len(kinds) != 1 or bool in kinds:
                continue
            values = values[1:] if values[0] is None else values  # the first page is often asked for with nothing
            told = False if told is None else told
            pairs = list(pairwise(values))
            if all(a < b for a, b in pairs) or all(a > b for a, b in pairs):
                return True
        except (LookupError, TypeError):
            continue
    return told
