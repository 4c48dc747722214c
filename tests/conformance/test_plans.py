"""The plans of hot statements use the index that was made for them, whatever the planner believes of a table.

A statement that is prepared keeps its plan while tables fill and empty, so plans are looked at on empty tables and on
full ones, with statistics, without, and with those of another time, prepared and not. PostgreSQL is set as for the
connections of a worker.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from penstock.store import migrate
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.statements import DIALECTS, Dialect, compile_sql, statement
from tests.databases import database

ROWS = 100_000
LOWEST = -(2**62)

SERIES: dict[Dialect, str] = {
    "postgres": "select generate_series(1, {rows}) as n",
    "sqlite": "with recursive r(n) as (select 1 union all select n + 1 from r where n < {rows}) select n from r",
}
FILLINGS = [
    """insert into penstock.live_jobs (id, task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at)
       select n, 't', 'q' || n % 3, n % 5, case when n % 10 < 4 then 'available' else 'scheduled' end, '{{}}', 5,
              case when n % 10 < 4 then n else 4102444800000 + n end, n from ({series}) as r""",
    """insert into penstock.ready_jobs (queue, rank, id)
       select queue, run_at - priority * 60000, id from penstock.live_jobs where state = 'available'""",
    """insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts,
                                          run_at, enqueued_at, finished_at, prune_at, lease)
       select n + 1000000, n % 21, 't', 'q1', 0, 'completed', '{{}}', 1, 5, n, n, n, 4102444800000, 1
       from ({series}) as r""",
    "insert into penstock.unique_keys (key, job_id, keeps) select 'u' || n, n, '{brackets}' from ({series}) as r",
    "insert into penstock.tag_marks (tag, number, marked_at) select 't' || n, n, n from ({series}) as r where n < 2000",
    """insert into penstock.count_deltas (queue, task, state, slot, n)
       select 'q1', 't', 'available', 0, 1 from ({series}) as r""",
    """insert into penstock.sync_requests (sync, subject, priority, reason, requested_at)
       select 's', 'p' || n, 0, '', n from ({series}) as r where n < 5000""",
    """insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at, run_at)
       select 's', 'p' || n, 'a' || n % 20, case n % 10 when 0 then 'pending' when 1 then 'running'
              else 'succeeded' end, 0, '[]', n, n from ({series}) as r where n < 5000""",
    """insert into penstock.layer (scope, key, status, changed_at, remote_id)
       select 'g' || n % 10, 'k' || n, 'synced', n, 'r' || n from ({series}) as r where n < 5000""",
    "insert into penstock.workers (name, started_at, expires_at) select 'w', n, n from ({series}) as r where n < 8",
    """insert into penstock.live_jobs (id, task, queue, state, arguments, max_attempts, run_at, enqueued_at, line, also,
                                      in_order, terms)
       select 2000000 + n, 't', 'q1', 'pending', '{{}}', 5, n, n, 'serial:t:' || n % 5000, 'k' || n % 1000, true,
              '{{"most":1,"also":2}}' from ({series}) as r where n < 20000""",
    "insert into penstock.pending_jobs (line, rank, id, queue)"
    " select line, run_at, id, queue from penstock.live_jobs where state = 'pending'",
    """insert into penstock.lines (line, kind, room, most, running, turn, held, until_at, head_rank, head_id,
                                  head_priority)
       select 'serial:t:' || n, 'job', 'q' || n % 3, 1, 0, n, case n % 3 when 0 then 'gate:g' when 1 then 'also:k' || n
              end, case when n % 9 = 0 then 4102444800000 + n end, n, 2000000 + n, 0
       from ({series}) as r where n < 5000""",
    "insert into penstock.lines (line, kind, room, running, awaited) select 'k' || n, 'key', '', 1, true"
    " from ({series}) as r where n < 1000",
    """insert into penstock.lines (line, kind, room, account, running, turn, head_rank, head_id, head_priority)
       select 'run:["s","a' || n || '"]', 'run', 's', 'a' || n, 0, n, n, n, 0 from ({series}) as r where n < 1000""",
    """insert into penstock.job_results (job_id, prune_at, result) select n, 4102444800000 + n, '{{}}'
       from ({series}) as r where n < 5000""",
    "insert into penstock.attempt_errors ({columns}) select n / 5, n, 1, n, 'E', 'e'{look} from ({series}) as r"
    " where n < 20000",
    "insert into penstock.line_news (line, freed, rank, most) select 'serial:t:' || n, 0, n, 1"
    " from ({series}) as r where n < 5000",
    "insert into penstock.job_waits (on_id, job_id, anyway) select n, 2000000 + n, false from ({series}) as r"
    " where n < 20000",
    "insert into penstock.wait_news (id, batch, what)"
    " select n, n % 2 = 0, case n % 2 when 0 then 'added' else 'asked' end from ({series}) as r where n < 5000",
    """insert into penstock.batches (id, closed, total, completed, cancelled, discarded, made_at)
       select 5000000 + n, true, 5, 1, 0, 0, n from ({series}) as r where n < 5000""",
]
ERRORS = {"postgres": {"columns": "job_id, lease, attempt, failed_at, error_class, error, look_at", "look": ", n"},
          "sqlite": {"columns": "job_id, lease, attempt, failed_at, error_class, error", "look": ""}}
LEASES: dict[Dialect, str] = {
    "postgres": "insert into penstock.leases (worker_id, job_ids, claimed_at)"
                " select n % 7 + 1, array[n], n from generate_series(1, 5000) as n",
    "sqlite": "insert into penstock_leases (worker_id, job_ids, claimed_at, fresh)"
              " select n % 7 + 1, json_array(n), n, 0 from (" + SERIES["sqlite"].format(rows=5000) + ")",
}
# Tables that may be read whole: they have a row for each worker, queue, counter or cancellation under way.
SMALL = {"workers", "worker_stacks", "queues", "counts", "count_folds", "cancellations", "sequences", "progress",
         "line_folds", "wait_folds", "pauses", "gates"}

SHAPES = json.dumps([{"task": "t", "queue": "q1", "priority": 0, "max_attempts": 5, "run_at": None, "delay_ms": 0,
                      "tags": None, "deadline_at": None, "deadline_ms": None, "keeps": None, "period_ms": None,
                      "held": True, "batch": 7}])
SETTLED = {"ids": [5, 6], "leases": [7, 7], "states": ["completed", "completed"], "counted": [1, 1],
           "took_ms": [1, 1], "delay_ms": [1, 1], "error_classes": [None, None], "errors": [None, None], "ended": [7]}
CLAIM = {"worker_id": 1, "queue": "q1", "count": 10, "after": LOWEST, "after_id": LOWEST, "found": "[[1, 1]]",
         "rows": 10}
AFTER = {"queue": "q1", "after": 50, "after_id": 50, "count": 10}
NAMED = {"lines": ["serial:t:5", "k5"]}
PLACED = {"lines": ["serial:t:5", "serial:t:6"], "ranks": [5, 6], "ids": [2000005, 2000006]}
STEP: dict[str, dict[str, Any]] = {
    "dispatch_wanted": {}, "dispatch_view": {}, "lines_fold": {"count": 2000, "note": True},
    "lines_release_awaiting": NAMED, "lines_unawaited": NAMED, "lines_remove_idle": NAMED,
    "lines_release_due": {"count": 10}, "lines_next_until": {}, "lines_release_held": {"held": "gate:g", "count": 10},
    "lines_gates": {}, "lines_turns": {"kind": "job", "room": "q1", "count": 10},
    "lines_pieces": {**PLACED, "count": 10}, "lines_running": NAMED,
    "lines_hold": {"lines": PLACED["lines"], "helds": ["also:k5", "gate:g"], "until_ats": [None, 5]},
    "jobs_admit": {**PLACED, "turns": [5, 6], "paced_us": [None, None]},
    "ready_front": {"queue": "q1", "after": 50}, "ready_left": {"queue": "q1", "ranks": [5, 6], "ids": [5, 6]},
    "runs_lines": {"lines": ['run:["s","a1"]', 'run:["s","a2"]'], "syncs": ["s", "s"], "accounts": ["a1", "a2"],
                   "mosts": [2, 2], "gates": ["[]", None], "lows": [5, None], "ids": [5, 6], "job_ids": [7, 8]},
    "runs_due": {"count": 10}, "runs_next_due": {}, "runs_running": {"sync": "s"},
    "runs_behind": {"sync": "s", "account": "a1", "rank": 1, "id": 1, "count": 9},
    "runs_fold": {"ids": [5, 6], "priorities": [1, 1], "reasons": ["[]", "[]"]},
    "enqueue_keyed": {"ids": None, "shapes": SHAPES, "shape": [1, 1], "arguments": ["[]", "[]"], "keys": ["u5", None],
                      "lines": PLACED["lines"], "alsos": ["k5", None], "terms": ['{"most":1,"also":2}', '{"most":1}'],
                      "waits": json.dumps([{"place": 1, "on_place": 2, "on_id": None, "anyway": False},
                                           {"place": 2, "on_place": None, "on_id": 5, "anyway": True}]),
                      "batches": '[{"id": 5, "what": "closed"}]'},
    "waits_fold": {"count": 2000, "note": True, "keep_ms": 5},
    "waits_end": {"ids": [5, 6], "states": ["completed", "discarded"], "count": 2000, "keep_ms": '{"t":5}'},
    "waits_left": {"ids": [5, 6], "states": ["completed", "discarded"]},
}
"""What every step of a dispatcher runs, and what makes it work."""
HOT: dict[str, dict[str, Any]] = {
    **STEP,
    "claim": CLAIM, "stragglers": AFTER, "stragglers_new": AFTER, "claimable": {"queue": "q1"},
    "settle_finished": {**SETTLED, "keep_ms": [1, 1]}, "settle_completed": {**SETTLED, "keep_ms": 1},
    "settle_again": {**SETTLED, "states": ["retryable", "available"], "error_classes": ["E", None]},
    "stage": {"count": 10, "after": 1}, "next_due": {"after": 1},
    "cancel": {"id": 5, "keep_ms": 1, "state": "cancelled", "reason": ""}, "invalidate": {"tags": ["t1", "new"]},
    "enqueue_unique": {"shapes": SHAPES, "shape": [1], "arguments": ["[]"], "keys": ["u5"]},
    "enqueue_replace": {"wishes": json.dumps([
        {**json.loads(SHAPES)[0], "key": "u5", "met": 5, "arguments": "{}", "keep": False, "line": "serial:t:5",
         "also": "k5", "terms": '{"most":1,"also":2}', "batch": 5}] * 2)},
    "leases_held": {"worker_id": 1}, "rescue_leases": {}, "counts_waiting": {}, "keys_prune": {"count": 10},
    "worker_renew": {"worker_id": 1, "lease_ms": 5},
    "worker_renew_telling": {"worker_id": 1, "lease_ms": 5, "rss_bytes": 5}, "asked_of_worker": {"worker_id": 1},
    "progress_save": {"ids": [5, 6], "leases": [7, 7], "percents": [1.5, None], "notes": [None, "n"],
                      "cursors": ["5", None]},
    "attempt_errors": {"id": 5, "count": 25}, "attempt_errors_prune": {"count": 10},
    "progress_cursor": {"id": 5}, "result": {"id": 5}, "results_prune": {"count": 10},
    "results_keep": {"ids": [5, 6], "keep_ms": [1, 1], "results": ["5", "null"]},
}
# What is read whole, and what has an end after a few rows, or is asked for any row at all.
READ_WHOLE = {("rescue_leases", "leases"), ("stragglers_new", "ready_jobs"), ("dispatch_wanted", "sync_requests"),
              ("lines_fold", "line_news"), ("settle_finished", "lines"),
              ("settle_completed", "lines"), ("waits_fold", "wait_news")}
LARGE = {"live_jobs", "ready_jobs", "finished_jobs", "unique_keys", "leases", "count_deltas", "pending_jobs", "lines",
         "line_news", "sync_runs", "job_waits", "wait_news", "batches", "attempt_errors"}
WANTED = {"live_jobs_due", "lines_turn", "lines_held", "lines_until", "sync_runs_delayed", "gates_shut"}
"""Indexes of nothing but what is looked for: their first row is what is asked for."""


def run_fill(connection: Any, dialect: Dialect) -> None:
    for filling in FILLINGS:
        text = filling.format(series=SERIES[dialect].format(rows=ROWS), brackets="{{}}"[1:-1] if dialect == "postgres"
                              else "[]", **ERRORS[dialect])
        connection.execute(compile_sql(text, dialect, layer="state_x").sql.replace("%%", "%"))
    connection.execute(LEASES[dialect])


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A filled database without statistics: Penstock never gathers any."""
    path = tmp_path_factory.mktemp("plans") / "store.db"
    migrated(f"sqlite:///{path}")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin")
    run_fill(connection, "sqlite")
    connection.execute("commit")
    yield connection
    connection.close()


