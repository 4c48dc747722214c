"""Subjects and accounts by how long their runs take: what statistics have counted, ranked."""

from datetime import timedelta

import pytest

from penstock.domain.errors import ConfigurationError
from penstock.schedule.history import History
from tests.conformance.test_history import finish
from tests.engine import Engine


@pytest.fixture(autouse=True)
def counted(engine: Engine) -> None:
    """A slow subject of one account, many quick runs of another, and one that fails."""
    for _ in range(3):
        finish(engine, "slow", took_ms=60_000)
    for number in range(30):
        finish(engine, "often", account="beta", took_ms=3000 + number)
    finish(engine, "broken", took_ms=1000)
    finish(engine, "broken", status="failed", error="OSError")
    History(engine.app.store, timedelta(days=30)).count()


@pytest.mark.parametrize(("by", "names"), [
    ("p95", ["slow", "often", "broken"]), ("p50", ["slow", "often", "broken"]), ("p99", ["slow", "often", "broken"]),
    ("max", ["slow", "often", "broken"]), ("total", ["slow", "often", "broken"]),
    ("count", ["often", "slow", "broken"]), ("failed", ["broken", "often", "slow"]),
])
def test_subjects_in_each_order(engine: Engine, by, names: list[str]) -> None:
    assert [row.name for row in engine.app.slowest_runs(by=by)] == names


def test_what_is_said_of_a_subject(engine: Engine) -> None:
    row = engine.app.slowest_runs("people", limit=1)[0]
    assert (row.sync, row.name, row.account, row.runs, row.failed) == ("people", "slow", "acme", 3, 0)
    assert row.p95_us == pytest.approx(60_000_000, rel=0.06)
    assert row.total_us == pytest.approx(180_000_000, rel=0.06)
    assert row.share == pytest.approx(180 / (180 + 90 + 2), abs=0.05)


def test_accounts_and_what_there_is_not(engine: Engine) -> None:
    assert [row.name for row in engine.app.slowest_runs(of="account", by="count")] == ["beta", "acme"]
    assert engine.app.slowest_runs("directory") == []
    with pytest.raises(ConfigurationError, match="did you mean 'people'"):
        engine.app.slowest_runs("peopel")
    with pytest.raises(ConfigurationError, match="by: expected one of total"):
        engine.app.slowest_runs(by="cpu")  # type: ignore[arg-type]
