"""Single traces as they were: what took how long and when, statements, calls, stacks. And flame graphs of a name."""

from collections.abc import Iterable
from typing import Any

import msgspec

from penstock.domain.flame import Flame, flame, innermost, matched
from penstock.domain.slow import SlowTrace, SpanSeen
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

_MOST = 50
_LONGEST_FIND = 200
_GONE = ("Of each name and day the five slowest and the three that failed last are kept, for as long as the setting"
         " traces_kept_days says.")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which name and kind, over which time."""

    name: str = ""
    kind: Kind | None = None
    since: Since = "24h"


class Traces(msgspec.Struct, frozen=True):
    """Single traces that were kept, the slowest first."""

    traces: list[KeptRow]


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
    """A statement, a call or another part of a trace, each time that it took long: when it began, how long it took."""

    what: str
    phase: str
    spans: list[tuple[int, int]]
    took_us: int


class OneTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One trace. Times are microseconds; `waited_us` is from when it was due until it began, `about` what else is known
    of it. Statements have the calls of this trace, and places in the code from the hour in which it ended."""

    key: str
    row: KeptRow
    cpu_us: int | None
    waited_us: int
    phases: dict[str, int]
    rows: list[Row]
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
    """Single traces that were kept, the slowest first."""
    return Traces(kept_rows(seen, seen.app.slowest_traces(asked.name or None, kind=asked.kind,
                                                          since=SPANS[asked.since], limit=_MOST)))


def load_one(seen: Seen, asked: AskedTrace) -> OneTrace:
    """One trace as it was."""
    found = seen.app.kept_trace(asked.key)
    if found is None:
        raise NotFound("This trace is not kept (any more)", _GONE)
    trace = found.trace
    phases = dict(zip(PHASES, trace.phases, strict=False))
    about = {name: seen.masked(str(value)) for name, value in trace.about.items() if name != "error"}
    return OneTrace(
        key=asked.key, row=kept_rows(seen, [trace])[0], cpu_us=trace.cpu_us, waited_us=phases.get("waited", 0),
        phases=phases, about=about, stacks=_stacks(trace.flame, asked.look, asked.find),
        rows=_rows(seen, trace.spans),
        statements=_statements(seen, trace, {each.fingerprint: each for each in found.statements}),
        routes=_routes(seen, trace, {f"{each.method} {each.host}{each.route}": each for each in found.calls}))


def _rows(seen: Seen, spans: Iterable[SpanSeen]) -> list[Row]:
    """One for each thing that took long, in the order in which they came first."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for each in spans:
        found.setdefault((each.what, each.phase), []).append((each.at_us, each.took_us))
    return [Row(what=seen.masked(what), phase=phase, spans=listed, took_us=sum(took for _, took in listed))
            for (what, phase), listed in found.items()]


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