def migrated(url: str) -> None:
    store = open_store(url)
    migrate.migrate(store, [LayerTable("state_x", "s", "X")])
    store.close()


@pytest.fixture(scope="module", params=["new", "analysed while empty", "full", "analysed", "analysed when it was full"])
def server(request: pytest.FixtureRequest, postgres_server: str) -> Iterator["psycopg.Connection[Any]"]:
    """A database in a state of which the planner knows or believes something."""
    with database(postgres_server, None) as url:
        migrated(url)
        with psycopg.connect(url, autocommit=True) as connection:
            tables = [row[0] for row in connection.execute(
                "select relname from pg_class c join pg_namespace n on n.oid = relnamespace"
                " where nspname = 'penstock' and relkind = 'r'").fetchall()]
            for table in tables:
                connection.execute(sql.SQL("alter table penstock.{} set (autovacuum_enabled = off)").format(
                    sql.Identifier(table)))
            if request.param == "analysed while empty":
                connection.execute("vacuum (analyze)")
            if request.param != "new":
                run_fill(connection, "postgres")
            if request.param.startswith("analysed") and request.param != "analysed while empty":
                connection.execute("vacuum (analyze)")
            if request.param == "analysed when it was full":
                connection.execute("delete from penstock.ready_jobs")
                connection.execute("delete from penstock.live_jobs")
            connection.execute("set enable_seqscan = off")
            connection.execute(sql.SQL("set application_name = {}").format(sql.Literal(request.param)))
            yield connection


