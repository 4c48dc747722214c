"""Finished runs are counted once, and kept until they are past their time; the newest ones stay."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.schedule.history import History
from penstock.store.statements import catalogue
from penstock.sync.state.statistics import Statistics
from tests.conformance.sync_app import Directory
from tests.engine import Engine

DAY_MS = 86_400_000


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine.app.store, timedelta(days=30))


def finish(engine: Engine, subject: str, status: str = "succeeded", *, account: str = "acme", took_ms: int = 1000,
           sync: str = "people", error: str | None = None, ago_ms: int = 0, options: str = "", **counts: int) -> None:
    """A run that has finished, as a row."""
    at = engine.clock.now_ms - ago_ms
    shown = ", ".join(f"{name} = {number}" for name, number in counts.items())
    sql = (f"insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at, run_at,"
           f" started_at, finished_at, options, error_class, error)"
           f" values ('{sync}', '{subject}', '{account}', '{status}', 0, '[]',"
           f" {at - took_ms}, {at}, {at - took_ms}, {at}, '{options}', "
           + (f"'{error}', 'it broke')" if error else "null, null)") + " returning id")
    ((id,),) = engine.clock.fetch(sql)
    if shown:
        engine.clock.fetch(f"update penstock.sync_runs set {shown} where id = {id} returning id")


def of(engine: Engine, by: Any = "subject", **asked: Any) -> dict[str, Statistics]:
    return {each.name: each for each in engine.app.run_statistics("people", by=by, **asked)}


def kept(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.clock.fetch("select subject, finished_at from penstock.sync_runs order by id")


def test_a_run_that_was_served_is_counted_by_subject_account_and_sync(engine: Engine, history: History) -> None:
    engine.sync("people", "g1")
    history.count()
    for by, name in (("subject", "g1"), ("account", "acme"), ("sync", "")):
        found = of(engine, by)[name]
        assert (found.runs, found.failures, found.streak, found.created, found.read) == (1, 0, 0, 7, 7), by
        assert found.calls >= 3
        assert found.succeeded_at == found.finished_at == engine.clock.now_ms


def test_upkeep_counts(engine: Engine) -> None:
    engine.sync("people", "g1")
    engine.app.upkeep().step()
    assert of(engine)["g1"].runs == 1


def test_each_run_is_counted_once_however_many_count(engine: Engine) -> None:
    for number in range(60):
        finish(engine, f"s{number % 7}")
    engine.app.store.look("now")
    others = [History(engine.app.store, timedelta(days=30)) for _ in range(4)]
    threads = [threading.Thread(target=lambda other=other: [other.count() for _ in range(5)]) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = others[0]
    while history.count():
        pass
    assert of(engine, "sync")[""].runs == 60
    assert sum(each.runs for each in of(engine).values()) == 60


def test_quantiles_are_of_runs_that_succeeded(engine: Engine, history: History) -> None:
    for took_ms in range(1000, 101_000, 1000):
        finish(engine, "g1", took_ms=took_ms)
    finish(engine, "g1", "failed", took_ms=900_000)
    history.count()
    found = of(engine)["g1"]
    assert found.p50_ms == pytest.approx(50_000, rel=0.0501)
    assert found.p95_ms == pytest.approx(95_000, rel=0.0501)


def test_failures_in_a_row_end_with_a_success(engine: Engine, history: History) -> None:
    for subject in ("g1", "g1", "g2"):
        finish(engine, subject, "failed", error="OSError")
    finish(engine, "g3")
    history.count()
    assert {name: (each.streak, each.failing) for name, each in of(engine).items()} == {
        "g1": (2, 1), "g2": (1, 1), "g3": (0, 0)}
    assert of(engine, "account")["acme"].failing == 2
    assert of(engine)["g1"].error_class == "OSError"
    finish(engine, "g1")
    finish(engine, "g2", "cancelled")
    history.count()
    assert {name: (each.streak, each.failing, each.failing_at is None) for name, each in of(engine).items()} == {
        "g1": (0, 0, True), "g2": (1, 1, False), "g3": (0, 0, True)}
    assert of(engine, "account")["acme"].failing == of(engine, "sync")[""].failing == 1


def test_a_subject_that_moves_to_another_account_takes_its_failure_along(engine: Engine, history: History) -> None:
    finish(engine, "g1", "failed", error="OSError")
    history.count()
    finish(engine, "g1", "failed", account="globex", error="OSError")
    history.count()
    assert {name: each.failing for name, each in of(engine, "account").items()} == {"acme": 0, "globex": 1}
    assert of(engine, "sync")[""].failing == 1
    assert list(of(engine, account="globex")) == ["g1"]
    assert of(engine, account="acme") == {}


def test_a_run_without_an_account_counts_in_that_of_its_subject(engine: Engine, history: History) -> None:
    finish(engine, "g1")
    finish(engine, "nobody", "failed", account="", error="UnknownSubject")
    history.count()
    finish(engine, "g1", "failed", account="", error="UnknownSubject")
    history.count()
    assert {name: (each.runs, each.failing) for name, each in of(engine, "account").items()} == {"acme": (2, 1)}
    assert of(engine, "sync")[""].failing == 2


def test_what_is_past_its_time_goes_and_the_newest_run_of_a_subject_stays(engine: Engine, history: History) -> None:
    for days in (90, 60, 20):
        finish(engine, "g1", ago_ms=days * DAY_MS)
    for days in (90, 60):
        finish(engine, "g2", ago_ms=days * DAY_MS)
    now = engine.clock.now_ms
    assert history.prune() == 0  # not before they are counted
    history.count()
    assert history.prune() == 3
    assert kept(engine) == [("g1", now - 20 * DAY_MS), ("g2", now - 60 * DAY_MS)]
    assert of(engine)["g1"].runs == 3
    assert history.prune() == 0
    finish(engine, "g2")
    history.count()
    assert history.prune() == 1
    assert kept(engine) == [("g1", now - 20 * DAY_MS), ("g2", now)]


def test_upkeep_keeps_runs_for_as_long_as_the_settings_say(engine: Engine, store_url: str, clock: Any) -> None:
    finish(engine, "g1", ago_ms=3 * DAY_MS)
    finish(engine, "g1", ago_ms=1 * DAY_MS)
    with Penstock(store_url, now=clock.expression, runs_kept_days=2) as app:
        app.upkeep().step()
    assert kept(engine) == [("g1", engine.clock.now_ms - DAY_MS)]


def test_a_subject_that_failed_long_ago_and_was_not_asked_for_since_is_not_failing(
    engine: Engine, history: History
) -> None:
    finish(engine, "gone", "failed", error="OSError", ago_ms=31 * DAY_MS)
    finish(engine, "g1", "failed", error="OSError")
    history.count()
    assert of(engine, "account")["acme"].failing == 2
    assert history.forgive() == 1
    assert {name: each.failing for name, each in of(engine).items()} == {"gone": 0, "g1": 1}
    assert of(engine, "account")["acme"].failing == of(engine, "sync")[""].failing == 1
    assert history.forgive() == 0


def test_statistics_come_the_slowest_first_page_by_page(engine: Engine, history: History) -> None:
    for number in range(10):
        finish(engine, f"s{number}", took_ms=1000 * (number % 5 + 1), account="even" if number % 2 == 0 else "odd")
    history.count()
    found: list[Statistics] = []
    while page := engine.app.run_statistics("people", limit=3, below=(found[-1].p95_ms, found[-1].name) if found
                                            else (1 << 62, "")):
        assert len(page) <= 3
        found += page
    assert [each.name for each in found] == ["s9", "s4", "s8", "s3", "s7", "s2", "s6", "s1", "s5", "s0"]
    assert list(of(engine, account="odd")) == ["s9", "s3", "s7", "s1", "s5"]
    assert list(of(engine, subject="s3")) == ["s3"]


def test_statistics_follow_a_sync_that_is_renamed(engine: Engine, history: History, store_url: str, clock: Any) -> None:
    finish(engine, "g1")
    history.count()
    engine.clock.fetch("update penstock.sync_runs set sync = 'former' returning id")
    engine.clock.fetch("update penstock.run_statistics set sync = 'former' where kind <> 'sync' returning sync")
    from penstock.store.carry import renamed_sync
    engine.app.store.write(lambda tx: [tx.execute(step.name, step.params) for step in renamed_sync("people", "former")])
    assert of(engine)["g1"].runs == 1
    assert of(engine, "sync")[""].runs == 1
    assert engine.clock.fetch("select distinct sync from penstock.run_statistics") == [("people",)]


def test_runs_are_listed_the_newest_first_page_by_page(engine: Engine, directory: Directory) -> None:
    for number in range(4):
        finish(engine, f"s{number}", "failed" if number % 2 else "succeeded", account=f"a{number % 2}",
               error="OSError" if number % 2 else None)
    finish(engine, "d1", sync="directory")
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    app = engine.app
    assert [run.subject for run in app.runs()] == ["g1", "d1", "s3", "s2", "s1", "s0"]
    assert [run.subject for run in app.runs("people")] == ["g1", "s3", "s2", "s1", "s0"]
    first = app.runs("people", limit=4)
    assert [run.subject for run in app.runs("people", before=first[-1].id)] == ["s0"]
    assert [run.subject for run in app.runs(status="failed")] == ["s3", "s1"]
    assert [run.subject for run in app.runs("people", account="a0")] == ["s2", "s0"]
    assert [run.subject for run in app.runs("people", account="a0", status="failed")] == []
    assert [run.status for run in app.runs("people", "s3")] == ["failed"]
    assert app.runs("people", "s3", status="succeeded") == []


@pytest.mark.parametrize(("asked", "fault"), [
    ({"sync": "peeple"}, "did you mean 'people'"),
    ({"status": "succeded"}, "did you mean 'succeeded'"),
    ({"subject": "g1"}, "expected the sync's name"),
    ({"sync": "people", "subject": "g1", "account": "acme"}, "got both"),
])
def test_what_cannot_be_listed_is_said(engine: Engine, asked: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        engine.app.runs(**asked)


ANSWERED: list[tuple[str, dict[str, Any], str]] = [
    ("runs_uncounted", {"after": 0, "count": 500}, "sync_runs_uncounted"),
    ("runs_prune", {"after": 0, "kept_ms": 1000, "count": 1000}, "sync_runs_superseded"),
    ("runs_page", {"sync": "'people'", "status": "'failed'", "before": 1 << 60, "count": 20}, "sync_runs_listed"),
    ("runs_page_account", {"sync": "'people'", "account": "'acme'", "status": "'failed'", "before": 1 << 60,
                           "count": 20}, "sync_runs_account"),
    ("runs_page_subject", {"sync": "'people'", "subject": "'s1'", "status": "null", "before": 1 << 60, "count": 20},
     "sync_runs_history"),
    ("statistics_slowest", {"sync": "'people'", "kind": "'subject'", "p95_ms": 1 << 60, "name": "''", "count": 20},
     "run_statistics_slowest"),
    ("statistics_account", {"sync": "'people'", "account": "'a1'", "kind": "'subject'", "p95_ms": 1 << 60,
                            "name": "''", "count": 20}, "run_statistics_account"),
    ("statistics_streak", {"sync": "'people'", "kind": "'subject'", "streak": 1 << 60, "name": "''", "count": 20},
     "run_statistics_streak"),
    ("windows_of_account", {"sync": "'people'", "account": "'acme'", "before": 1 << 60, "count": 20},
     "sync_windows_account"),
    ("windows_listed", {"sync": "'people'", "before": 1 << 60, "count": 20}, "sync_windows_sync"),
    ("approvals_page", {"sync": "'people'", "after": 0, "count": 20}, "approvals_listed"),
    ("statistics_failed_before", {"kept_ms": 1000, "count": 1000}, "run_statistics_failed"),
]


def test_what_is_asked_of_history_is_answered_by_an_index_in_its_order(engine: Engine) -> None:
    for number in range(300):
        finish(engine, f"s{number % 100}", "failed" if number % 10 == 0 else "succeeded", account=f"a{number % 7}",
               took_ms=number)
    if engine.app.store.dialect == "postgres":
        # As if there were many rows, whatever was found by a server that analysed these meanwhile.
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            engine.clock.fetch(f"select set_config('{setting}', 'off', false)")
    for name, params, index in ANSWERED:
        plan = planned(engine, name, params)
        assert index in plan, name
        assert "Sort" not in plan, name
        assert "TEMP B-TREE" not in plan, name
        if name == "runs_uncounted":
            History(engine.app.store, timedelta(days=30)).count()


def planned(engine: Engine, name: str, params: dict[str, Any]) -> str:
    dialect = engine.app.store.dialect
    text = catalogue()[name, dialect].text
    for key, value in params.items():
        text = re.sub(rf":{key}\b", str(value), text)
    return "\n".join(str(row[-1]) for row in engine.clock.fetch(
        f"{'explain' if dialect == 'postgres' else 'explain query plan'} {text}"))
