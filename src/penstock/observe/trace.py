"""One trace while it is under way, and what instruments tell it. Everything is added up in place.

At each moment one phase counts: the one entered last of those that were not left. So phases add up to the wall time,
whatever is nested in what, and also where several coroutines of one trace wait at once. Times are nanoseconds of
`time.perf_counter_ns`. Nothing here is locked: a trace belongs to one thread or one coroutine, and where it is lent to
another thread, a count may be off by one and nothing else.
"""

import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from types import FrameType
from typing import Any, NamedTuple

from penstock.domain.routes import route
from penstock.domain.traces import PHASES
from penstock.observe.calls import Called
from penstock.observe.sites import Declared, Site, nearest, site
from penstock.observe.statements import MOST_SITES, Mark, Statement

WAITED, READ, QUERIED, CALLED, COMPUTED, LIMITED, SLEPT, OTHER = range(len(PHASES))
clock = time.perf_counter_ns
active: ContextVar["Trace | None"] = ContextVar("penstock_trace", default=None)
"""The trace that the current code works for."""
__all__ = ["CALLED", "COMPUTED", "LIMITED", "OTHER", "QUERIED", "READ", "SLEPT", "WAITED", "Site", "Span", "Trace",
           "active", "clock", "site"]

MOST = 200
"""How many statements and how many routes a trace tells apart; those beyond are counted as one."""
_MOST_TEXTS = 1000
_LONGEST_TEXT = 20_000
_EXACT, _EVERY = 64, 16
"""Of a statement's first calls the place in the code is looked at each time, of later ones now and then."""
_MOST_SPANS = 100
_SPAN_NS = 100_000
_MOST_MARKS = 96
_MARK_NS = 50_000
OTHERS = "-- all others"
"""The text of what counts for the statements beyond those that are told apart."""


class Span(NamedTuple):
    """One thing that took long: when it began after the trace did, what it was, and of what."""

    at_ns: int
    took_ns: int
    phase: int
    what: Any


class Inside(NamedTuple):
    """What a span is of that is a trace by itself."""

    kind: str
    name: str
    about: dict[str, Any]


