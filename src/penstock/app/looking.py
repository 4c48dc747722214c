"""Where time goes, looked at closely: over time, one trace as it was, and its stacks as pictures and files."""

from datetime import timedelta

import msgspec

from penstock.app.observing import DAY, Observing
from penstock.domain.errors import ConfigurationError
from penstock.domain.listing import JobFound
from penstock.domain.names import did_you_mean
from penstock.domain.slow import SlowTrace, TraceKey
from penstock.domain.speedscope import Speedscope, speedscope
from penstock.domain.traces import PHASES, CallSeen, Kind, StatementSeen
from penstock.observe import reading
from penstock.observe.kept import HOUR_MS
from penstock.observe.over_time import RankedOverTime, Ranking, Stretch, over_time, step_ms, totals
from penstock.observe.patterns.contract import REST
from penstock.observe.rank import BY, By, ranked
from penstock.observe.reading import StatementTotals

_QUERIED = PHASES.index("queried")
_ASKING: tuple[Kind, ...] = ("task", "run", "trace")
"""What windows and layers ask is told of the runs that they serve, or belong to."""
_WRITTEN_MS = 2 * HOUR_MS
"""What a trace did counts in the hour in which it was written, which is that of its end or the next."""


class KeptTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as it was kept, with what is known of its statements and routes from the hour in which it ended: there
    are their places in the code, and examples. What others of its name did in that hour is in them as well."""

    trace: SlowTrace
    statements: list[StatementSeen]
    calls: list[CallSeen]


class SlowStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of some work, and its share of the time of that."""

    kind: Kind
    name: str
    share: float
    statement: StatementTotals


class Looking(Observing):
    """Rankings over time, single traces, flame graphs."""

    def ranking(self, *, by: By = "total", kind: Kind | None = None, since: timedelta = DAY, limit: int = 100
                ) -> Ranking:
        """The same as `traces`, with what each took over time. Raises as it does."""
        if by not in BY:
            raise ConfigurationError(f"by: expected one of {', '.join(BY)}, got {by!r}{did_you_mean(by, BY)}")
        began, until, now = self._span_now(since)
        found = {of: each for of, each in self._past.sums(self.store, began, until, now).items()
                 if kind in (None, of[0])}
        step = step_ms(began, until)
        rows = ranked((each.trace for each in found.values()), by)
        return Ranking(since=began, until=until, step_ms=step, names=len(rows), rows=[
            RankedOverTime(ranked=row, totals_us=totals(found[row.kind, row.name].hours, began, until, step))
            for row in rows[:limit]])

    def over_time(self, name: str, *, kind: Kind | None = None, since: timedelta = DAY) -> list[Stretch]:
        """What traces of a name came to in each hour, or in each of at most 48 stretches of several hours."""
        began, until = self._span(since)
        return over_time(reading.traces(self.store, began, until, kind=kind, name=name), began, until)

    def traces_of_job(self, job: JobFound) -> list[TraceKey]:
        """The keys of those of its attempts whose traces were kept, the newest first: few jobs have any."""
        until = (job.finished_at or job.now) + _WRITTEN_MS  # it may have been written later than it ended
        return reading.traces_of_job(self.store, job.id, job.task, job.enqueued_at - HOUR_MS, until)

    def slow_statements(self, *, since: timedelta = DAY, names: int = 5, each: int = 3) -> list[SlowStatement]:
        """The statements that take the most of the work that waits for databases the most, with their share of the
        time of that work; those with the greatest total first. It looks at a few names alone, and is quick."""
        began, until, now = self._span_now(since)
        found = [of for of in self._past.sums(self.store, began, until, now).values() if of.trace.kind in _ASKING]
        found.sort(key=lambda one: -one.trace.phases[_QUERIED])
        told = [SlowStatement(kind=one.trace.kind, name=one.trace.name, share=min(
                    statement.total_us / max(one.trace.total_us, 1), 1.0), statement=statement)
                for one in found[:names] if one.trace.phases[_QUERIED]
                for statement in reading.statement_totals(self.store, began, until, one.trace.kind, one.trace.name,
                                                          each) if statement.fingerprint != REST]
        return sorted(told, key=lambda one: -one.statement.total_us)

    def kept_trace(self, key: TraceKey | str) -> KeptTrace | None:
        """One trace as it was, by its key; None where it is not kept (any more), or where that is no key."""
        wanted = TraceKey.read(key) if isinstance(key, str) else key
        trace = None if wanted is None else reading.slow_trace(self.store, wanted)
        if trace is None:
            return None
        of = trace.kind, trace.name
        ended = (trace.began_at + trace.took_us // 1000) // HOUR_MS * HOUR_MS
        span = {"since": ended, "until": ended + _WRITTEN_MS, "kind": of[0], "name": of[1]}
        told = {part.fingerprint for part in trace.parts}
        routes = {part.what for part in trace.parts if part.fingerprint is None}
        return KeptTrace(
            trace=trace,
            statements=[each for each in reading.statements(self.store, **span).get(of, [])  # type: ignore[arg-type]
                        if each.fingerprint in told],
            calls=[each for each in reading.calls(self.store, **span).get(of, [])  # type: ignore[arg-type]
                   if f"{each.method} {each.host}{each.route}" in routes])

    def speedscope(self, name: str, *, kind: Kind | None = None, since: timedelta = DAY) -> Speedscope:
        """The sampled stacks of a name as a file of speedscope."""
        return speedscope(name, self.flame(name, kind=kind, since=since))
