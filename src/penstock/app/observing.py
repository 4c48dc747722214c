"""Where time goes, asked through the app: the commands ask it, and so may a page or a program."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Literal

from penstock.app.syncing import Syncing
from penstock.domain.errors import ConfigurationError
from penstock.domain.histogram import Histogram
from penstock.domain.names import did_you_mean
from penstock.domain.slow import SlowTrace
from penstock.domain.traces import Kind, StatementSeen, TraceSeen
from penstock.observe import reading
from penstock.observe.kept import DAY_MS, HOUR_MS
from penstock.observe.known import kept_plans, traced_names
from penstock.observe.past import Past
from penstock.observe.patterns import Pattern, Work, patterns
from penstock.observe.rank import BY, By, Ranked, merge, ranked
from penstock.observe.rank_runs import RUNS_BY, RankedRuns, RunsBy, of_statistics, ranked_runs
from penstock.observe.rank_statements import STATEMENTS_BY, RankedStatement, StatementsBy, ranked_statements
from penstock.observe.summary import Failure, Summary, summed, told_of_nothing
from penstock.observe.trend import Trend, trend
from penstock.sync.state.statistics import statistics

Of = tuple[Kind, str]
DAY = timedelta(days=1)
_WEEK_MS = 7 * DAY_MS
_PREFERRED: tuple[Kind, ...] = ("run", "task", "trace", "layer", "window")
"""Whose traces are meant by a name that several kinds bear: a sync's runs rather than the windows that served them."""
_HELD: tuple[Kind, ...] = ("window", "layer")
"""What they did is told of the runs that they serve, or belong to."""
_MOST_SUBJECTS = 10_000
_PLANS_MS = 4 * _WEEK_MS
"""Plans are looked at for so long: what a plan became is told by what it was before."""
_LOOKED_BACK = (DAY_MS, _WEEK_MS, 30 * DAY_MS)