def explained(connection: "psycopg.Connection[Any]", name: str, params: dict[str, Any], mode: str) -> list[Any]:
    """The nodes of a plan; `mode` is that of the server's cache of plans, or `unprepared`."""
    compiled = statement(name, "postgres", layer="state_x")
    given = {key: params[key] for key in compiled.names}
    if mode == "unprepared":
        (row,) = connection.execute(f"explain (format json) {compiled.sql}", given, prepare=False).fetchall()
        return list(nodes(row[0][0]["Plan"]))
    connection.execute(sql.SQL("set plan_cache_mode = {}").format(sql.Literal(mode)))
    order = list(compiled.names)
    text = compiled.sql
    for place, key in enumerate(order, start=1):
        text = text.replace(f"%({key})s", f"${place}")
    types = ", ".join({bool: "boolean", int: "bigint"}.get(type(given[key]), "unknown") for key in order)
    connection.execute(f"prepare hot{f'({types})' if types else ''} as {text.replace('%%', '%')}".encode())
    try:
        values = sql.SQL(", ").join(sql.Literal(given[key]) for key in order)
        call = sql.SQL("explain (format json) execute hot") + (sql.SQL("({})").format(values) if order else sql.SQL(""))
        (row,) = connection.execute(call).fetchall()
        return list(nodes(row[0][0]["Plan"]))
    finally:
        connection.execute("deallocate hot")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from nodes(each)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan", "unprepared"])
