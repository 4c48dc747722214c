"""Quotas on both stores."""

import pytest

from penstock.domain.errors import GateClosed, Limited
from penstock.domain.limits import Quota
from penstock.limits.spending import Need
from tests.conformance.limits.conftest import Hosts, Time, worst

MINUTE = 60.0


def test_a_calendar_quota_is_shared_and_begins_anew(hosts: Hosts, time: Time):
    quota, several, given = Quota(40, per="hour"), [hosts.new() for _ in range(3)], 0
    for place in range(200):
        try:
            several[place % 3].acquire([Need(quota, "token")], patience=1).done()
            given += 1
        except Limited as error:
            last = error
    assert given == 40
    assert "the quota of 40 changes a hour is spent" in str(last)
    assert isinstance(last, GateClosed), "its gate closes until then, for everybody"
    time.passes(last.seconds)
    several[0].acquire([Need(quota, "token")], patience=1).done()
    assert hosts.told == [("token", "closed", "the quota of 40 changes a hour is spent"), ("token", "open", None)]


def test_a_sliding_quota_holds_over_every_stretch(hosts: Hosts, time: Time):
    quota, several, arrivals = Quota(30, per="minute", window="sliding"), [hosts.new() for _ in range(3)], []
    for place in range(300):
        try:
            weight = 1 + place % 3
            several[place % 3].acquire([Need(quota, "token", weight)], patience=0.5).done()
            arrivals.append((time.seconds, weight))
        except Limited:
            time.passes(3)
    assert worst(arrivals, MINUTE) <= 30
    spent = sum(weight for _, weight in arrivals)
    assert spent / (time.seconds - 1000) >= 0.6 * 30 / MINUTE


def test_a_heavy_call_that_does_not_fit_does_not_close_the_gate_to_light_ones(hosts: Hosts):
    quota, spending = Quota(10, per="day"), hosts.new()
    spending.acquire([Need(quota, "token", 8)]).done()
    with pytest.raises(Limited, match="is spent"):
        spending.acquire([Need(quota, "token", 5)], patience=1)
    spending.acquire([Need(quota, "token", 2)], patience=1).done()


def test_what_was_taken_and_not_used_since_another_permit_did_not_come_is_there_for_the_next(hosts: Hosts):
    quota, other, spending = Quota(2, per="day"), Quota(1, per="day"), hosts.new()
    spending.acquire([Need(other, "a")]).done()
    for _ in range(5):
        with pytest.raises(Limited):
            spending.acquire([Need(quota, "b"), Need(other, "a")], patience=1)
    for _ in range(2):
        spending.acquire([Need(quota, "b")], patience=1).done()