class Observing(Syncing):
    """Rankings, patterns and trends of what was traced. Times are microseconds; all is at most some seconds late."""

    def traces(self, name: str | None = None, *, by: By = "total", kind: Kind | None = None, since: timedelta = DAY,
               limit: int = 100) -> list[Ranked]:
        """What traces came to by kind and name, the greatest first, over the hours of the last `since`.

        Raises `ConfigurationError` for an order that there is not.
        """
        _check(by, BY)
        return ranked(self._traced(since, kind, None), by, name)[:limit]

    def trends(self, names: Iterable[Of]) -> dict[Of, Trend]:
        """Of each kind and name, whether it took longer in the last day than in the week before."""
        wanted = set(names)
        until = _hour(reading.now(self.store)) + HOUR_MS
        began = until - DAY_MS  # so yesterday's work of this hour, as of a nightly job, is none of today's
        today: dict[Of, dict[int, int]] = {each: {} for each in wanted}
        before: dict[Of, dict[int, int]] = {each: {} for each in wanted}
        one = next(iter(wanted)) if len(wanted) == 1 else (None, None)
        for seen in reading.traces(self.store, began - _WEEK_MS, until, kind=one[0], name=one[1]):
            into = (today if seen.since >= began else before).get((seen.kind, seen.name))
            if into is not None:
                for bucket, count in seen.durations.items():
                    into[bucket] = into.get(bucket, 0) + count
        return {each: trend(today[each], before[each]) for each in wanted}

    def slowest_statements(self, name: str | None = None, *, by: StatementsBy = "total", kind: Kind | None = None,
                           since: timedelta = DAY, limit: int = 100) -> list[RankedStatement]:
        """Statements by the name that they were run under; once each where kinds hold each other, as a window holds
        runs and a run its layers, unless a `kind` is given.

        Raises `ConfigurationError` for an order that there is not.
        """
        _check(by, STATEMENTS_BY)
        began, until = self._span(since)
        found = reading.statements(self.store, began, until, kind=kind, name=name)
        if kind is None and name is not None:
            found = {of: found[of] for of in _first(found)}
        elif kind is None:
            found = {of: many for of, many in found.items() if of[0] not in _HELD}
        walls = {(each.kind, each.name): each.total_us for each in merge(self._traced(since, kind, name))}
        seen = ((of[0], of[1], each) for of, many in found.items() for each in many)
        return ranked_statements(seen if kind or name else _told_once(seen), walls, by)[:limit]

    def slowest_traces(self, name: str | None = None, *, kind: Kind | None = None, since: timedelta = DAY,
                       failed: bool | None = None, newest: bool = False, limit: int = 100) -> list[SlowTrace]:
        """Single attempts, windows, runs and other traces as they were: of each name the slowest of each day, and some
        that failed. With `failed` only those that did, or did not; `newest` gives the last that began first."""
        now = reading.now(self.store)
        return reading.slow_traces(self.store, now - _ms(since), now + 1, kind=kind, name=name, failed=failed,
                                   newest=newest, limit=limit)

    def slowest_runs(self, sync: str | None = None, *, of: Literal["subject", "account"] = "subject",
                     by: RunsBy = "p95", limit: int = 100) -> list[RankedRuns]:
        """Subjects or accounts by how long their runs take, of one sync or of all; over all runs that were counted.

        Of each sync the 10,000 with the greatest p95 are looked at. Raises `ConfigurationError` for a sync or an order
        that there is not.
        """
        _check(by, RUNS_BY)
        syncs = list(self.syncs) if sync is None else [self.definition(sync).name]
        counted = (of_statistics(of, each.sync, each.name, each.account, each.runs, each.failures,
                                 Histogram.read(each.durations).counts, each.finished_at)
                   for name in syncs for each in statistics(self.store, name, kind=of, count=_MOST_SUBJECTS))
        return ranked_runs(counted, by)[:limit]

    def work(self, name: str, *, kind: Kind | None = None, since: timedelta = DAY) -> Work:
        """All that is known of the traces of a name: of the kind that is given, else of the first that bears it.

        With no trace in that time, its `trace` counts none.
        """
        traced = merge(self._traced(since, kind, name))
        seen = min(traced, key=lambda each: _PREFERRED.index(each.kind), default=None)
        if seen is None:
            return Work(TraceSeen(kind=kind or "trace", name=name, since=0))
        began, until = self._span(since)
        of = seen.kind, name
        statements = reading.statements(self.store, began, until, kind=of[0], name=name).get(of, [])
        return Work(seen, statements, reading.calls(self.store, began, until, kind=of[0], name=name).get(of, []),
                    kept_plans(self.store, {each.fingerprint for each in statements}, until - _PLANS_MS))

    def patterns(self, work: Work) -> list[Pattern]:
        """The patterns that work shows, what takes the most time first."""
        return patterns(work)

    def flame(self, name: str, *, kind: Kind | None = None, since: timedelta = DAY) -> dict[str, int]:
        """Sampled stacks of a name, outermost frame first and joined by `;`, with how often each was met."""
        began, until = self._span(since)
        found = reading.flames(self.store, began, until, kind=kind, name=name)
        return next((found[of] for of in _first(found)), {})

    def why_slow(self, name: str) -> Summary:
        """Why work of a name (a task's, a sync's, any trace's) is slow: always an answer.

        It is of the last day; where that has no trace, of the last week, then of the last month.
        """
        now = reading.now(self.store)
        for length in _LOOKED_BACK:
            since = timedelta(milliseconds=length)
            if self._traced(since, None, name):
                return self._summary(name, self.traces(name, since=since), since, now)
        declared = name in self.tasks or name in self.syncs
        return told_of_nothing(name, declared, self.near(name), since=_hour(now - _LOOKED_BACK[-1]), until=now)

    def near(self, name: str) -> str:
        """A question after the name that was meant by one that nobody knows; empty where none is like it, and where
        there is that very one."""
        began = _hour(reading.now(self.store) - _LOOKED_BACK[-1])
        known = {*traced_names(self.store, began), *self.tasks, *self.syncs}
        return "" if name in known else did_you_mean(name, known)

    def _summary(self, name: str, rows: Sequence[Ranked], since: timedelta, now: int) -> Summary:
        row = min(rows, key=lambda each: _PREFERRED.index(each.kind))
        work = self.work(name, kind=row.kind, since=since)
        kept = self.slowest_traces(name, kind=row.kind, since=since, limit=50)
        failed = max((each for each in kept if each.failed), key=lambda each: each.began_at, default=None)
        failure = None if failed is None else Failure(
            at=failed.began_at, error=failed.about.get("error"), job_id=failed.job_id, run_id=failed.run_id,
            subject=failed.subject)
        slowest = self.slowest_runs(name, limit=1) if row.kind == "run" and name in self.syncs else []
        return summed(work, row, self.trends([(row.kind, name)])[row.kind, name], since=now - _ms(since), until=now,
                      failure=failure, slowest=slowest[0] if slowest else None,
                      kinds=[each.kind for each in rows if each.kind != row.kind])

    def _traced(self, since: timedelta, kind: Kind | None, name: str | None) -> list[TraceSeen]:
        """Of a name its hours; of all names the sums of them all."""
        began, until, now = self._span_now(since)
        if name is not None:
            return reading.traces(self.store, began, until, kind=kind, name=name)
        return [each.trace for of, each in self._past.sums(self.store, began, until, now).items()
                if kind in (None, of[0])]

    def _span(self, since: timedelta) -> tuple[int, int]:
        return self._span_now(since)[:2]

    def _span_now(self, since: timedelta) -> tuple[int, int, int]:
        """From the hour in which it began to the end of this one, since whole hours are what is kept; and now."""
        now = reading.now(self.store)
        return _hour(now - _ms(since)), _hour(now) + HOUR_MS, now

    @cached_property
    def _past(self) -> Past:
        return Past()


def _first(found: Iterable[Of]) -> list[Of]:
    """Of one name the kind that is meant by it; nothing of none."""
    return sorted(found, key=lambda of: _PREFERRED.index(of[0]))[:1]


def _told_once(seen: Iterable[tuple[Kind, str, StatementSeen]]) -> list[tuple[Kind, str, StatementSeen]]:
    """A statement of a trace within a task is the task's as well: of two that did just the same the trace has it."""
    found: dict[tuple[str, str | None, int, int], tuple[Kind, str, StatementSeen]] = {}
    for kind, name, each in seen:
        key = each.fingerprint, each.database, each.calls, each.total_us
        if key not in found or kind == "trace":
            found[key] = kind, name, each
    return list(found.values())


def _hour(at: int) -> int:
    return at // HOUR_MS * HOUR_MS


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _check(by: str, known: Sequence[str]) -> None:
    if by not in known:
        raise ConfigurationError(f"by: expected one of {', '.join(known)}, got {by!r}{did_you_mean(by, known)}")
