"""Rankings: every order that can be asked for, hours added up, shares within a kind."""

import pytest

from penstock.domain.histogram import Histogram
from penstock.domain.traces import PHASES
from penstock.observe.rank import BY, merge, ranked
from tests.unit.observe.seen import SECOND, traced


def counted(*durations: int) -> dict[int, int]:
    histogram = Histogram()
    for took in durations:
        histogram.add(took)
    return histogram.counts


# Each is first in some order, and nowhere does the name alone decide.
LONG = traced("long", traces=2, total_us=90 * SECOND, max_us=50 * SECOND, durations=counted(40 * SECOND, 50 * SECOND))
OFTEN = traced("often", traces=100, failed=1, total_us=10 * SECOND, max_us=SECOND, cpu_us=9 * SECOND,
               durations=counted(*[100_000] * 100), phases={"computed": 9 * SECOND, "waited": 500 * SECOND})
BROKEN = traced("broken", traces=5, failed=5, total_us=20 * SECOND, max_us=4 * SECOND, cpu_us=SECOND,
                durations=counted(*[4 * SECOND] * 5), phases={"called": 19 * SECOND, "limited": SECOND})


@pytest.mark.parametrize(("by", "names"), [
    ("total", ["long", "broken", "often"]), ("p50", ["long", "broken", "often"]),
    ("p95", ["long", "broken", "often"]), ("p99", ["long", "broken", "often"]), ("max", ["long", "broken", "often"]),
    ("count", ["often", "broken", "long"]), ("cpu", ["often", "broken", "long"]),
    ("failed", ["broken", "often", "long"]), ("waited", ["often", "broken", "long"]),
    ("computed", ["often", "broken", "long"]), ("called", ["broken", "long", "often"]),
    ("limited", ["broken", "long", "often"]),
])
def test_each_order(by, names: list[str]) -> None:
    assert [row.name for row in ranked([OFTEN, BROKEN, LONG], by)] == names


def test_every_phase_is_an_order() -> None:
    assert set(PHASES) < set(BY)
    for by in BY:
        assert len(ranked([OFTEN, BROKEN, LONG], by)) == 3


def test_hours_and_processes_are_added_up() -> None:
    hours = [traced("a", since=7200, traces=1, total_us=5, max_us=5, durations={3: 1}, phases={"read": 5}),
             traced("a", since=3600, traces=2, failed=1, total_us=9, max_us=8, cpu_us=1, durations={3: 1, 5: 1},
                    phases={"read": 4, "slept": 5})]
    (whole,) = merge(hours)
    assert (whole.since, whole.traces, whole.failed) == (3600, 3, 1)
    assert (whole.total_us, whole.max_us, whole.cpu_us) == (14, 8, 1)
    assert whole.durations == {3: 2, 5: 1}
    assert dict(zip(PHASES, whole.phases, strict=True))["read"] == 9
    assert hours[0].durations == {3: 1}  # what was read is not changed


def test_a_share_is_of_all_that_is_of_the_same_kind() -> None:
    runs = [traced("directory", kind="run", total_us=30), traced("ads", kind="run", total_us=10)]
    rows = ranked([*runs, traced("penstock.window", kind="task", total_us=50)])
    assert {row.name: row.share for row in rows} == {"penstock.window": 1.0, "directory": 0.75, "ads": 0.25}


def test_no_quantile_is_told_above_the_longest() -> None:
    (row,) = ranked([traced("a", traces=1, total_us=1001, max_us=1001, durations=counted(1001))])
    assert row.p99_us <= row.max_us


def test_nothing_gives_nothing() -> None:
    assert ranked([]) == []
