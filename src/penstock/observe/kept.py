"""What is written of traces: rows of this process for an hour, and the few traces of a day that are kept as they were.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.domain.parameters import Keeping
from penstock.domain.slow import Part, Slice, SlowTrace, SpanSeen
from penstock.domain.traces import PHASES, Kind
from penstock.observe.calls import Called
from penstock.observe.statements import Statement
from penstock.observe.totals import Totals
from penstock.observe.trace import COMPUTED, OTHER, WAITED, Inside, Span, Trace

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_PARTS = 20
_STACKS = 100
_LONGEST_WHAT = 300

Row = dict[str, Any]
Name = tuple[str, str]
"""Kind and name."""
Keeps = Callable[[str | None], Keeping]
"""What may be kept of the parameters of a database's statements."""


def totals_row(process: str, hour: int, of: Name, totals: Totals) -> Row:
    return {"hour": hour, "kind": of[0], "name": of[1], "process": process, "traces": totals.traces,
            "failed": totals.failed, "total_us": totals.total_ns // 1000, "max_us": totals.max_ns // 1000,
            "cpu_us": None if totals.cpu_ns is None else totals.cpu_ns // 1000,
            "phases": text([ns // 1000 for ns in totals.phases]), "durations": text(totals.durations)}


def statement_row(process: str, hour: int, of: Name, statement: Statement, keeps: Keeps) -> tuple[Row, Row]:
    """The row of a statement, and that of its text."""
    keeping = keeps(statement.database)
    seen = statement.seen(keeping)
    key = {"fingerprint": seen.fingerprint, "database": seen.database or "", "driver": seen.driver}
    row = {"hour": hour, "kind": of[0], "name": of[1], **key, "process": process, "calls": seen.calls,
           "failed": seen.failed, "rows": seen.rows, "total_us": seen.total_us, "max_us": seen.max_us,
           "locked_us": seen.locked_us, "at_most_one": seen.at_most_one, "traces": seen.traces,
           "most_calls": seen.most_calls, "monotone": seen.monotone, "sites": text(seen.sites),
           "samples": text(seen.samples), "by_position": text(seen.by_position)}
    return row, {**key, "text": storable(seen.text)}


def call_row(process: str, hour: int, of: Name, call: Called) -> Row:
    seen = call.seen()
    return {"hour": hour, "kind": of[0], "name": of[1], "method": storable(seen.method), "host": storable(seen.host),
            "route": storable(seen.route), "process": process, "calls": seen.calls, "failed": seen.failed,
            "total_us": seen.total_us, "max_us": seen.max_us, "traces": seen.traces, "most_calls": seen.most_calls,
            "sites": text(seen.sites)}


def flame_row(process: str, day: int, of: Name, stacks: dict[str, int]) -> Row:
    return {"day": day, "kind": of[0], "name": of[1], "process": process, "stacks": text(stacks)}


def slow_row(process: str, day: int, place: int, slow: SlowTrace) -> Row:
    return {"day": day, "kind": slow.kind, "name": slow.name, "process": process, "place": place,
            "began_at": slow.began_at, "took_us": slow.took_us, "failed": slow.failed, "job_id": slow.job_id,
            "run_id": slow.run_id, "subject": slow.subject, "account": slow.account, "content": text(slow)}


def slow_trace(trace: Trace, began_at: int, keeps: Keeps) -> SlowTrace:
    """A trace as it is kept. A thread that it was lent to may be at work still."""
    about = dict(trace.about or {})
    known = {name: about.pop(name, None) for name in ("job_id", "run_id", "subject", "account")}
    spans = [_seen(span, keeps) for span in tuple(trace.spans)]
    parts = [Part(_what(each, keeps), each.calls, each.total_ns // 1000, each.rows, each.fingerprint)
             for each in list(trace.statements.values())]
    parts += [Part(_what(each, keeps), each.calls, each.total_ns // 1000) for each in list(trace.calls.values())]
    parts.sort(key=lambda part: -part.total_us)
    stacks = sorted((trace.flame or {}).items(), key=lambda item: -item[1])
    kind: Kind = trace.kind  # type: ignore[assignment]
    return SlowTrace(kind=kind, name=trace.name, began_at=began_at, took_us=trace.took_ns // 1000, failed=trace.failed,
                     cpu_us=None if trace.cpu_ns is None else trace.cpu_ns // 1000,
                     phases=[ns // 1000 for ns in trace.phases], spans=spans, parts=parts[:_PARTS],
                     slices=_slices(trace), flame=dict(stacks[:_STACKS]), about=about, **known)


def _seen(span: Span, keeps: Keeps) -> SpanSeen:
    at_us, took_us, what = max(span.at_ns, 0) // 1000, span.took_ns // 1000, _what(span.what, keeps)
    if isinstance(span.what, Inside):
        return SpanSeen(at_us, took_us, "inside", what, run_id=span.what.about.get("run_id"))
    return SpanSeen(at_us, took_us, PHASES[span.phase], what, getattr(span.what, "fingerprint", None))


def _slices(trace: Trace) -> list[Slice]:
    """What its phases came to from mark to mark. What was computed is known for the whole alone: of all that was told
    of nothing else it is the same share in each slice."""
    found, last = [], (0,) * len(PHASES)
    other = trace.marks[-1][1][OTHER] if trace.marks else 0
    share = max(other - trace.phases[OTHER], 0) / other if other else 0.0
    for at_ns, phases in trace.marks:
        spent = [max(now - before, 0) for now, before in zip(phases, last, strict=True)]
        computed = round(spent[OTHER] * share)
        spent[COMPUTED] += computed
        spent[OTHER] -= computed
        found.append(Slice(at_ns // 1000, {name: ns // 1000 for place, (name, ns) in enumerate(
            zip(PHASES, spent, strict=True)) if place != WAITED and ns >= 1000}))
        last = phases
    return found


def _what(what: Any, keeps: Keeps) -> str:
    if isinstance(what, Statement):
        return storable(what.told(keeps(what.database)))[:_LONGEST_WHAT]
    if isinstance(what, Called):
        return storable(f"{what.method} {what.host}{what.route}")[:_LONGEST_WHAT]
    if isinstance(what, Inside):
        return storable(_named(what))[:_LONGEST_WHAT]
    return storable(str(what))[:_LONGEST_WHAT]


def _named(what: Inside) -> str:
    """`run 61 of directory, doors-1 of acme`."""
    found = what.about
    of = f"{what.kind} {found['run_id']} of {what.name}" if found.get("run_id") else f"{what.kind} {what.name}"
    if not found.get("subject"):
        return of
    return f"{of}, {found['subject']}" + (f" of {found['account']}" if found.get("account") else "")


def text(value: Any) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def storable(words: str) -> str:
    """Text that every store takes."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
