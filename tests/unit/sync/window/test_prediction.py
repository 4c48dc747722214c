"""How long a run is likely to take, and whether it fits."""

import pytest

from penstock.sync.window.prediction import OWN, Recorded, fits, p95


@pytest.mark.parametrize(("seconds", "expected"), [
    ([7.0], 7.0), ([1.0, 9.0], 9.0), ([float(n) for n in range(1, 20)], 19.0), ([float(n) for n in range(1, 21)], 19.0),
    ([float(n) for n in range(1, 101)], 95.0),
])
def test_p95_is_what_95_of_100_do_not_exceed(seconds: list[float], expected: float) -> None:
    assert p95(seconds) == p95(seconds[::-1]) == expected


def test_the_last_runs_of_the_subject_itself_tell_most() -> None:
    recorded = Recorded([(100, 60.0)] * 50)
    assert recorded.predicted(100, [12.0, 15.0]) == 15.0
    assert recorded.predicted(100, [12.0] * OWN + [900.0]) == 12.0, "what it took long ago tells nothing"


def test_else_those_of_a_similar_size() -> None:
    recorded = Recorded([(100, 60.0)] * 5 + [(1000, 400.0)] * 5)
    assert recorded.predicted(120, []) == 60.0
    assert recorded.predicted(50, []) == recorded.predicted(200, []) == 60.0
    assert recorded.predicted(600, []) == 400.0


def test_else_all_of_them_in_proportion_where_it_is_larger() -> None:
    recorded = Recorded([(100, 60.0)] * 5)
    assert recorded.predicted(1000, []) == 600.0
    assert recorded.predicted(1, []) == 60.0, "the smallest run has its price too"
    assert recorded.predicted(None, []) == 60.0


def test_runs_without_a_size_are_alike() -> None:
    recorded = Recorded([(None, 30.0)] * 5 + [(100, 60.0)] * 5)
    assert recorded.predicted(None, []) == 30.0


def test_too_few_runs_tell_nothing() -> None:
    recorded = Recorded([(100, 60.0)] * 4)
    assert recorded.predicted(100, []) is None
    recorded.add(100, 90.0)
    assert recorded.predicted(100, []) == 90.0


@pytest.mark.parametrize(("left", "headroom", "predicted", "expected"), [
    (100.0, 100.0, None, True), (99.0, 100.0, 5.0, False), (150.0, 100.0, 160.0, False), (160.0, 100.0, 160.0, True),
    (0.5, 0.0, None, True),
])
def test_never_with_less_than_the_headroom(left: float, headroom: float, predicted: float | None,
                                           expected: bool) -> None:
    assert fits(left, headroom, predicted) is expected
