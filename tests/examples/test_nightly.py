"""The example of case study Q: a program that is in no queue, traced, and the commands in its docstring, in order."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.databases import database
from tests.examples.commands import Commands
from tests.stores import on_postgres

PROGRAM = Path(__file__).parents[2] / "examples" / "nightly" / "nightly.py"
RECORDS = 100_000
NAME = "nightly-calculation"

# The big client came late, so its records lie in the upper half of the primary key, each second one pending. Rows lie
# in no order, as after years of updates.
_TABLE = """
create table record (id bigint primary key, client_id integer not null, status text not null, note text not null,
                     amount double precision not null);
insert into record
select id, case when id > {count} / 2 and id % 2 = 0 then 6 else 7 + (id * 7919) % 500 end,
       case when (id > {count} / 2 and id % 2 = 0) or id % 30 = 1 then 'pending' else 'done' end,
       repeat('x', 300), id % 97
from generate_series(1, {count}) as id order by md5(id::text);
create index record_client_status on record (client_id, status);
"""


@pytest.fixture(scope="module")
def application(postgres_server: str) -> Iterator[str]:
    """The application's own database."""
    with database(postgres_server, None) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLE.format(count=RECORDS))
            connection.execute("analyze record")
        yield url


@pytest.fixture(scope="module")
def copy(postgres_server: str, application: str) -> Iterator[str]:
    """A copy of it, to try things on."""
    with database(postgres_server, urlsplit(application).path[1:]) as url:
        yield url


@on_postgres
def test_the_steps_of_the_case_study(store_url: str, application: str, copy: str, tmp_path: Path) -> None:
    shutil.copy(PROGRAM, tmp_path)
    environment = {"PENSTOCK_APP": "nightly:app", "PENSTOCK_URL": store_url, "APP_DATABASE": application}
    run = Commands(tmp_path, environment)
    run("migrate")
    expected = sum(id % 97 for id in range(RECORDS // 2 + 2, RECORDS + 1, 2))
    done = subprocess.run([sys.executable, "nightly.py"], cwd=tmp_path, env={**_plain(), **environment}, text=True,
                          capture_output=True, timeout=60, check=True)
    assert float(done.stdout) == expected

    (trace,) = json.loads("\n".join(run("traces", "--by", "total", "--json")))["traces"]
    assert (trace["name"], trace["traces"]) == (NAME, 1)
    told = "\n".join(run("why", NAME))
    assert "nightly.py" in told
    assert len(told.splitlines()) <= 10

    indexes = _indexes(application)
    likely = _advice(run("advise", NAME, "--json"))
    assert "record_pkey gives the rows of record in the order asked for" in likely["trap"]
    first = next(each for each in likely["verdicts"] if each.get("candidate"))
    assert [key["column"] for key in first["candidate"]["keys"]] == ["client_id", "status", "id"]
    # A store in SQLite is no place for a scratch schema, and nobody else is asked for one.
    tried = {"postgresql": ("ship", "likely"), "sqlite": ("inconclusive", None)}
    assert (first["decision"], first.get("confidence")) == tried[store_url.partition(":")[0]]

    confirmed = _advice(run("advise", NAME, "--on", copy, "--json"))["verdicts"][0]
    assert (confirmed["decision"], confirmed["confidence"]) == ("ship", "confirmed")
    assert confirmed["candidate"]["keys"] == first["candidate"]["keys"]
    assert confirmed["measured_after"]["blocks"] < confirmed["measured_before"]["blocks"]
    assert _indexes(copy) == indexes == _indexes(application), "what was tried is dropped again"

    migration = run("advise", NAME, "--migration", "alembic")
    assert "    with op.get_context().autocommit_block():" in migration
    assert any("CREATE INDEX CONCURRENTLY" in line and "(client_id, status, id)" in line for line in migration)
    assert any("ship" in line and "confirmed" in line for line in run("advise", NAME, "--on", copy))


def _advice(printed: list[str]) -> Any:
    (advice,) = json.loads("\n".join(printed))["advice"]
    return advice


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}


def _indexes(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(
            "select indexdef from pg_indexes where tablename = 'record' order by 1")]
