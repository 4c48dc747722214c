"""A window serves the run that was admitted, then those that fit, each settled alone."""

from typing import Any

import pytest

from penstock import Window
from penstock.domain.errors import Throttled, Unavailable
from penstock.domain.jobs import JobState
from penstock.queue.claim import settle
from tests.conformance.windows.conftest import LEASE_SECONDS, Hall, Windowed

SMALL = ["p", "q"]
"""People whom one call creates: a run of 15 seconds."""


def test_it_goes_on_while_the_headroom_remains_over_one_connection(engine: Windowed, hall: Hall) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(8)}
    engine.request(*hall.groups)
    engine.window()
    assert [status for status, *_ in engine.runs.values()].count("succeeded") == 6, "begun at 0, 15, … and 75 seconds"
    assert hall.connections == ["acme"]
    [window] = engine.windows
    assert (window.account, window.total_ms, window.headroom_ms) == ("acme", 100_000, 20_000)
    assert (window.served, window.failed, window.put_back, window.skipped) == (6, 0, 0, 2)
    assert (window.used_ms, window.unused_ms, window.ended_by) == (90_000, 10_000, "out of time")
    assert window.ended_at is not None
    assert window.ended_at - window.began_at == 90_000


def test_its_row_says_which_runs_it_served_and_when(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL}
    hall.broken["g2"] = OSError("the source broke off")
    engine.request("g1", "g2")
    engine.window()
    [window] = engine.windows
    assert [(each.subject, each.began_ms, each.took_ms, each.status) for each in window.served_runs] == [
        ("g1", 0, 15_000, "succeeded"), ("g2", 15_000, 5_000, "pending")]
    assert window.fetch_ms == 0
    assert engine.app.windows("doors", account="acme") == [window]
    assert engine.app.windows("doors", account="globex") == []


def test_the_rest_goes_on_in_the_next(engine: Windowed, hall: Hall) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(8)}
    engine.request(*hall.groups)
    engine.settle_all()
    assert {status for status, *_ in engine.runs.values()} == {"succeeded"}
    assert [(window.served, window.ended_by) for window in engine.windows] == [(6, "out of time"), (2, "nothing more")]
    assert hall.doors.named("create") == [f"g{number}-{person}" for number in range(8) for person in SMALL]


@pytest.mark.parametrize("options", [{}])
def test_without_a_window_it_serves_one_run(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL}
    engine.request("g1", "g2")
    engine.settle_all()
    assert [(window.served, window.ended_by, window.unused_ms) for window in engine.windows] == [
        (1, "one run", None), (1, "one run", None)]
    assert hall.connections == ["acme", "acme"]


def test_the_most_urgent_goes_first_and_a_point_of_priority_is_worth_a_minute(engine: Windowed, hall: Hall) -> None:
    hall.groups = dict.fromkeys(("first", "old", "urgent", "new"), SMALL)
    engine.request("first", priority=9)
    engine.dispatch()
    engine.request("old")
    hall.pass_time(90)
    engine.request("new", priority=1)
    engine.request("urgent", priority=2)
    engine.dispatch()
    engine.serve()
    assert hall.doors.named("create")[::2] == ["first-p", "urgent-p", "old-p", "new-p"]


def test_what_fails_is_tried_again_alone(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL, "g3": SMALL}
    engine.request(*hall.groups)
    hall.broken["g1"] = ValueError("a bad page")
    engine.window()
    assert engine.runs == {"g1": ("pending", 1, "ValueError"), "g2": ("succeeded", 1, None),
                           "g3": ("succeeded", 1, None)}
    assert hall.connections == ["acme", "acme"], "who knows what the failure left behind"
    [window] = engine.windows
    assert (window.served, window.failed, window.ended_by) == (3, 1, "nothing more")
    engine.settle_all()
    assert engine.runs["g1"] == ("succeeded", 2, None)


def test_it_may_be_so_in_the_same_window_once_a_dispatcher_finds_it_due(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL, "g3": SMALL}
    engine.request(*hall.groups)
    hall.broken["g1"] = ValueError("a bad page")
    create = hall.doors.create

    def dispatched(changes: Any, run: Any) -> Any:
        engine.dispatch()
        return create(changes, run)

    hall.doors.create = dispatched  # type: ignore[method-assign]
    engine.window()
    assert hall.doors.named("create")[::2] == ["g2-p", "g1-p", "g3-p"], "it was asked for before g3"
    assert {status for status, *_ in engine.runs.values()} == {"succeeded"}
    assert engine.windows[0].served == 4


def test_a_wait_for_what_is_in_doubt_holds_up_nobody_else(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL, "g3": SMALL}
    engine.request(*hall.groups)
    hall.page_seconds, hall.doors.seconds = 1.0, 2.0
    hall.doors.before = ValueError("a bad answer")
    engine.window()
    hall.pass_time(3)
    engine.request("g2", "g3")
    engine.window()
    assert engine.runs["g1"] == ("pending", 1, "StillInDoubt")
    assert engine.windows[-1].served == 3
    hall.pass_time(30)
    engine.settle_all()
    assert {status for status, *_ in engine.runs.values()} == {"succeeded"}
    assert len(hall.doors.records) == 6


@pytest.mark.parametrize("error", [Throttled(30.0), Unavailable("down")])
def test_a_fault_of_the_connection_ends_it(engine: Windowed, hall: Hall, error: Exception) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL}
    engine.request("g1", "g2")
    hall.doors.before = error
    engine.window()
    assert [status for status, *_ in engine.runs.values()] == ["pending", "pending"]
    assert engine.runs["g2"] == ("pending", 0, None)
    assert [(window.served, window.failed, window.ended_by) for window in engine.windows] == [(1, 1, "connection")]


