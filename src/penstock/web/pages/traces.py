"""Single traces as they were: what took how long and when, statements, calls, stacks. And flame graphs of a name."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from penstock.domain.flame import Flame, flame, innermost, matched
from penstock.domain.slow import Slice, SlowTrace, SpanSeen
from penstock.domain.speedscope import speedscope
from penstock.domain.traces import PHASES, Kind
from penstock.web.declared import Content, File, NotFound, Seen, View
from penstock.web.spent import (
    SPANS,
    KeptRow,
    Route,
    Since,
    Statement,
    advice_by_statement,
    kept_rows,
    route,
    statement,
)

_MOST, _MOST_ROWS = 50, 30
_ALIKE = 0.05
_LONGEST_FIND = 200
_GONE = ("Of each name and day the five slowest and the three that failed last are kept, for as long as the setting"
         " traces_kept_days says.")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which name and kind, over which time; whether they failed, and in which order: the slowest first (`took`), or
    the last that began (`began`)."""

    name: str = ""
    kind: Kind | None = None
    outcome: Literal["failed", "ok"] | None = None
    by: Literal["took", "began"] = "took"
    since: Since = "24h"


class Traces(msgspec.Struct, frozen=True):
    """Single traces that were kept, in the order that was asked for. `more` says that there are others; `names` are
    those of the app's tasks and syncs, and of these traces."""

    traces: list[KeptRow]
    more: bool
    names: list[str]


class AskedTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace by its key; a frame of its flame graph that is looked at, and a text that is looked for in it."""

    key: str
    look: str = ""
    find: str = ""


class Heaviest(msgspec.Struct, frozen=True):
    """A function in which samples were met: how many with it as the innermost, and how many in all."""

    name: str
    own: int
    samples: int


class Stacks(msgspec.Struct, frozen=True, kw_only=True):
    """Sampled stacks: as rectangles, and by function. `found` counts samples with the text that was looked for."""

    graph: Flame
    heaviest: list[Heaviest]
    found: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, a call or a trace inside of this one, each time that it took long: its begin, and how long it took.
    """

    what: str
    phase: str
    spans: list[tuple[int, int]]
    took_us: int
    run_id: int | None = None


class PhaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """When a phase was under way: stretches with their begin, their length, and which share of that it had."""

    phase: str
    stretches: list[tuple[int, int, float]]
    took_us: int


class OneTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One trace. Times are microseconds; `waited_us` is from when it was due until it began, `about` what else is known
    of it. `phase_rows` say when each phase was under way, and `rows` what took long, both in the order of their begin;
    `rows_left_out` counts those that took less than the ones that are listed. Statements have the calls of this trace,
    and places in the code from the hour in which it ended."""

    key: str
    row: KeptRow
    cpu_us: int | None
    waited_us: int
    phases: dict[str, int]
    phase_rows: list[PhaseRow]
    rows: list[Row]
    rows_left_out: int
    statements: list[Statement]
    routes: list[Route]
    stacks: Stacks
    about: dict[str, Any]


class AskedFlame(msgspec.Struct, frozen=True, kw_only=True):
    """Whose stacks, over which time; a frame that is looked at, and a text that is looked for."""

    name: str
    kind: Kind | None = None
    since: Since = "24h"
    look: str = ""
    find: str = ""


class FlameOf(msgspec.Struct, frozen=True, kw_only=True):
    """The stacks of all traces of a name."""

    name: str
    stacks: Stacks


def load(seen: Seen, asked: Asked) -> Traces:
    """Single traces that were kept, the slowest or the newest first."""
    span, app = SPANS[asked.since], seen.app
    failed = None if asked.outcome is None else asked.outcome == "failed"
    found = app.slowest_traces(asked.name or None, kind=asked.kind, since=span, failed=failed,
                               newest=asked.by == "began", limit=_MOST + 1)
    names = sorted({*app.tasks, *app.syncs, *(each.name for each in found)})
    return Traces(kept_rows(seen, found[:_MOST]), more=len(found) > _MOST, names=names)


def load_one(seen: Seen, asked: AskedTrace) -> OneTrace:
    """One trace as it was."""
    found = seen.app.kept_trace(asked.key)
    if found is None:
        raise NotFound("This trace is not kept (any more)", _GONE)
    trace = found.trace
    phases = dict(zip(PHASES, trace.phases, strict=False))
    rows, left_out = _rows(seen, trace.spans)
    about = {name: seen.masked(str(value)) for name, value in trace.about.items() if name != "error"}
    return OneTrace(
        key=asked.key, row=kept_rows(seen, [trace])[0], cpu_us=trace.cpu_us, waited_us=phases.get("waited", 0),
        phases=phases, about=about, stacks=_stacks(trace.flame, asked.look, asked.find),
        phase_rows=_phase_rows(trace.slices, phases), rows=rows, rows_left_out=left_out,
        statements=_statements(seen, trace, {each.fingerprint: each for each in found.statements}),
        routes=_routes(seen, trace, {f"{each.method} {each.host}{each.route}": each for each in found.calls}))


def _rows(seen: Seen, spans: Iterable[SpanSeen]) -> tuple[list[Row], int]:
    """One for each thing that took long, in the order in which they came first; and how many are left out."""
    found: dict[tuple[str, str, int | None], list[tuple[int, int]]] = {}
    for each in sorted(spans, key=lambda span: (span.at_us, -span.took_us)):
        found.setdefault((each.what, each.phase, each.run_id), []).append((each.at_us, each.took_us))
    rows = [Row(what=seen.masked(what), phase=phase, spans=listed, took_us=sum(took for _, took in listed), run_id=run)
            for (what, phase, run), listed in found.items()]
    least = sorted((row.took_us for row in rows), reverse=True)[:_MOST_ROWS][-1:] or [0]
    shown = [row for row in rows if row.took_us >= least[0]][:_MOST_ROWS]
    return shown, len(rows) - len(shown)


def _phase_rows(slices: Iterable[Slice], phases: Mapping[str, int]) -> list[PhaseRow]:
    """One for each phase, in the order in which they came first. Slices in which it had almost the same share are told
    as one."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    at = 0
    for each in slices:
        length = each.until_us - at
        for phase, spent in each.phases.items() if length > 0 else ():
            share = min(spent / length, 1.0)
            listed = found.setdefault(phase, [])
            if listed and sum(listed[-1][:2]) == at and abs(listed[-1][2] - share) < _ALIKE:
                begun, so_far, before = listed[-1]
                listed[-1] = begun, so_far + length, (before * so_far + share * length) / (so_far + length)
            else:
                listed.append((at, length, share))
        at = max(at, each.until_us)
    return [PhaseRow(phase=phase, stretches=[(begun, length, round(share, 3)) for begun, length, share in listed],
                     took_us=phases.get(phase, 0)) for phase, listed in found.items()]


