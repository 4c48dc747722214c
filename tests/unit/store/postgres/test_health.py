"""What is said of a PostgreSQL server, from what it says of itself."""

import pytest

from penstock.domain.finding import Level
from penstock.store.postgres.health import durability, indexes, pool, pooler, transactions, vacuum, writable

SETTINGS = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on",
            "track_counts": "on", "default_transaction_read_only": "off", "in_recovery": "false"}


@pytest.mark.parametrize(("setting", "value", "level"), [
    ("fsync", "on", Level.OK), ("fsync", "off", Level.FAULT), ("full_page_writes", "off", Level.FAULT),
    ("synchronous_commit", "off", Level.WARNING), ("synchronous_commit", "local", Level.OK),
])
def test_durability(setting: str, value: str, level: Level):
    found = durability({**SETTINGS, setting: value})
    assert found.level is level
    assert f"{setting} = {value}" in found.found


def test_a_standby_is_a_fault():
    assert writable(SETTINGS).level is Level.OK
    assert writable({**SETTINGS, "in_recovery": "true"}).found == "this server is a standby"
    assert writable({**SETTINGS, "default_transaction_read_only": "on"}).level is Level.FAULT


def test_a_few_holders_are_named_and_the_rest_counted():
    found = transactions([(f"session {number}", 90_000) for number in range(7)], 0)
    assert found.found.startswith("open for long: session 0 for 90 s, session 1 for 90 s")
    assert found.found.endswith("session 4 for 90 s, and 2 more")
    assert transactions([("replication slot gone, which nobody uses", None)], 0).level is Level.WARNING


def test_what_cannot_be_seen_is_said():
    found = transactions([], 3)
    assert found.level is Level.OK
    assert "3 sessions of other roles cannot be seen" in found.found
    assert "pg_monitor" in found.remedy


def test_what_leaves_rows_or_indexes_behind_is_named():
    assert vacuum(SETTINGS, []).level is Level.OK
    assert vacuum({**SETTINGS, "autovacuum": "off"}, []).found == "autovacuum = off"
    assert vacuum({**SETTINGS, "track_counts": "off"}, []).found == "track_counts = off"
    assert vacuum(SETTINGS, ["a", "b"]).found == "autovacuum is off for penstock.a, penstock.b"
    assert indexes([]).level is Level.OK
    assert indexes(["public.x"]).found == "not valid: public.x"


def test_slots_that_share_too_few_connections_to_the_store_are_a_warning():
    assert pool(50, 10).level is Level.OK
    found = pool(51, 10)
    assert found.level is Level.WARNING
    assert found.remedy == "raise pool_size to 11, or give the worker fewer slots (--queue NAME=SLOTS)"


@pytest.mark.parametrize(("shared", "found", "remedy"), [
    (None, "none: workers are woken by NOTIFY", ""), (True, "in transaction mode", "a URL that goes to the server"),
    (False, "in session mode, as far as can be seen", "a URL that goes to the server"),
])
def test_a_pooler_is_told_by_whether_it_lends_sessions(shared: bool | None, found: str, remedy: str):
    told = pooler(shared)
    assert told.level is Level.OK
    assert found in told.found
    assert remedy in told.remedy
    assert bool(told.remedy) == (shared is not None)
