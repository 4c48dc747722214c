"""The time that a run has, and what is learned of its steps."""

import pytest

from penstock.domain.errors import OutOfTime
from penstock.sync.declaring.time_left import TimeLeft


class Now:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


def spend(left: TimeLeft, now: Now, name: str, seconds: float) -> None:
    left.begin(name)
    with left.step(name):
        now.at += seconds


def test_without_an_end_there_is_always_time(now: Now) -> None:
    left = TimeLeft(monotonic=now)
    spend(left, now, "create", 1e9)
    left.check()
    left.begin("create")


def test_a_step_begins_only_if_the_longest_of_late_fits(now: Now) -> None:
    left = TimeLeft(100.0, now)
    spend(left, now, "create", 30.0)
    spend(left, now, "create", 30.0)
    left.begin("create")
    now.at = 71.0
    left.begin("update")
    left.check()
    with pytest.raises(OutOfTime, match=r"create took up to 30 s of late, and 29 s of the window are left"):
        left.begin("create")
    now.at = 100.0
    with pytest.raises(OutOfTime, match="^0 s of the window are left"):
        left.check()


def test_one_that_was_long_is_forgotten_little_by_little(now: Now) -> None:
    steps: dict[str, float] = {}
    left = TimeLeft(1000.0, now, steps)
    spend(left, now, "create", 100.0)
    for _ in range(30):
        spend(left, now, "create", 10.0)
    assert steps == {"create": 10.0}


def test_of_a_step_of_several_calls_each_counts(now: Now) -> None:
    steps: dict[str, float] = {}
    left, calls = TimeLeft(100.0, now, steps, 100.0), 0
    with left.step("create", lambda: calls):
        for _ in range(4):
            now.at += 10
            calls += 1
    assert steps == {"create": 10.0}


def test_between_the_calls_of_a_step_it_is_looked_at_as_well(now: Now) -> None:
    left = TimeLeft(100.0, now, {"create": 20.0}, 100.0)
    with left.step("create", lambda: 4):
        now.at = 75.0
        left.check()
        now.at = 85.0
        with pytest.raises(OutOfTime, match="create took up to 20 s"):
            left.check()
    left.check()


def test_what_takes_longer_than_any_window_is_tried_again_in_the_next(now: Now) -> None:
    steps = {"read": 240.0}
    with pytest.raises(OutOfTime):
        TimeLeft(100.0, now, steps, 100.0).begin("read")
    TimeLeft(100.0, now, steps, 100.0).begin("read")


def test_a_step_may_be_waited_with_for_as_long_as_it_fits(now: Now) -> None:
    left = TimeLeft(100.0, now, {"create": 30.0}, 100.0)
    assert left.spare() == 100.0
    left.begin("create")
    assert left.spare() == 70.0
    with left.step("create"):
        now.at = 10.0
        assert left.spare() == 60.0
    left.begin("find")
    assert left.spare() == 90.0


def test_what_was_done_once_for_all_is_told_apart(now: Now) -> None:
    left = TimeLeft(100.0, now)
    with left.apart():
        spend(left, now, "read", 40.0)
    assert left.apart_seconds == 40.0
    assert left.left() == 60.0