def test_on_postgres_a_hot_statement_reads_no_table_whole(server: "psycopg.Connection[Any]", mode: str):
    """All statements in one test: to explain one takes less than it takes to run a test."""
    assert {name: wrong for name in HOT if (wrong := [
        node for node in explained(server, name, HOT[name], mode) if not sparing(name, node)])} == {}


def sparing(name: str, node: dict[str, Any]) -> bool:
    """Whether a node of a plan reads no more of a table than it has to."""
    table = node.get("Relation Name")
    if table is None or table in SMALL or (name, table) in READ_WHOLE:
        return True
    if node["Node Type"] in ("Index Scan", "Index Only Scan"):
        return "Index Cond" in node or node["Index Name"] in WANTED
    return bool(node["Node Type"] != "Seq Scan")


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan", "unprepared"])
@pytest.mark.parametrize(("name", "table", "index"), [
    ("claim", "ready_jobs", "ready_jobs_pkey"), ("stragglers", "ready_jobs", "ready_jobs_pkey"),
    ("stage", "live_jobs", "live_jobs_due"),
])
def test_on_postgres_what_has_an_order_comes_from_the_index_in_that_order(
        server: "psycopg.Connection[Any]", name: str, table: str, index: str, mode: str):
    found = explained(server, name, HOT[name], mode)
    scans = [node for node in found if node.get("Relation Name") == table and node["Node Type"] != "Tid Scan"
             and node.get("Parent Relationship") != "Member"]
    ordered = [node for node in scans if node.get("Index Name") == index]
    assert ordered, found
    assert all(node["Node Type"] in ("Index Scan", "Index Only Scan") for node in ordered), ordered
    assert not [node for node in found if node["Node Type"] in ("Sort", "Hash Join", "Merge Join")
                and any(each.get("Relation Name") == "ready_jobs" for each in nodes(node))], found