class Trace:
    """What a piece of work does, as it does it. `kind` and `name` say what it is; see `penstock.domain.traces`.

    `touched` says whether anything was told at all. `about` is what it is of besides: job, run, subject, account.
    `marks` are what the phases had come to after some times, so that it can be told when each was under way.
    `declared` is where that is declared for which libraries ask, where no code of the user's does.
    """

    __slots__ = ("_at", "_due", "_entered", "_mark_ns", "_routes", "_span_ns", "_texts", "about", "began", "calls",
                 "cpu_ns", "declared", "ended", "failed", "flame", "inner", "kind", "marks", "name", "outer", "phases",
                 "recorder", "spans", "statements", "touched", "within")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.phases = [0] * len(PHASES)
        self.statements: dict[tuple[str, str, str | None], Statement] = {}  # by fingerprint, driver and database
        self.calls: dict[tuple[str, str, str], Called] = {}  # by method, host and route
        self.spans: list[Span] = []
        self.touched = self.failed = False
        self.cpu_ns: int | None = None
        self.about: dict[str, Any] | None = None
        self.flame: dict[str, int] | None = None
        self.outer: Trace | None = None
        self.inner: Trace | None = None
        self.within: Any = None  # what the traces inside of this one came to
        self.recorder: Any = None  # who is told at the end, of this and of those inside
        self.ended = 0
        self._texts: dict[tuple[str, str | None], Statement] = {}
        self._routes: dict[tuple[str, str, str], Called] = {}
        self._span_ns = _SPAN_NS
        self._entered = [OTHER]
        self.marks: list[tuple[int, tuple[int, ...]]] = []
        self._mark_ns = _MARK_NS
        self.declared: Declared | None = None
        self.began = self._at = clock()
        self._due = self.began + _MARK_NS

    def enter(self, phase: int) -> int:
        """From now on time counts for this phase. Returns the time, for what is to be told at its end."""
        now = clock()
        entered = self._entered
        if now >= self._due:
            self._mark(entered[-1], now)
        self.phases[entered[-1]] += now - self._at
        self._at = now
        entered.append(phase)
        self.touched = True
        return now

    def leave(self, phase: int) -> int:
        """End the last of the phases of this kind that were entered. Returns the time."""
        now = clock()
        entered = self._entered
        if now >= self._due:
            self._mark(entered[-1], now)
        self.phases[entered[-1]] += now - self._at
        self._at = now
        if entered[-1] == phase:
            entered.pop()
        else:  # somebody else of this trace entered one meanwhile, and has not left it
            with suppress(ValueError, IndexError):  # or has, in another thread, at this very moment
                del entered[len(entered) - 1 - entered[::-1].index(phase)]
        return now

    def waited(self, waited_ns: int) -> None:
        """So long the work was due before it began."""
        self.phases[WAITED] += max(waited_ns, 0)

    def statement(self, text: str, driver: str, database: str | None, took_ns: int, rows: int | None, parameters: Any,
                  *, failed: bool = False, at: Site | None = None) -> None:
        """A statement was executed: it took so long, gave (or touched) so many rows, with these parameters.

        `rows` is None where that is not known yet: rows that are fetched afterwards are told by `fetched`. Called
        straight by an instrument, right after it has left the phase; `at` says where the user's code is, if that is not
        among the callers.
        """
        seen = self._texts.get((text, database))
        if seen is None:
            seen = self._statement(text, driver, database)
        calls = seen.calls
        if calls >= seen.next_mark:
            seen.mark(took_ns, rows, parameters)
        if took_ns > seen.max_ns:
            seen.max_ns = took_ns
            seen.slowest = Mark(calls, took_ns, rows, parameters, 0)
        seen.calls = calls + 1
        seen.total_ns += took_ns
        seen.last_told = calls, took_ns, rows, parameters
        if rows is not None:
            seen.rows += rows
            if rows <= 1:
                seen.at_most_one += 1
        if failed:
            seen.failed += 1
        if calls < _EXACT or not calls % _EVERY:  # to walk the frames costs as much as a third of all this
            self._located(seen, sys._getframe(2) if at is None else None, at, 1 if calls < _EXACT else _EVERY)
        if took_ns >= self._span_ns:
            self._span(took_ns, QUERIED, seen)

    def fetched(self, text: str, driver: str, database: str | None, took_ns: int, rows: int, *,
                before: int | None = None) -> None:
        """Rows came of a statement that was told before without any: of a server-side cursor, a stream, a COPY.

        `before` is how many of that execution were told already, None where these are the first.
        """
        seen = self._texts.get((text, database)) or self._statement(text, driver, database)
        seen.rows += rows
        if before is None:
            if rows <= 1:
                seen.at_most_one += 1
        elif before <= 1 < before + rows:
            seen.at_most_one -= 1
        seen.total_ns += took_ns
        if took_ns >= self._span_ns:
            self._span(took_ns, QUERIED, seen)

    def lock_waited(self, text: str, driver: str, database: str | None, took_ns: int) -> None:
        """Of a statement's time, so much was waiting for a lock."""
        (self._texts.get((text, database)) or self._statement(text, driver, database)).locked_ns += took_ns

    def called(self, method: str, host: str, path: str, took_ns: int, *, failed: bool = False,
               at: Site | None = None) -> None:
        """An HTTP call was answered, or `failed`: there was no answer, or one of 400 or more."""
        seen = self._routes.get((method, host, path))
        if seen is None:
            seen = self._route(method, host, path)
        seen.calls += 1
        seen.total_ns += took_ns
        if took_ns > seen.max_ns:
            seen.max_ns = took_ns
        if failed:
            seen.failed += 1
        where = at or site(3) or self._asking
        if where in seen.sites:
            seen.sites[where] += 1
        elif len(seen.sites) < MOST_SITES:
            seen.sites[where] = 1
        if took_ns >= self._span_ns:
            self._span(took_ns, CALLED, seen)

    def end(self, *, failed: bool = False, cpu_ns: int | None = None, at: int | None = None) -> None:
        """The work is over, now or `at` a time. What it took on the CPU, as far as nothing else was under way, is what
        it computed."""
        self.ended = now = clock() if at is None else at
        self.phases[self._entered[-1]] += now - self._at
        self._at = now
        self.marks.append((now - self.began, tuple(self.phases)))
        self.failed = self.failed or failed
        if cpu_ns is not None:
            self.cpu_ns = cpu_ns
            computed = min(max(cpu_ns - self.phases[COMPUTED], 0), self.phases[OTHER])
            self.phases[OTHER] -= computed
            self.phases[COMPUTED] += computed
        for statement in list(self.statements.values()):  # a thread that it was lent to may be at work still
            statement.end()
        for call in list(self.calls.values()):
            call.end()
        if self.within is not None:
            self.within.join(self)

    def fails(self, error: str) -> None:
        """It failed; `error` says of what."""
        self.failed = True
        self.about = {**(self.about or {}), "error": error}

    @property
    def took_ns(self) -> int:
        """From begin to end, or until now."""
        return (self.ended or clock()) - self.began

    def passed(self, inner: "Trace", began: int, now: int) -> None:
        """One that is inside of this was under way from `began` on: it is a span here, and what took long in it."""
        if now - began >= self._span_ns:
            self._keep(Span(began - self.began, now - began, OTHER, Inside(inner.kind, inner.name, inner.about or {})))
        for span in inner.spans:
            if span.took_ns >= self._span_ns and span.at_ns >= began - inner.began:
                self._keep(span._replace(at_ns=span.at_ns + inner.began - self.began))
        if now >= self._due:
            self._marked(now, tuple(self.phases))

    def _mark(self, phase: int, now: int) -> None:
        """Note what the phases have come to, and before that, if this phase has been going on for long, what they had
        when it began. The longer the trace, the fewer marks are made: there are never more than so many."""
        if now - self._at > self._mark_ns:
            self._marked(self._at, tuple(self.phases))
        self._marked(now, tuple(spent + now - self._at if place == phase else spent
                                for place, spent in enumerate(self.phases)))

    def _marked(self, at: int, phases: tuple[int, ...]) -> None:
        if at - self.began <= (self.marks[-1][0] if self.marks else 0):
            return
        self.marks.append((at - self.began, phases))
        if len(self.marks) >= _MOST_MARKS:
            self.marks = self.marks[1::2]
            self._mark_ns *= 2
        self._due = at + self._mark_ns

    @property
    def _asking(self) -> Declared | None:
        """Whose a statement or a call is that no code of the user's asks for."""
        if self.declared is None or READ not in self._entered:
            return self.declared
        return self.declared.source

    def _located(self, seen: Statement, frame: FrameType | None, at: Site | None, calls: int) -> None:
        """Count calls for the place in the user's code that they came from."""
        where = (nearest(frame) if at is None else at) or self._asking
        sites = seen.sites
        if where in sites:
            sites[where] += calls
        elif len(sites) < MOST_SITES:
            sites[where] = calls

    def _statement(self, text: str, driver: str, database: str | None) -> Statement:
        """The statement of a text that is new to this trace."""
        self.touched = True
        made = Statement(text, driver, database)
        key = made.fingerprint, driver, database
        if key not in self.statements and len(self.statements) >= MOST:
            made = Statement(OTHERS, "", None)
            key = made.fingerprint, "", None
        seen = self.statements.setdefault(key, made)
        if seen.text != text[:_LONGEST_TEXT]:
            seen.varied = True
        if len(self._texts) < _MOST_TEXTS and len(text) <= _LONGEST_TEXT:
            self._texts[text, database] = seen
        return seen

    def _route(self, method: str, host: str, path: str) -> Called:
        self.touched = True
        key = method, host, route(path)
        if key not in self.calls and len(self.calls) >= MOST:
            key = "*", "*", "*"
        seen = self.calls.setdefault(key, Called(*key))
        if len(self._routes) < _MOST_TEXTS:
            self._routes[method, host, path] = seen
        return seen

    def _span(self, took_ns: int, phase: int, what: Any) -> None:
        """Remember one thing that took long, and is over just now."""
        self._keep(Span(self._at - took_ns - self.began, took_ns, phase, what))

    def _keep(self, span: Span) -> None:
        """Where there are too many, only what took longer from now on."""
        self.spans.append(span)
        if len(self.spans) > _MOST_SPANS:
            longest = sorted(self.spans, key=lambda span: -span.took_ns)[:_MOST_SPANS // 2]
            self._span_ns = longest[-1].took_ns + 1
            self.spans = sorted(longest, key=lambda span: span.at_ns)
