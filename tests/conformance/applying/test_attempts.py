"""What ends a run early, and what that costs the run: a rate limit nothing, an outage one of five attempts in a row."""

from typing import Any

import pytest

from penstock.domain.errors import Throttled, Unavailable
from penstock.sync.state.runs import RunRow, latest_runs
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def again(engine: Engine, seconds: float) -> tuple[str, int]:
    """The status and attempt of the run of g1, so much later."""
    engine.clock.advance(seconds)
    engine.settle_all()
    return shown(engine)


def shown(engine: Engine) -> tuple[str, int]:
    [(status, attempt)] = engine.clock.fetch("select status, attempt from penstock.sync_runs")
    return status, attempt


@pytest.mark.parametrize("said", [30.0, None])
def test_a_rate_limit_costs_a_run_no_attempt_however_often_it_is_met(
        engine: Engine, directory: Directory, said: float | None) -> None:
    for number in range(12):
        directory.people.before = Throttled(said)
        if number == 0:
            engine.sync("people", "g1")
            assert shown(engine) == ("pending", 0)
        else:
            assert again(engine, said or 300) == ("pending", 0)
    assert again(engine, said or 300) == ("succeeded", 1)
    assert len(directory.people.records) == 7


def test_a_rate_limit_is_waited_for_as_it_says_and_never_without_a_pause(
        engine: Engine, directory: Directory) -> None:
    directory.people.before = Throttled(30.0)
    engine.sync("people", "g1")
    assert again(engine, 29.9) == ("pending", 0)
    directory.people.before = Throttled(0.0)
    assert again(engine, 0.1) == ("pending", 0)
    assert again(engine, 0.9) == ("pending", 0)
    assert again(engine, 0.1) == ("succeeded", 1)


def test_one_that_does_not_say_for_how_long_is_asked_less_and_less_often(
        engine: Engine, directory: Directory) -> None:
    directory.people.before = Throttled()
    engine.sync("people", "g1")
    waits = []
    for _ in range(12):
        [(due,)] = engine.clock.fetch("select run_at from penstock.sync_runs")
        waits.append((due - engine.clock.now_ms) / 1000)
        directory.people.before = Throttled()
        assert again(engine, waits[-1]) == ("pending", 0)
    assert waits[:4] == [8, 8, 8, 12]
    assert waits[-1] == 300


def test_an_outage_is_waited_for_ever_longer_and_then_the_run_fails_and_says_so(
        engine: Engine, directory: Directory) -> None:
    def down(*given: Any) -> Any:
        raise Unavailable("connection refused", sent=False)

    directory.people.create = down  # type: ignore[method-assign]
    [run] = engine.sync("people", "g1")
    waits = []
    while run.status == "pending":
        [(due,)] = engine.clock.fetch("select run_at from penstock.sync_runs")
        waits.append((due - engine.clock.now_ms) / 1000)
        again(engine, waits[-1])
        run = last(engine)
    assert [round(wait) for wait in waits] == [pytest.approx(each, rel=0.25) for each in (10, 30, 90, 270)]
    assert (run.status, run.error_class) == ("failed", "Unavailable")
    assert run.error == "given up after 5 attempts that came no further: connection refused"


def test_an_attempt_that_came_further_is_the_first_again(engine: Engine, directory: Directory) -> None:
    """Three of seven records a call: with an outage at every second call, each attempt sends some."""
    create, calls = directory.people.create, []

    def breaks(changes: Any, run: Any) -> Any:
        calls.append(changes)
        if len(calls) % 2 == 0:
            raise Unavailable("down", sent=False)
        return create(changes, run)

    directory.people.create = breaks  # type: ignore[method-assign]
    directory.groups["g1"] = {f"p{number:02}": "x" for number in range(24)}
    [run] = engine.sync("people", "g1")
    while run.status == "pending":
        assert run.attempt == 1
        again(engine, 20)
        run = last(engine)
    assert (run.status, run.created) == ("succeeded", 24)
    assert len(calls) == 15


def last(engine: Engine) -> RunRow:
    return latest_runs(engine.app.store, "people", ["g1"])[0][0]
