"""The time that a host gives: what may be begun, what is to end, and what is settled lie before its end, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Window
from penstock.domain.errors import ConfigurationError
from penstock.worker.timebox import TimeBox, given_up_at, host_window


def test_a_cloud_function_of_540_seconds():
    box = TimeBox.of(Window(500, 100), now=1000.0)
    assert box == TimeBox(begin_until=1400.0, until=1490.0, ends_at=1500.0)
    assert given_up_at(1490.0, box.ends_at) == 1498.0
    assert given_up_at(1600.0, box.ends_at) == 1500.0


@given(total=st.floats(0.1, 1e6), share=st.floats(0, 0.999))
def test_there_is_always_time_to_end_and_to_settle(total: float, share: float):
    box = TimeBox.of(Window(total, total * share), now=50.0)
    assert 50 <= box.begin_until <= box.until < box.ends_at == 50 + total
    assert box.until <= given_up_at(box.until, box.ends_at) < box.ends_at


@pytest.mark.parametrize(("max_runtime", "headroom", "said"), [
    (0, None, "max-runtime: expected more than 0 seconds, got 0"),
    (-5, 1, "max-runtime: expected more than 0 seconds, got -5"),
    (500, 0, "headroom: expected more than 0 seconds, got 0"),
    (500, -1, "headroom: expected more than 0 seconds, got -1"),
    (500, 500, "headroom: expected less than max-runtime, got 500 of 500 seconds"),
    (500, 600, "headroom: expected less than max-runtime, got 600 of 500 seconds"),
    (float("nan"), None, "max-runtime: expected more than 0 seconds, got nan"),
    (float("inf"), None, "max-runtime: expected more than 0 seconds, got inf"),
    (None, 100, "headroom: 100 seconds of what"),
])
def test_what_no_host_gives_is_refused(max_runtime: float | None, headroom: float | None, said: str):
    with pytest.raises(ConfigurationError, match=said):
        host_window(max_runtime, headroom)


def test_what_hosts_give():
    assert host_window(None, None) is None
    assert host_window(500, 100) == Window(500, 100)
    assert host_window(500, None) == Window(500, 100)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigurationError) as refused:
        host_window(0, -1)
    assert len(refused.value.faults) == 2
