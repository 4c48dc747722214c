"""The plans of hot statements use the index that was made for them, on a filled table of each database."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from penstock.store import migrate
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.statements import DIALECTS, Dialect, compile_sql, statement

Connections = dict[Dialect, Any]
ROWS = 3_000

FILL: dict[Dialect, str] = {
    "postgres": "select generate_series(1, {rows}) as n",
    "sqlite": "with recursive r(n) as (select 1 union all select n + 1 from r where n < {rows}) select n from r",
}
FILLINGS = [
    """insert into penstock.jobs (task, queue, priority, state, arguments, max_attempts, run_at, enqueued_at, worker_id)
       select 't', 'q' || n % 3, n % 5, case n % 10 when 0 then 'available' when 1 then 'scheduled'
              when 2 then 'executing' else 'completed' end, '{{}}', 5, n, n, n % 7 from ({series}) as r""",
    """insert into penstock.sync_requests (sync, subject, priority, reason, requested_at)
       select 's', 'p' || n, 0, '', n from ({series}) as r""",
    """insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at, run_at)
       select 's', 'p' || n, 'a' || n % 20, case n % 10 when 0 then 'pending' when 1 then 'running'
              else 'succeeded' end, 0, '[]', n, n from ({series}) as r""",
    """insert into penstock.layer (scope, key, status, changed_at, remote_id)
       select 'g' || n % 10, 'k' || n, 'synced', n, 'r' || n from ({series}) as r""",
    "insert into penstock.workers (name, started_at, expires_at) select 'w', n, n from ({series}) as r where n < 8",
]


@pytest.fixture(scope="module")
def connections(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connections]:
    """A filled database of each kind, with statistics."""
    from tests.conftest import _database

    path = tmp_path_factory.mktemp("plans") / "store.db"
    with _database(postgres_server, None) as url:
        for each in (f"sqlite:///{path}", url):
            store = open_store(each)
            migrate.migrate(store, [LayerTable("state_x", "s", "X")])
            store.close()
        found: Connections = {"sqlite": sqlite3.connect(path, isolation_level=None),
                              "postgres": psycopg.connect(url, autocommit=True)}
        for dialect, connection in found.items():
            for filling in FILLINGS:
                sql = filling.format(series=FILL[dialect].format(rows=ROWS))
                connection.execute(compile_sql(sql, dialect, layer="state_x").sql.replace("%%", "%"))
            connection.execute("analyze")
        found["postgres"].execute("set enable_seqscan = off")
        yield found
        for connection in found.values():
            connection.close()


def plan(connections: Connections, dialect: Dialect, name: str, params: dict[str, Any]) -> str:
    compiled = statement(name, dialect, layer="state_x")
    if dialect == "sqlite":
        given = {key: json.dumps(value) if isinstance(value, list) else value for key, value in params.items()}
        rows = connections[dialect].execute(f"explain query plan {compiled.sql}", given).fetchall()
        return "\n".join(row[3] for row in rows)
    rows = connections[dialect].execute(f"explain {compiled.sql}", params).fetchall()
    return "\n".join(row[0] for row in rows)


CLAIM = {"worker_id": 1, "queue": "q1", "count": 10, "lease": 5}
SETTLED = '[{"id":5,"lease":1,"state":"completed","delay_ms":0,"given_back":0,"error_class":null,"error":null}]'


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "params", "sqlite_uses", "postgres_uses"), [
    ("claimable", {"queues": ["q1"]}, "penstock_jobs_available", "jobs_available"),
    ("claim", CLAIM, "penstock_jobs_available", "jobs_available"),
    ("claims_held", {"worker_id": 1}, "penstock_jobs_executing", "jobs_executing"),
    ("settle", {"settled": SETTLED}, "INTEGER PRIMARY KEY", "jobs_pkey"),
    ("stage", {"count": 10}, "penstock_jobs_due", "jobs_due"),
    ("next_due", {}, "penstock_jobs_due", "jobs_due"),
    ("rescue", {}, "penstock_jobs_executing", "jobs_executing"),
    ("worker_renew", {"worker_id": 1, "lease_ms": 5}, "INTEGER PRIMARY KEY", "workers_pkey"),
    ("requests_waiting", {"syncs": ["s"], "count": 10}, "penstock_sync_runs_live", "sync_runs_live"),
    ("run_pending", {"sync": "s", "subject": "p1"}, "penstock_sync_runs_live", "sync_runs_live"),
    ("runs_heads", {}, "penstock_sync_runs_pending", "sync_runs_pending"),
    ("runs_running", {}, "penstock_sync_runs_running", "sync_runs_running"),
    ("state_lookup", {"scope": "g1", "keys": ["k1", "k11"]}, "sqlite_autoindex_penstock_state_x",
     "state_x_scope_key_key"),
])
def test_a_hot_statement_uses_its_index(
        connections: Connections, dialect: Dialect, name: str, params: dict[str, Any], sqlite_uses: str,
        postgres_uses: str):
    wanted = {key: params[key] for key in statement(name, dialect, layer="state_x").names if key in params}
    found = plan(connections, dialect, name, wanted)
    assert (sqlite_uses if dialect == "sqlite" else postgres_uses) in found, found
    if dialect == "sqlite":  # SCAN without an index reads the table
        scans = [line for line in found.splitlines() if line.startswith("SCAN penstock_") and "INDEX" not in line]
        assert not scans, found
    else:
        assert "Seq Scan on jobs" not in found