def test_a_stop_ends_it_and_costs_no_attempt(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [*"abcd"], "g2": SMALL}
    engine.request("g1", "g2")
    create = hall.doors.create

    def stopped(changes: Any, run: Any) -> Any:
        engine.stopping.set()
        return create(changes, run)

    hall.doors.create = stopped  # type: ignore[method-assign]
    engine.window()
    assert engine.runs == {"g1": ("pending", 0, None), "g2": ("pending", 0, None)}
    assert [(window.put_back, window.ended_by) for window in engine.windows] == [(1, "stopping")]


def test_a_later_lease_goes_on_with_the_run_that_its_worker_died_in(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL, "g3": SMALL}
    engine.request(*hall.groups)
    engine.dispatch()
    [lost] = engine.claim()
    create = hall.doors.create

    def dies_in_the_second(changes: Any, run: Any) -> Any:
        if run.subject.key == "g2":
            hall.doors.lost = SystemExit("killed")
        return create(changes, run)

    hall.doors.create = dies_in_the_second  # type: ignore[method-assign]
    engine.execute(lost)
    assert [engine.runs[key][0] for key in ("g1", "g2", "g3")] == ["succeeded", "running", "pending"]
    hall.doors.create = create  # type: ignore[method-assign]
    engine.clock.advance(LEASE_SECONDS + 1)
    engine.app.upkeep().step()
    engine.register()
    engine.settle_all()
    assert {status for status, *_ in engine.runs.values()} == {"succeeded"}
    assert [window.ended_by for window in engine.windows] == ["lost", "nothing more"]
    assert len(hall.doors.records) == 6


def test_one_that_lost_its_lease_takes_nothing(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL}
    engine.request("g1", "g2")
    engine.dispatch()
    [slow] = engine.claim()
    create = hall.doors.create

    def takes_too_long(changes: Any, run: Any) -> Any:
        hall.doors.create = create  # type: ignore[method-assign]
        outcomes = create(changes, run)
        engine.clock.advance(LEASE_SECONDS + 1)
        engine.app.upkeep().step()
        engine.register()
        return outcomes

    hall.doors.create = takes_too_long  # type: ignore[method-assign]
    outcome = engine.execute(slow)
    assert outcome.state != JobState.COMPLETED or settle(engine.app.store, [outcome]) == {slow.id}
    assert engine.runs["g2"] == ("pending", 0, None)
    engine.settle_all()
    assert {status for status, *_ in engine.runs.values()} == {"succeeded"}


@pytest.mark.parametrize("options", [{"window": Window(total=100, headroom=20), "max_concurrent": 2}])
def test_another_account_has_its_place_beside_it(engine: Windowed, hall: Hall) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(4)}
    engine.request("g0", "g1")
    engine.request("g2", "g3", account="other")
    engine.dispatch()
    jobs = engine.claim(count=2)
    assert len(jobs) == 2
    for job in jobs:
        engine.end(job)
    assert sorted((window.account, window.served, window.ended_by) for window in engine.windows) == [
        ("acme", 2, "nothing more"), ("other", 2, "nothing more")]


def test_it_yields_to_an_account_whose_head_is_more_urgent(engine: Windowed, hall: Hall) -> None:
    hall.groups = dict.fromkeys(("a1", "a2", "a3", "b1"), SMALL)
    engine.request("a1", "a2")
    engine.dispatch()
    engine.request("b1", account="other", priority=1)
    engine.request("a3", priority=2)
    engine.dispatch()
    engine.serve()
    assert [(window.account, window.served, window.ended_by) for window in engine.windows] == [
        ("acme", 2, "yielded")], "a1 was under way, and a3 is more urgent than b1, but a2 is not"
    engine.settle_all()
    assert [window.account for window in engine.windows] == ["acme", "other", "acme"]


@pytest.mark.parametrize(("table", "columns", "values"), [
    ("gates", "key, state", "'sync:doors:acme', 'closed'"),
    ("gates", "key, state", "'sync:doors:acme', 'probing'"),
])
def test_a_gate_that_is_not_open_ends_it(engine: Windowed, hall: Hall, table: str, columns: str, values: str) -> None:
    hall.groups = {"g1": SMALL, "g2": SMALL}
    engine.request("g1", "g2")
    engine.dispatch()
    [job] = engine.claim()
    closed = f"insert into penstock.{table} ({columns}) values ({values})"
    hall.doors.wake = lambda: _insert(engine, closed) if not hall.doors.began else 0.0  # within the one call of g1
    engine.end(job)
    assert [(window.served, window.ended_by) for window in engine.windows] == [(1, "gate")]


def _insert(engine: Windowed, sql: str) -> None:
    from penstock.store.statements import compile_sql

    text = compile_sql(sql, engine.app.store.dialect).sql
    engine.app.store.write(lambda tx: tx.script(text))


def test_at_most_per_account_are_under_way_also_where_a_window_takes_them(engine: Windowed, hall: Hall) -> None:
    """Between the end of one run and the next nobody else finds the place empty."""
    hall.groups = {f"g{number}": SMALL for number in range(4)}
    engine.request(*hall.groups)
    counts: list[int] = []

    def meanwhile(changes: Any, run: Any) -> Any:
        engine.app.dispatcher().step()
        counts.append(engine.clock.fetch("select count(*) from penstock.sync_runs where status = 'running'")[0][0])
        return type(hall.doors).create(hall.doors, changes, run)

    hall.doors.create = meanwhile  # type: ignore[method-assign]
    engine.window()
    assert counts == [1, 1, 1, 1]
    assert engine.claim() == []
