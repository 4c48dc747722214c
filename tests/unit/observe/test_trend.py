"""Trend: what has become slower is named, what chance does is not, and too little says so."""

import random

import pytest

from penstock.domain.histogram import Histogram
from penstock.observe.trend import LEAST_BEFORE, LEAST_TODAY, ranks, trend


def drawn(count: int, *, median: float = 8.0, spread: float = 0.5, seed: int = 1, slow: float = 0.0) -> dict[int, int]:
    """Durations, lognormal; a share of them ten times as long."""
    numbers = random.Random(seed)
    histogram = Histogram()
    for _ in range(count):
        histogram.add(numbers.lognormvariate(median, spread) * (10 if numbers.random() < slow else 1))
    return histogram.counts


def test_what_takes_twice_as_long_is_slower() -> None:
    found = trend(drawn(100, median=8.7, seed=2), drawn(700))
    assert (found.verdict, found.is_regression) == ("slower", True)
    assert found.p50_ratio == pytest.approx(2, rel=0.2)
    assert found.longer is not None
    assert found.longer > 0.8
    assert found.says.startswith(f"slower: {found.p50_ratio:.1f} times as long as in the week before (p50 ")


def test_what_takes_half_as_long_is_faster() -> None:
    found = trend(drawn(100, median=7.3, seed=2), drawn(700))
    assert (found.verdict, found.is_regression) == ("faster", False)


def test_a_slow_tail_is_told_from_a_slow_whole() -> None:
    found = trend(drawn(400, seed=2, slow=0.12), drawn(900))
    assert found.verdict == "tail slower"
    assert "the slow ones became slower" in found.says


@pytest.mark.parametrize("seed", range(40))
def test_the_same_distribution_is_steady(seed: int) -> None:
    """Forty questions of which none may be answered wrongly; the test would be wrong in a thousandth of them."""
    assert trend(drawn(150, seed=2 * seed), drawn(900, seed=2 * seed + 1)).verdict == "steady"


def test_a_small_difference_is_not_named_however_certain_it_is() -> None:
    found = trend(drawn(900, median=8.1, seed=2), drawn(900))
    assert found.verdict == "steady"
    assert ranks(drawn(900, median=8.1, seed=2), drawn(900))[1] > 3.3


@pytest.mark.parametrize(("today", "before"), [(LEAST_TODAY - 1, 900), (900, LEAST_BEFORE - 1), (0, 0)])
def test_too_few_say_so(today: int, before: int) -> None:
    found = trend(drawn(today, median=12), drawn(before))
    assert (found.verdict, found.is_regression, found.longer) == ("too few", False, None)
    assert f"{today} in the last day, {before} in the week before" in found.says


def test_ranks_are_those_of_the_textbook() -> None:
    """By hand: of 3 × 3 pairs 8 are in favour and one is tied; ties of two change the variance from 5.25 to 5.1."""
    longer, deviations = ranks({3: 1, 4: 1, 5: 1}, {1: 1, 2: 1, 3: 1})
    assert longer == pytest.approx(8.5 / 9)
    assert deviations == pytest.approx((8.5 - 4.5) / (9 / 12 * (7 - 6 / 30)) ** 0.5)


def test_where_all_are_tied_nothing_is_told() -> None:
    assert ranks({7: 50}, {7: 80}) == (0.5, 0.0)
