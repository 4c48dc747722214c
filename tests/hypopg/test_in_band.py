"""Plans of what was run anyway, as auto_explain sends them: `auto_explain` comes with the server that has HypoPG."""

import psycopg
import pytest

from penstock.advise.asking.keeping import PlansKept
from penstock.advise.asking.postgres.in_band import in_band, into
from penstock.domain.advice import Plan
from penstock.domain.fingerprint import fingerprint
from penstock.domain.plans import walk
from penstock.events.telling import Events
from penstock.store import migrate
from penstock.store.open import open_store
from tests.advise.databases import BATCH, BIG


def test_the_plan_of_a_slow_statement_is_taken_without_running_it_twice(trap_url: str):
    taken: list[tuple[str, Plan]] = []
    with psycopg.connect(trap_url, autocommit=True) as connection:
        with in_band(connection, lambda text, found: taken.append((text, found)), slower_than_ms=0, analyse=True):
            connection.execute(BATCH, (BIG, 0))
        connection.execute(BATCH, (BIG, 0))
        assert connection.execute("show client_min_messages").fetchone() == ("notice",)
    found = [(text, plan) for text, plan in taken if "records" in text]
    assert [fingerprint(text) for text, _ in found] == [fingerprint(BATCH)]
    (plan,) = (plan for _, plan in found)
    assert {node.index for node in walk(plan.root)} == {None, "records_pkey"}
    assert plan.root.actual_rows == 100
    assert plan.root.took_us
    assert "pending" not in plan.text


def test_they_are_kept_by_fingerprint_and_a_trap_is_marked(trap_url: str, tmp_path: object):
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    migrate.migrate(store, [])
    kept = PlansKept(store, Events())
    with (psycopg.connect(trap_url, autocommit=True) as connection,
          in_band(connection, into(kept, "postgresql://db/app"), slower_than_ms=0, analyse=True)):
        connection.execute(BATCH, (BIG, 0))
    (remembered,) = kept.of(fingerprint(BATCH), "postgresql://db/app")
    assert remembered.flags == ("slowest", "trap")
    store.close()


def test_a_role_that_may_not_set_it_is_told(trap_url: str):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create role reader; set role reader")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), in_band(connection, lambda text, found: None):
                pass
        finally:
            connection.execute("reset role; drop role reader")