def _statements(seen: Seen, trace: SlowTrace, known: dict[str, Any]) -> list[Statement]:
    advice = advice_by_statement(seen, trace.name)
    found = []
    for part in trace.parts:
        if part.fingerprint is None:
            continue
        other = known.get(part.fingerprint)
        told = statement(seen, other, trace.took_us, advice) if other else None
        found.append(Statement(
            fingerprint=part.fingerprint, text=told.text if told else seen.masked(part.what), calls=part.calls,
            database=told.database if told else None, failed=0, rows=part.rows, total_us=part.total_us,
            mean_us=part.total_us // max(part.calls, 1), max_us=0, locked_us=0,
            share=min(part.total_us / max(trace.took_us, 1), 1.0), sites=told.sites if told else [],
            samples=told.samples if told else [] if seen.may("sensitive") else None,
            advice=advice.get(part.fingerprint)))
    return found


def _routes(seen: Seen, trace: SlowTrace, known: dict[str, Any]) -> list[Route]:
    found = []
    for part in trace.parts:
        if part.fingerprint is None:
            other = known.get(part.what)
            method, _, place = part.what.partition(" ")
            told = route(seen, other, trace.took_us) if other else None
            host, slash, path = place.partition("/")
            found.append(Route(
                method=method, host=host, route=told.route if told else seen.masked(slash + path), calls=part.calls,
                failed=0, total_us=part.total_us, mean_us=part.total_us // max(part.calls, 1), max_us=0,
                share=min(part.total_us / max(trace.took_us, 1), 1.0), sites=told.sites if told else []))
    return found


def load_flame(seen: Seen, asked: AskedFlame) -> FlameOf:
    """What work of a name was doing while it took long."""
    stacks = seen.app.flame(asked.name, kind=asked.kind, since=SPANS[asked.since])
    return FlameOf(name=asked.name, stacks=_stacks(stacks, asked.look, asked.find))


def _stacks(stacks: dict[str, int], look: str, find: str) -> Stacks:
    wanted = find.strip()[:_LONGEST_FIND]
    return Stacks(graph=flame(stacks, look or None), found=matched(stacks, wanted) if wanted else 0,
                  heaviest=[Heaviest(*each) for each in innermost(stacks)])


def trace_file(seen: Seen, asked: AskedTrace) -> Content:
    """The stacks of one trace, as speedscope reads them."""
    found = seen.app.kept_trace(asked.key)
    if found is None:
        raise NotFound("This trace is not kept (any more)", _GONE)
    return _file(asked.key, speedscope(f"{found.trace.name} {asked.key}", found.trace.flame))


def flame_file(seen: Seen, asked: AskedFlame) -> Content:
    """The stacks of a name, as speedscope reads them."""
    return _file(asked.name, seen.app.speedscope(asked.name, kind=asked.kind, since=SPANS[asked.since]))


def _file(name: str, content: Any) -> Content:
    plain = "".join(each if each.isalnum() or each in "-_." else "-" for each in name)[:100]
    return Content(f"{plain}.speedscope.json", "application/json", msgspec.json.encode(content))


def title(model: OneTrace) -> str:
    return f"Trace of {model.row.name}"


def title_of_flame(model: FlameOf) -> str:
    return f"Flame graph of {model.name}"


VIEWS = [
    View(path="/traces", asked=Asked, load=load, template="traces/list.html", title="Traces", nav="traces", live=10.0),
    View(path="/traces/{key}", asked=AskedTrace, load=load_one, template="traces/one.html", title=title, nav="traces"),
    View(path="/flame/{name:path}", asked=AskedFlame, load=load_flame, template="traces/flame.html",
         title=title_of_flame, nav="traces"),
]
FILES = [
    File(path="/traces/{key}/speedscope", asked=AskedTrace, load=trace_file, media_type="application/json"),
    File(path="/speedscope/{name:path}", asked=AskedFlame, load=flame_file, media_type="application/json"),
]
