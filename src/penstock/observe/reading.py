"""What was kept of traces, read back for a span of time and added up over processes.

Spans are `since` ≤ hour < `until`, in milliseconds of the epoch by the store's clock. `kind` and `name` narrow them.
"""

import msgspec

from penstock.domain.adding_up import add_call, add_statement, add_trace
from penstock.domain.slow import SlowTrace, TraceKey
from penstock.domain.traces import KINDS, CallSeen, CallSite, Kind, Sample, StatementSeen, TraceSeen
from penstock.observe.kept import DAY_MS, HOUR_MS
from penstock.observe.totals import add_stacks
from penstock.store.port import Row, Store

Of = tuple[Kind, str]
"""Kind and name of traces."""

_PHASES = msgspec.json.Decoder(list[int])
_DURATIONS = msgspec.json.Decoder(dict[int, int])
_SITES = msgspec.json.Decoder(list[CallSite])
_SAMPLES = msgspec.json.Decoder(list[Sample])
_POSITIONS = msgspec.json.Decoder(list[tuple[int, int]])
_STACKS = msgspec.json.Decoder(dict[str, int])
_SLOW = msgspec.json.Decoder(SlowTrace)
_ALIKE = 10


def now(store: Store) -> int:
    """The store's time, in milliseconds of the epoch."""
    return int(store.look("now")[0][0])


def traces(store: Store, since: int, until: int, *, kind: Kind | None = None, name: str | None = None
           ) -> list[TraceSeen]:
    """One for each kind, name and hour, the earliest hour first."""
    found: dict[tuple[int, Kind, str], TraceSeen] = {}
    rows = (store.look("trace_totals_read", _span(since, until, kind, name)) if name is None else
            store.look("trace_totals_of", {"hours": hours(since, until), "kinds": [kind] if kind else list(KINDS),
                                           "name": name}))
    for row in rows:
        seen = TraceSeen(kind=row[1], name=row[2], since=row[0], traces=row[3], failed=row[4], total_us=row[5],
                         max_us=row[6], cpu_us=row[7], phases=_PHASES.decode(row[8]),
                         durations=_DURATIONS.decode(row[9]))
        key = row[0], row[1], row[2]
        if key in found:
            add_trace(found[key], seen)
        else:
            found[key] = seen
    return list(found.values())


def statements(store: Store, since: int, until: int, *, kind: Kind | None = None, name: str | None = None,
               fingerprint: str | None = None) -> dict[Of, list[StatementSeen]]:
    """The statements of each kind and name over the whole span, those that took longest in all first."""
    found: dict[Of, dict[tuple[str, str, str], StatementSeen]] = {}
    for row in store.look("trace_statements_read", {**_span(since, until, kind, name), "fingerprint": fingerprint}):
        _into(found.setdefault((row[1], row[2]), {}), row)
    return {of: sorted(each.values(), key=lambda seen: -seen.total_us) for of, each in found.items()}


def statement_hours(store: Store, since: int, until: int, fingerprint: str, database: str | None, *,
                    kind: Kind | None = None, name: str | None = None) -> dict[int, StatementSeen]:
    """What one statement came to in each hour in which it came at all, whatever executed it."""
    found: dict[int, dict[tuple[str, str, str], StatementSeen]] = {}
    params = {**_span(since, until, kind, name), "fingerprint": fingerprint}
    for row in store.look("trace_statements_read", params):
        if row[4] == (database or ""):
            _into(found.setdefault(row[0], {}), (*row[:5], "", *row[6:]))
    return {hour: seen for hour, each in found.items() for seen in each.values()}


def statement_of(store: Store, since: int, until: int, name: str, fingerprint: str, database: str) -> list[Row]:
    """Hour, calls, rows, total and longest time of one statement under one name, in each hour in which it came."""
    return [(row[0], *map(int, row[1:])) for row in store.look("trace_statement_of", {
        "hours": hours(since, until), "kinds": list(KINDS), "name": name, "fingerprint": fingerprint,
        "database": database})]


class StatementTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement came to under a name. Times are microseconds; `text` is None where it is forgotten."""

    fingerprint: str
    database: str | None
    text: str | None
    calls: int
    rows: int
    total_us: int
    max_us: int


def statement_totals(store: Store, since: int, until: int, kind: Kind, name: str, count: int) -> list[StatementTotals]:
    """The statements of one name that took the most time, without what else is known of them."""
    rows = store.look("trace_statement_totals", {"hours": hours(since, until), "kinds": [kind], "name": name,
                                                 "count": count})
    return [StatementTotals(fingerprint=row[0], database=row[1] or None, calls=int(row[2]), rows=int(row[3]),
                            total_us=int(row[4]), max_us=int(row[5]), text=statement_text(store, row[0], row[1]))
            for row in rows]


def statement_text(store: Store, fingerprint: str, database: str) -> str | None:
    """The text of a statement; None where it is not kept (any more)."""
    return next((text for (text,) in store.look("statement_text", {"fingerprint": fingerprint, "database": database})),
                None)


def calls(store: Store, since: int, until: int, *, kind: Kind | None = None, name: str | None = None
          ) -> dict[Of, list[CallSeen]]:
    """The routes that each kind and name called over the whole span, those that took longest in all first."""
    found: dict[Of, dict[tuple[str, str, str], CallSeen]] = {}
    for row in store.look("trace_calls_read", _span(since, until, kind, name)):
        seen = CallSeen(method=row[3], host=row[4], route=row[5], calls=row[6], failed=row[7], total_us=row[8],
                        max_us=row[9], traces=row[10], most_calls=row[11], sites=_SITES.decode(row[12]))
        known = found.setdefault((row[1], row[2]), {})
        key = seen.method, seen.host, seen.route
        if key in known:
            add_call(known[key], seen)
        else:
            known[key] = seen
    return {of: sorted(each.values(), key=lambda seen: -seen.total_us) for of, each in found.items()}


def flames(store: Store, since: int, until: int, *, kind: Kind | None = None, name: str | None = None
           ) -> dict[Of, dict[str, int]]:
    """Sampled stacks of each kind and name over the days of the span: outermost frame first, joined by `;`."""
    found: dict[Of, dict[str, int]] = {}
    for _, of_kind, of_name, stacks in store.look("trace_flames_read", _span(since, until, kind, name)):
        add_stacks(found.setdefault((of_kind, of_name), {}), _STACKS.decode(stacks))
    return found


def slow_traces(store: Store, since: int, until: int, *, kind: Kind | None = None, name: str | None = None,
                failed: bool | None = None, newest: bool = False, limit: int = 20) -> list[SlowTrace]:
    """Traces that were kept as they were, the slowest first, or the `newest`: of each name and day the slowest, and
    some that failed; only those that did, or did not, if `failed` says so."""
    found: dict[tuple[str, str, int, int], SlowTrace] = {}
    params = {**_span(since, until, kind, name), "failed": failed, "newest": newest, "count": 2 * limit}
    for (content,) in store.look("slow_traces_read", params):
        slow = _SLOW.decode(content)
        found.setdefault((slow.kind, slow.name, slow.began_at, slow.took_us), slow)  # the slowest may have failed, too
    return list(found.values())[:limit]


def slow_trace(store: Store, key: TraceKey) -> SlowTrace | None:
    """The trace of a key, if it is (still) kept."""
    day = key.began_at // DAY_MS * DAY_MS
    until = key.began_at + key.took_us // 1000 + 2 * DAY_MS  # it may have been written later than it ended
    rows = store.look("slow_trace", {"since": day, "until": until, "kind": key.kind, "began_at": key.began_at,
                                     "took_us": key.took_us, "count": _ALIKE})
    return next((found for (content,) in rows if (found := _SLOW.decode(content)).key == key), None)


def traces_of_job(store: Store, job_id: int, name: str, since: int, until: int) -> list[TraceKey]:
    """Those of the attempts of a job that were kept, the newest first; `name` is its task's."""
    asked = {"job_id": job_id, "name": name, "since": since, "until": until, "count": 2 * _ALIKE}
    found = [TraceKey.of("task", name, began_at, took_us)
             for began_at, took_us in store.look("slow_traces_of_job", asked)]
    return list(dict.fromkeys(found))  # the slowest may have failed, too


def hours(since: int, until: int) -> list[int]:
    """Those that begin in a span."""
    return list(range(-(-since // HOUR_MS) * HOUR_MS, until, HOUR_MS))


def _span(since: int, until: int, kind: Kind | None, name: str | None) -> dict[str, object]:
    return {"since": since, "until": until, "kind": kind, "name": name}


def _into(known: dict[tuple[str, str, str], StatementSeen], row: Row) -> None:
    seen = StatementSeen(
        fingerprint=row[3], database=row[4] or None, driver=row[5], text=row[6] or "", calls=row[7], failed=row[8],
        rows=row[9], total_us=row[10], max_us=row[11], locked_us=row[12], at_most_one=row[13], traces=row[14],
        most_calls=row[15], monotone=None if row[16] is None else bool(row[16]), sites=_SITES.decode(row[17]),
        samples=_SAMPLES.decode(row[18]), by_position=_POSITIONS.decode(row[19]))
    key = row[3], row[4], row[5]
    if key in known:
        add_statement(known[key], seen)
    else:
        known[key] = seen
