"""The time of a window: what fits, what stops at a checkpoint and goes on later, and what never comes further."""

from typing import Any

import pytest

from penstock import Window
from penstock.domain.errors import Unavailable
from tests.conformance.windows.conftest import Hall, Windowed

SMALL = ["p", "q"]
"""People whom one call creates: a run of 15 seconds."""
LARGE = [f"p{number}" for number in range(12)]
"""People whom six calls create: a run of 65 seconds."""


def recorded(engine: Windowed, hall: Hall, *subjects: str) -> None:
    """Let some subjects be synced once, so that it is known how long they take; then change all their people."""
    for subject in subjects:
        engine.sync("doors", subject)
        hall.groups[subject] = [f"{person}'" for person in hall.groups[subject]]


def test_what_is_known_to_take_longer_is_passed_over_for_what_fits(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"first": SMALL, "large": [*LARGE], "small": SMALL}
    recorded(engine, hall, "large")
    hall.groups["first"] = [*"abcdefgh"]  # 45 seconds: 55 are left
    engine.request("first", priority=5)
    engine.request("large", priority=4)
    engine.request("small")
    engine.window()
    assert [engine.runs[key][0] for key in ("first", "large", "small")] == ["succeeded", "pending", "succeeded"]
    window = engine.windows[-1]
    assert (window.served, window.skipped, window.ended_by) == (2, 1, "out of time")


def test_work_that_cannot_finish_goes_on_in_the_next_window_at_no_attempt(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [f"p{number:02}" for number in range(40)]}
    engine.request("g1")
    engine.window()
    assert engine.runs["g1"] == ("pending", 0, "OutOfTime")
    assert len(hall.doors.records) == 18, "nine calls of ten seconds, after a page of five"
    [(id, took_ms)] = engine.clock.fetch("select id, took_ms from penstock.sync_runs")
    assert took_ms == 95_000
    engine.settle_all()
    assert engine.clock.fetch("select id, status, attempt, created, took_ms from penstock.sync_runs") == [
        (id, "succeeded", 1, 40, 2 * 95_000 + 25_000)], "the page is read in each"
    assert [(window.put_back, window.ended_by) for window in engine.windows] == [
        (1, "out of time"), (1, "out of time"), (0, "nothing more")]


def test_no_call_begins_that_is_not_likely_to_end_in_time(engine: Windowed, hall: Hall) -> None:
    hall.doors.seconds = 30.0
    hall.groups = {"g1": [f"p{number:02}" for number in range(20)]}
    engine.request("g1")
    began = hall.at
    engine.window()
    assert [at - began for at in hall.doors.began] == [5.0, 35.0, 65.0]
    engine.dispatch()
    hall.doors.began.clear()
    began = hall.at
    engine.settle_all()
    assert [at - began for at in hall.doors.began[:3]] == [5.0, 35.0, 65.0], "what was learned is kept in the store"
    assert all(window.used_ms is not None and window.used_ms <= 100_000 for window in engine.windows)


def test_the_host_may_give_less_than_the_window_would_take(engine: Windowed, hall: Hall) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(8)}
    engine.request(*hall.groups)
    engine.until = hall.at + 51
    engine.window()
    [window] = engine.windows
    assert (window.served, window.used_ms, window.unused_ms) == (3, 45_000, 6_000)


@pytest.mark.parametrize("options", [{}])
def test_without_a_window_the_host_bounds_a_run_as_well(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [*LARGE]}
    engine.request("g1")
    engine.until = hall.at + 50
    engine.window()
    assert engine.runs["g1"] == ("pending", 0, "OutOfTime")
    assert len(hall.doors.records) == 8


def test_three_windows_without_progress_fail_a_run(engine: Windowed, hall: Hall) -> None:
    hall.page_seconds = 200.0
    hall.groups = {"g1": SMALL}
    engine.request("g1")
    for _ in range(2):
        engine.window()
        assert engine.runs["g1"] == ("pending", 0, "OutOfTime")
    engine.settle_all()
    assert engine.runs["g1"][::2] == ("failed", "NoProgress")
    [(error,)] = engine.clock.fetch("select error from penstock.sync_runs")
    assert error.startswith("3 windows passed in which nothing of it was written")
    assert "give Window(total=…) more" in error