@pytest.mark.parametrize("name", ["lines_fold", "jobs_admit"])
def test_on_postgres_lines_are_found_again_by_where_they_lie(server: "psycopg.Connection[Any]", name: str):
    """By their names, a plan for any number of lines compares each with each: a thousand took a tenth of a second."""
    found = explained(server, name, HOT[name], "force_generic_plan")
    scans = [node["Node Type"] for node in found if node.get("Alias") == "l" and node["Node Type"] != "ModifyTable"]
    assert scans == ["Tid Scan"]


@pytest.mark.parametrize("name", HOT)
def test_on_sqlite_no_part_of_a_hot_statement_reads_a_table_whole(sqlite_file: sqlite3.Connection, name: str):
    compiled = statement(name, "sqlite", layer="state_x")
    params = dict(HOT.get(name, {}))
    columns = [params[column] for column in compiled.columns]
    rows = [[each[place] if isinstance(each, list) else each for each in columns]
            for place in (0, 1) if columns]
    given = {key: json.dumps(value) if isinstance(value, list) else value for key, value in params.items()}
    given["rows"] = json.dumps(rows)
    for part in compiled.parts:
        plan = [row[3] for row in sqlite_file.execute(f"explain query plan {part}", given).fetchall()]
        for line in plan:
            table = line.split()[1].removeprefix("penstock_") if line.startswith("SCAN ") else ""
            called = {alias: table for table, alias in re.findall(r"penstock_(\w+) (?:as )?(\w+)", part)}
            meant = called.get(table, table)
            if meant in LARGE:
                assert "INDEX" in line or (name, meant) in READ_WHOLE or exists_only(part, meant), (part, plan)


def exists_only(part: str, table: str) -> bool:
    """Whether a table is only asked whether it has any row at all, which reads one."""
    return f"exists (select 1 from penstock_{table})" in part


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "params", "sqlite_uses", "postgres_uses"), [
    ("requests_waiting", {"syncs": ["s"], "count": 10}, "penstock_sync_runs_live", "sync_runs_live"),
    ("runs_pending", {"syncs": ["s"], "subjects": ["p1"], "rows": [["s", "p1"]]}, "penstock_sync_runs_live",
     "sync_runs_live"),
    ("runs_behind", {"sync": "s", "account": "a", "rank": 1, "id": 1, "count": 9}, "penstock_sync_runs_pending",
     "sync_runs_pending"),
    ("runs_next", {"sync": "s", "account": "a", "count": 20}, "penstock_sync_runs_pending", "sync_runs_pending"),
    ("runs_took", {"sync": "s", "subjects": ["p1"], "count": 5}, "penstock_sync_runs_history", "sync_runs_history"),
    ("state_lookup", {"scope": "g1", "keys": ["k1", "k11"]}, "sqlite_autoindex_penstock_state_x",
     "state_x_pkey"),
])
def test_what_syncs_ask_uses_its_index(
        sqlite_file: sqlite3.Connection, server: "psycopg.Connection[Any]", dialect: Dialect, name: str,
        params: dict[str, Any], sqlite_uses: str, postgres_uses: str):
    if dialect == "postgres":
        if server.info.parameter_status("application_name") != "analysed":
            return  # requests and runs are few, and looked at once a second: with statistics is enough
        assert postgres_uses in {node.get("Index Name") for node in explained(server, name, params, "unprepared")}
        return
    compiled = statement(name, "sqlite", layer="state_x")
    given = {key: json.dumps(value) if isinstance(value, list) else value for key, value in params.items()}
    plan = "\n".join(row[3] for row in sqlite_file.execute(f"explain query plan {compiled.sql}", given).fetchall())
    assert sqlite_uses in plan, plan
