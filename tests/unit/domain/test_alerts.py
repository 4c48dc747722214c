"""Alerts change once per change of state, and what comes and goes is not told each time."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.alerts import Alerts, Condition, Firing, Name, changes
from penstock.domain.errors import ConfigurationError

CALM_MS = 60


def step(firing: dict[Name, Firing], found: set[str], now: int) -> tuple[dict[Name, Firing], list[tuple[str, str]]]:
    """The alerts after one look, and what was told."""
    told = changes(firing, [Condition("failing", about, about) for about in sorted(found)], now, CALM_MS)
    after = {name: alert for name, alert in firing.items() if alert not in told.over}
    for condition in told.raised:
        after[condition.name] = Firing(condition.kind, condition.about, now, None, condition.summary, {})
    for name, calm_at in told.calm_at.items():
        alert = after[name]
        after[name] = Firing(alert.kind, alert.about, alert.since_at, calm_at, alert.summary, {})
    return after, [*(("firing", each.about) for each in told.raised), *(("over", each.about) for each in told.over)]


def test_it_is_raised_once_and_over_once() -> None:
    firing: dict[Name, Firing] = {}
    history = []
    for now, found in ((0, {"a"}), (10, {"a"}), (20, set()), (50, set()), (79, set()), (80, set()), (90, set())):
        firing, told = step(firing, found, now)
        history.append(told)
    assert history == [[("firing", "a")], [], [], [], [], [("over", "a")], []]


def test_what_comes_and_goes_stays_one_alert() -> None:
    firing: dict[Name, Firing] = {}
    history = []
    for now in range(0, 1000, 30):
        firing, told = step(firing, {"a"} if now % 60 == 0 else set(), now)
        history += told
    assert history == [("firing", "a")]


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.integers(0, 100))))
def test_what_is_told_of_one_alert_alternates(looks: list[tuple[set[str], int]]) -> None:
    firing: dict[Name, Firing] = {}
    last: dict[str, str] = {}
    now = 0
    for found, later in looks:
        now += later
        firing, told = step(firing, found, now)
        for state, about in told:
            assert last.get(about, "over") != state
            last[about] = state
        assert {name.about for name in firing} == {about for about, state in last.items() if state == "firing"}
        assert found <= {name.about for name in firing}


def test_a_clock_that_is_set_back_does_not_keep_an_alert_for_ever() -> None:
    firing, _ = step({}, {"a"}, 1_000_000)
    firing, _ = step(firing, set(), 1_000_000)
    firing, _ = step(firing, set(), 500)
    firing, told = step(firing, set(), 500 + CALM_MS)
    assert told == [("over", "a")]


@pytest.mark.parametrize(("given_", "fault"), [
    ({"failing_runs": 0}, "failing_runs: expected a whole number from 1 on, got 0"),
    ({"failing_jobs": True}, "failing_jobs: expected a whole number"),
    ({"job_waits": 30}, "job_waits: expected a timedelta"),
    ({"calm": None}, "calm: expected a timedelta"),
    ({"calm": timedelta(seconds=-1)}, "calm: expected a timedelta from 0"),
])
def test_rules_that_cannot_be_are_refused(given_: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        Alerts(**given_)
