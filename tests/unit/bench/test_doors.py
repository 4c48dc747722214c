"""The arms of `case-k --real`: each makes the directory equal the source, and Penstock fetches once for good."""

import pytest

from bench.case_k_real import measured
from bench.doors.times import Times


@pytest.mark.thorough
def test_every_arm_makes_the_directory_equal_the_source():
    found = measured(2, Times(120))
    assert found["equal"]
    assert [found[f"{name}_first_changes"] for name in ("before", "case_study", "penstock")] == [12, 12, 12]
    assert [found[f"{name}_next_changes"] for name in ("before", "case_study", "penstock")] == [1, 1, 1]
    assert found["before_first_fetches"] == found["before_next_fetches"] == 2
    assert found["penstock_next_fetches"] == 0


def test_the_case_study_at_a_hundredth():
    times = Times(100)
    assert (times.fetch, times.read, times.call * 6, times.limit, times.total, times.headroom) == (
        2.4, 0.15, pytest.approx(0.45), 5.4, 5.0, 1.0)
