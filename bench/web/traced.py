"""What traces of a day came to: for each task and layer, hour and process the rows that a worker would have written."""

import random
from typing import Any

from bench.web.shop import KINDS, app
from penstock.domain.fingerprint import fingerprint
from penstock.domain.histogram import bucket_of
from penstock.domain.slow import Part, Slice, SlowTrace, SpanSeen
from penstock.domain.traces import PHASES, CallSite, Sample
from penstock.observe.kept import DAY_MS, HOUR_MS, slow_row, text
from penstock.store.port import Transaction

_PROCESSES = ("shop-0.example:4000", "shop-1.example:4008", "shop-2.example:4016")
DATABASE = "postgresql://db.example:5432/shop"
STATEMENTS = (
    "select id, status, total from orders where customer_id = %s and status = %s order by id limit 1000",
    "select * from order_lines where order_id = %s", "update orders set status = %s where id = %s",
    "select price, currency from prices where product_id = %s and valid_from <= now() order by valid_from desc limit 1",
    "insert into audit (about, what) values (%s, %s)", "select name, email from customers where id = %s",
)
_SHARES = (0.0, 0.06, 0.44, 0.22, 0.16, 0.02, 0.0, 0.1)  # of what it took, by phase
_SLICES = 95
_FRAMES = ("work;fetch;execute", "work;fetch;rows", "work;render;encode", "work;render;join", "work;post;send",
           "work;post;wait", "work;checks;price", "work;checks;stock;look", "work;checks;stock;count")


def traces(hours: int = 24) -> None:
    """A day of them."""
    drawn = random.Random(8)
    row = app.store.read(lambda tx: tx.row("now"))
    assert row is not None
    now = int(row[0])
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in (
        "trace_totals_put", "trace_statements_put", "trace_calls_put", "trace_flames_put", "slow_traces_put")}
    names = [("task", kind.name, kind.took_ms, kind.share) for kind in KINDS]
    names += [("window", "directory", 240_000, 1), ("run", "directory", 40_000, 4),
              ("layer", "directory.People", 22_000, 4), ("layer", "directory.Groups", 4_000, 4)]
    for kind, name, took_ms, share in names:
        for process in _PROCESSES:
            for hour in range(hours):
                _hour(rows, drawn, (now // HOUR_MS - hour) * HOUR_MS, kind, name, process, took_ms * 1000, share * 3)
            _day(rows, drawn, now, kind, name, process, took_ms * 1000)
    texts = [{"fingerprint": fingerprint(each), "database": DATABASE, "driver": "psycopg", "text": each}
             for each in STATEMENTS]

    def work(tx: Transaction) -> None:
        for statement, found in rows.items():
            tx.execute(statement, {"traces": text(found)})
        tx.execute("statement_texts_put", {"texts": text(texts)})

    app.store.write(work)


def _hour(rows: dict[str, list[dict[str, Any]]], drawn: random.Random, hour: int, kind: str, name: str, process: str,
          took_us: int, count: int) -> None:
    of = {"hour": hour, "kind": kind, "name": name, "process": process}
    each = [int(took_us * drawn.lognormvariate(0, 0.5)) for _ in range(20)]
    total = sum(each) * count // 20
    durations: dict[int, int] = {}
    for value in each:
        durations[bucket_of(value)] = durations.get(bucket_of(value), 0) + max(count // 20, 1)
    phases = [round(total * part) for part in _SHARES]
    phases[PHASES.index("waited")] = count * drawn.randrange(2_000_000)
    rows["trace_totals_put"].append({
        **of, "traces": count, "failed": count * drawn.randrange(4) // 100, "total_us": total, "max_us": max(each),
        "cpu_us": total // 6, "phases": text(phases), "durations": text(durations)})
    for place, statement in enumerate(STATEMENTS):
        calls = count * (30 if place == 1 else 1 + place)
        sites = [CallSite(f"shop/{name.partition('.')[0]}.py", 40 + place * 11, "work", calls)]
        samples = [Sample(0, 800, 1), Sample(calls // 2, 1_900, 1)]
        rows["trace_statements_put"].append({
            **of, "fingerprint": fingerprint(statement), "database": DATABASE, "driver": "psycopg", "calls": calls,
            "failed": 0, "rows": calls, "total_us": total // (4 + place), "max_us": took_us // 3, "locked_us": 0,
            "at_most_one": calls, "traces": count, "most_calls": 30, "monotone": None, "sites": text(sites),
            "samples": text(samples), "by_position": text([(calls // 10, total // 90)] * 10)})
    if kind == "task":
        rows["trace_calls_put"].append({
            **of, "method": "POST", "host": "api.example", "route": f"/v1/{name.partition('.')[2]}/*", "calls": count,
            "failed": count // 50, "total_us": total // 6, "max_us": took_us // 2, "traces": count, "most_calls": 2,
            "sites": text([CallSite("shop/http.py", 88, "post", count)])})


def _day(rows: dict[str, list[dict[str, Any]]], drawn: random.Random, now: int, kind: str, name: str, process: str,
         took_us: int) -> None:
    day = now // DAY_MS * DAY_MS
    stacks = {f"worker;{name};{frame}": drawn.randrange(5, 400) for frame in _FRAMES}
    rows["trace_flames_put"].append({"day": day, "kind": kind, "name": name, "process": process,
                                     "stacks": text(stacks)})
    for place in range(8):
        took = took_us * drawn.randrange(2, 9)
        spans = [SpanSeen(took * part // 10, took // 12, "queried" if part % 3 else "called", STATEMENTS[part % 6],
                          fingerprint(STATEMENTS[part % 6])) for part in range(9)]
        parts = [Part(each, 30, took // 8, 30, fingerprint(each)) for each in STATEMENTS]
        slow = SlowTrace(kind=kind, name=name, began_at=now - drawn.randrange(3_600_000), took_us=took,  # type: ignore[arg-type]
                         failed=place >= 5, job_id=drawn.randrange(1, 100_000) if kind == "task" else None,
                         phases=[round(took * share) for share in _SHARES], spans=spans, parts=parts, flame=stacks,
                         slices=_slices(drawn, took),
                         about={"attempt": 1})
        rows["slow_traces_put"].append(slow_row(process, day, place, slow))


def _slices(drawn: random.Random, took_us: int) -> list[Slice]:
    """As many as a trace ever has, each with another mixture."""
    step = took_us // _SLICES
    return [Slice(step * (place + 1), {phase: drawn.randrange(step // 8 + 1) for phase in PHASES[1:]})
            for place in range(_SLICES)]
