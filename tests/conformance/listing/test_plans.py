"""Lists read no table whole, and come in the order of an index: with statistics, and without any."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from penstock.store import migrate
from penstock.store.open import open_store
from penstock.store.statements import compile_sql, statement
from tests.conformance.test_plans import SERIES, explained, nodes
from tests.databases import database

ROWS = 60_000
FILLINGS = [
    """insert into penstock.finished_jobs (id, slot, task, queue, priority, state, arguments, attempt, max_attempts,
                                          run_at, enqueued_at, finished_at, prune_at, lease)
       select n, n % 21, 't', 'q1', 0, case when n % 1000 = 0 then 'discarded' else 'completed' end, '{{}}', 1, 5,
              n, n, n, 4102444800000, 1
       from ({series}) as r""",
    """insert into penstock.live_jobs (id, task, queue, state, arguments, max_attempts, run_at, enqueued_at)
       select 1000000 + n, 't', 'q1', case when n % 2 = 0 then 'available' else 'scheduled' end, '{{}}', 5, n, n
       from ({series}) as r where n < 20000""",
    """insert into penstock.job_rates (span, at, queue, task, state, n)
       select 'minute', n * 60000, 'q1', 't', 'completed', 1 from ({series}) as r where n < 20000""",
    """insert into penstock.ready_jobs (queue, rank, id)
       select queue, run_at, id from penstock.live_jobs where state = 'available'""",
]
PLAIN: dict[str, Any] = {"task": None, "queue": None, "tag": None, "error_class": "E", "since": 0, "until": 2**60,
                         "count": 50, "look": 500}
ANY = {**PLAIN, "batch": 7}
NEWEST = {**PLAIN, "state": None, "below": 2**60, "above": -(2**60), "live": True, "ended": True}
PLACED = {**ANY, "place": 0, "id": 0}
LISTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "jobs_newest": (NEWEST, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "jobs_of_batch": ({**ANY, "state": None, "id": 7, "live": True, "ended": True},
                      {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "batch_firsts": ({"ids": [5, 6]}, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "jobs_uncompleted": ({**ANY, "state": "discarded", "below": 2**60, "above": -(2**60)},
                         {"finished_jobs": "finished_jobs_{slot}_state_id_idx"}),
    "jobs_due": ({**PLACED, "state": "retryable"}, {"live_jobs": "live_jobs_due"}),
    "jobs_executing": (PLACED, {"live_jobs": "live_jobs_pkey"}),
    "jobs_from": ({"id": 5}, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "jobs_span": ({}, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "jobs_named": ({"ids": [5, 6]}, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "job_found": ({"id": 5}, {"live_jobs": "live_jobs_pkey", "finished_jobs": "finished_jobs_{slot}_pkey"}),
    "run_now": ({"id": 5}, {"live_jobs": "live_jobs_pkey"}),
    "rates": ({"span": "minute", "since": 5, "until": 9, "queue": None, "task": None}, {"job_rates": "job_rates_pkey"}),
    "rates_by": ({"span": "minute", "since": 5, "until": 9, "by": "queue"}, {"job_rates": "job_rates_pkey"}),
    "rates_prune": ({"span": "minute", "kept_ms": 5, "count": 10}, {"job_rates": "job_rates_pkey"}),
    "backlog": ({"queues": ["q1"]}, {"ready_jobs": "ready_jobs_pkey", "live_jobs": "live_jobs_pkey"}),
}
LARGE = ("live_jobs", "finished_jobs", "job_rates", "ready_jobs")


def filled(connection: Any, dialect: Any) -> None:
    for filling in FILLINGS:
        text = compile_sql(filling.format(series=SERIES[dialect].format(rows=ROWS)), dialect).sql
        connection.execute(text.replace("%%", "%"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("lists") / "store.db"
    _migrated(f"sqlite:///{path}")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("begin")
    filled(connection, "sqlite")
    connection.execute("commit")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def server(postgres_server: str) -> Iterator["psycopg.Connection[Any]"]:
    """With statistics, as a server gathers them by itself."""
    with database(postgres_server, None) as url:
        _migrated(url)
        with psycopg.connect(url, autocommit=True) as connection:
            filled(connection, "postgres")
            connection.execute("vacuum (analyze)")
            yield connection


def _migrated(url: str) -> None:
    store = open_store(url)
    migrate.migrate(store, [])
    store.close()


@pytest.mark.parametrize("mode", ["force_generic_plan", "unprepared"])
@pytest.mark.parametrize("name", LISTS)
def test_on_postgres_a_list_comes_from_its_index(server: "psycopg.Connection[Any]", name: str, mode: str):
    params, wanted = LISTS[name]
    found = explained(server, name, params, mode)
    for node in found:
        table = node.get("Relation Name", "")
        named = next((each for each in wanted if table == each or (each == "finished_jobs" and each in table)), None)
        if named is not None and node["Node Type"] not in ("ModifyTable", "Tid Scan"):
            index = wanted[named].format(slot=table.rpartition("_")[2])
            assert node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan"), node
            assert node.get("Index Name", index) == index, node
            assert node["Node Type"] != "Bitmap Heap Scan" or name == "jobs_named", node
    assert wanted.keys() <= {next((each for each in wanted if each in node.get("Relation Name", "")), "")
                             for node in found}
    assert not [node for node in found if "Sort" in node["Node Type"] and is_of_a_table(node["Plans"][-1])], found


def is_of_a_table(node: dict[str, Any]) -> bool:
    """Whether these are the rows of a large table, or of its parts, just as they lie there."""
    members = node.get("Plans", []) if "Append" in node["Node Type"] else [node]
    return any("_jobs" in each.get("Relation Name", "") for each in members)


@pytest.mark.parametrize("name", LISTS)
def test_on_sqlite_a_list_comes_from_its_index(file: sqlite3.Connection, name: str):
    params, _ = LISTS[name]
    compiled = statement(name, "sqlite")
    given = {key: json.dumps(value) if isinstance(value, list) else value for key, value in params.items()}
    plan = [row[3] for row in file.execute(f"explain query plan {compiled.sql}", given).fetchall()]
    scans = [line for line in plan if line.startswith("SCAN ") and any(f"penstock_{table}" in line for table in LARGE)]
    # In the order of the primary key SQLite scans too, and ends at the limit.
    assert all("USING" in line or name in ("jobs_newest", "jobs_span") for line in scans), plan
    if name == "jobs_uncompleted":
        assert any("penstock_finished_jobs_uncompleted" in line for line in plan), plan
    if name == "jobs_due":
        assert any("penstock_live_jobs_due" in line for line in plan), plan


def test_a_few_that_did_not_complete_are_read_and_nothing_else(server: "psycopg.Connection[Any]"):
    """Of sixty thousand jobs the sixty that were discarded."""
    compiled = statement("jobs_uncompleted", "postgres")
    params = LISTS["jobs_uncompleted"][0]
    given = {key: params[key] for key in compiled.names}
    (row,) = server.execute(f"explain (analyze, format json) {compiled.sql}", given, prepare=False).fetchall()
    read = [(node["Actual Rows"], node.get("Rows Removed by Filter", 0)) for node in nodes(row[0][0]["Plan"])
            if "finished_jobs" in node.get("Relation Name", "")]
    assert sum(rows for rows, _ in read) == ROWS // 1000
    assert sum(removed for _, removed in read) == 0