def test_progress_in_between_begins_the_count_anew(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": [f"p{number:02}" for number in range(40)]}
    engine.request("g1")
    for seconds in (200.0, 200.0, 5.0, 200.0, 200.0):
        hall.page_seconds = seconds
        engine.window()
        assert engine.runs["g1"][0] == "pending"
    hall.page_seconds = 5.0
    engine.settle_all()
    assert engine.runs["g1"][0] == "succeeded"


def test_a_window_that_had_hardly_any_time_does_not_count(engine: Windowed, hall: Hall) -> None:
    hall.groups = {"g1": SMALL}
    hall.page_seconds = 15.0
    engine.request("g1")
    for _ in range(4):
        engine.until = hall.at + 10
        engine.window()
        assert engine.runs["g1"] == ("pending", 0, "OutOfTime")
    engine.until = None
    engine.settle_all()
    assert engine.runs["g1"][0] == "succeeded"


def test_a_call_that_the_end_of_the_window_cut_short_costs_no_attempt(engine: Windowed, hall: Hall) -> None:
    """A client gives up when `run.remaining()` is over."""
    hall.groups = {"g1": [f"p{number:02}" for number in range(40)]}
    engine.request("g1")
    create, left = hall.doors.create, []

    def cut_short(changes: Any, run: Any) -> Any:
        left.append(run.remaining())
        assert run.deadline - hall.at == left[-1]
        if left[-1] < 40:
            hall.pass_time(left[-1])
            raise Unavailable("no answer in time")
        return create(changes, run)

    hall.doors.create = cut_short  # type: ignore[method-assign]
    engine.window()
    assert engine.runs["g1"] == ("pending", 0, "OutOfTime")
    assert left == [94.0, 84.0, 74.0, 64.0, 54.0, 44.0, 34.0]


@pytest.mark.parametrize(("seconds", "error", "counted"), [
    (5.0, Unavailable("no answer in time"), []),
    (0.0, Unavailable("connection refused"), [("open", 1)]),
    (5.0, Unavailable("overloaded", retry_after=60.0), [("closed", 1)]),
])
def test_the_gate_is_not_blamed_for_the_end_of_the_window(engine: Windowed, hall: Hall, seconds: float,
                                                          error: Exception, counted: list[Any]) -> None:
    """A client gives up after half of the time that is left; what comes sooner, the destination is to blame for."""
    hall.groups = {"g1": SMALL}
    engine.request("g1")

    def fail(changes: Any, run: Any) -> Any:
        assert run.remaining() == pytest.approx(10.0, abs=1.0)
        hall.pass_time(seconds)
        raise error

    hall.doors.create = fail  # type: ignore[method-assign]
    engine.until = hall.at + 15
    engine.window()
    assert engine.runs["g1"][2] == "OutOfTime"
    assert engine.clock.fetch("select state, failures from penstock.gates where key = 'sync:doors:acme'") == counted


@pytest.mark.parametrize("options", [{"window": Window(total=100, headroom=0)}])
def test_without_headroom_the_prediction_alone_decides(engine: Windowed, hall: Hall) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(8)}
    for key in hall.groups:
        recorded(engine, hall, key)
    engine.request(*hall.groups)
    engine.window()
    assert engine.windows[-1].served == 3, "each deletes two people and creates two: 25 seconds"
    assert engine.windows[-1].ended_by == "out of time"


def test_what_a_run_took_is_how_long_it_was_served(engine: Windowed, hall: Hall) -> None:
    """Not how long it lay between two windows."""
    hall.groups = {"g1": [f"p{number:02}" for number in range(20)]}
    engine.request("g1")
    engine.until = hall.at + 60
    engine.window()
    engine.until = None
    hall.pass_time(5000)
    engine.settle_all()
    while engine.app.upkeep().step() == 0.0:
        pass
    [found] = engine.app.run_statistics("doors")
    [(took_ms,)] = engine.clock.fetch("select took_ms from penstock.sync_runs")
    assert took_ms == 55_000 + 55_000, "a page in each, and ten calls"
    assert found.p95_ms is not None
    assert 100_000 <= found.p95_ms <= 125_000


@pytest.mark.parametrize("jump", [-7200, 500])
def test_a_clock_that_jumps_changes_no_window(engine: Windowed, hall: Hall, jump: int) -> None:
    hall.groups = {f"g{number}": SMALL for number in range(8)}
    engine.request(*hall.groups)
    create = hall.doors.create

    def jumps(changes: Any, run: Any) -> Any:
        hall.doors.create = create  # type: ignore[method-assign]
        engine.clock.advance(jump)
        return create(changes, run)

    hall.doors.create = jumps  # type: ignore[method-assign]
    engine.window()
    [window] = engine.windows
    assert (window.served, window.used_ms, window.ended_by) == (6, 90_000, "out of time")
