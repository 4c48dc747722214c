"""Quantiles of durations stay within the error that the docstring gives, and what is old weighs less."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.histogram import RELATIVE_ERROR, Histogram


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(st.floats(1, 1e11), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_off_by_at_most_five_percent(values: list[float], share: float) -> None:
    found = filled(values).quantile(share)
    exact = sorted(values)[max(math.ceil(share * len(values)), 1) - 1]
    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR * exact * (1 + 1e-9)


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.95) is None


@pytest.mark.parametrize("value", [0, -5, 0.2])
def test_what_took_no_time_is_counted(value: float) -> None:
    histogram = filled([value])
    assert histogram.total == 1
    assert histogram.quantile(0.5) == pytest.approx(1, rel=1.001 * RELATIVE_ERROR)


def test_it_comes_back_from_its_text() -> None:
    histogram = filled([1, 250, 61_000, 61_000])
    assert Histogram.read(histogram.text).counts == histogram.counts
    assert Histogram.read(None).counts == {}


def test_it_stays_small_and_follows_what_is_happening_now() -> None:
    numbers = random.Random(7)
    histogram = filled([numbers.lognormvariate(8, 2) for _ in range(20_000)])
    assert histogram.total < 1024
    assert len(histogram.text) < 1500
    for _ in range(4096):
        histogram.add(100)
    assert histogram.quantile(0.95) == pytest.approx(100, rel=1.001 * RELATIVE_ERROR)
