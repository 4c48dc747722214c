"""What is said of a PostgreSQL server, from what it says of itself."""

import pytest

from penstock.domain.finding import Level
from penstock.store.postgres.health import durability, indexes, transactions, vacuum, writable

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
