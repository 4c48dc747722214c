"""What traces might say: statements, calls and plans of a test's own, with what it does not care about filled in."""

import re
from typing import Any

from penstock.domain.fingerprint import fingerprint
from penstock.domain.parameters import keep
from penstock.domain.traces import PHASES, CallSeen, CallSite, Kind, Sample, StatementSeen, TraceSeen
from penstock.observe.patterns import PlanSeen, Work

SECOND, MINUTE = 1_000_000, 60_000_000
SITE = CallSite("shop/nightly.py", 27, "calculate", 1)


def traced(name: str = "nightly", *, kind: Kind = "trace", traces: int = 1, total_us: int = 50 * MINUTE,
           durations: dict[int, int] | None = None, phases: dict[str, int] | None = None, **more: Any) -> TraceSeen:
    spent = phases or {}
    return TraceSeen(kind=kind, name=name, since=more.pop("since", 0), traces=traces, total_us=total_us,
                     phases=[spent.get(phase, 0) for phase in PHASES], durations=durations or {}, **more)


def statement(text: str, *, calls: int = 90, each_us: int = 30 * SECOND, rows_each: int = 1000, traces: int = 1,
              asked: list[Any] | None = None, **more: Any) -> StatementSeen:
    """`asked` are parameters of its samples."""
    samples = [Sample(call, each_us, rows_each, keep(given, "plain")) for call, given in enumerate(asked or [])]
    found = {"most_calls": calls // max(traces, 1), "at_most_one": calls if rows_each <= 1 else 0,
             "sites": [CallSite(SITE.file, SITE.line, SITE.function, calls)], "total_us": calls * each_us,
             "max_us": each_us, "driver": "psycopg", "database": "postgresql://localhost:5432/shop"}
    return StatementSeen(fingerprint=fingerprint(text), text=text, calls=calls, rows=calls * rows_each, traces=traces,
                         samples=samples, **{**found, **more})


def called(route: str, *, method: str = "GET", calls: int = 200, each_us: int = SECOND, traces: int = 1,
           **more: Any) -> CallSeen:
    found = {"most_calls": calls // max(traces, 1), "sites": [CallSite(SITE.file, SITE.line, SITE.function, calls)]}
    return CallSeen(method=method, host="api.example.com", route=route, calls=calls, total_us=calls * each_us,
                    traces=traces, **{**found, **more})


def planned(of: StatementSeen, text: str, *, since: int = 0, until: int = 0, flags: tuple[str, ...] = ()) -> PlanSeen:
    """A kept plan; its shape is its text without numbers."""
    shape = re.sub(r", [\d,]+ kB on disk|\d", "", text)
    return PlanSeen(fingerprint=of.fingerprint, database=of.database, shape=shape, text=text, since=since, until=until,
                    flags=flags)


def work(*parts: Any, trace: TraceSeen | None = None) -> Work:
    """Statements, calls and plans of one name."""
    return Work(trace or traced(), [each for each in parts if isinstance(each, StatementSeen)],
                [each for each in parts if isinstance(each, CallSeen)],
                [each for each in parts if isinstance(each, PlanSeen)])
