"""Gates on both stores: closed for everybody by one, and opened by one call."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.domain.errors import GateClosed, StillInDoubt, Throttled, Unavailable
from penstock.domain.limits import Rate
from penstock.limits.spending import Need, Spending
from tests.clock import Clock
from tests.conformance.limits.conftest import Hosts, Time

CRM = [Need(Rate(100, per="second"), "crm")]


@pytest.fixture
def pair(hosts: Hosts) -> tuple[Spending, Spending]:
    return hosts.new(), hosts.new()


def state(clock: Clock) -> tuple[str, int]:
    [(found, failures)] = clock.fetch("select state, failures from penstock.gates where key = 'crm'")
    return found, failures


def since(clock: Clock) -> int:
    [(found,)] = clock.fetch("select closed_at from penstock.gates where key = 'crm'")
    return int(found)


def test_retry_after_closes_it_for_everybody(pair: tuple[Spending, Spending], time: Time):
    one, two = pair
    one.acquire(CRM).failed(Throttled(30, "slow down"))
    time.passes(1.6)
    for each in pair:
        with pytest.raises(GateClosed, match=r"crm: its gate is closed \(slow down\); wait for 28\.\d s") as raised:
            each.acquire(CRM, patience=5)
        assert 28 < raised.value.seconds < 29
    two.acquire(CRM, patience=40).done()
    assert time.seconds > 1030


def test_one_call_is_let_through_and_opens_it(pair: tuple[Spending, Spending], time: Time, clock: Clock):
    one, two = pair
    one.acquire(CRM).failed(Throttled(10))
    time.passes(11)
    probe = two.acquire(CRM, patience=0.1)
    assert state(clock) == ("probing", 1)
    for _ in range(3):
        with pytest.raises(GateClosed, match="lets one call through"):
            one.acquire(CRM, patience=0.1)
    probe.done()
    assert state(clock) == ("open", 0)
    time.passes(1.6)
    one.acquire(CRM, patience=0.1).done()


def test_a_probe_that_fails_closes_it_for_longer_each_time(pair: tuple[Spending, Spending], time: Time, clock: Clock):
    one, _ = pair
    waits = []
    one.acquire(CRM).failed(Throttled())
    for _ in range(4):
        began = time.seconds
        permit = one.acquire(CRM)
        waits.append(time.seconds - began)
        permit.failed(Unavailable("reset"))
    assert waits == [pytest.approx(seconds, abs=0.3) for seconds in (1, 1.5, 2.25, 3.4)]
    assert state(clock) == ("closed", 5)


def test_a_prober_that_dies_is_followed_by_another(pair: tuple[Spending, Spending], time: Time):
    one, two = pair
    one.acquire(CRM).failed(Throttled(1))
    time.passes(1.5)
    one.acquire(CRM)
    with pytest.raises(GateClosed):
        two.acquire(CRM, patience=5)
    two.acquire(CRM, patience=60).done()
    assert time.seconds == pytest.approx(1031.5, abs=1)


def test_a_probe_that_comes_to_no_call_is_for_others(pair: tuple[Spending, Spending], time: Time, clock: Clock):
    one, two = pair
    one.acquire(CRM).failed(Throttled(1))
    time.passes(1.5)
    one.acquire(CRM).unused()
    two.acquire(CRM, patience=1).done()
    assert state(clock) == ("open", 0)


def test_of_many_only_one_probes(hosts: Hosts, time: Time):
    several = [hosts.new() for _ in range(8)]
    several[0].acquire(CRM).failed(Throttled(1))
    time.passes(1.5)

    def probed(spending: Spending) -> bool:
        try:
            spending.acquire([], ["crm"], patience=0)
        except GateClosed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(probed, several)) == 1


def test_a_storm_of_refusals_writes_few_rows(hosts: Hosts, clock: Clock):
    several = [hosts.new() for _ in range(4)]
    permits = [spending.acquire(CRM) for spending in several for _ in range(25)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda permit: permit.failed(Throttled(60)), permits))
    assert state(clock) == ("closed", 1)
    assert len([each for each in hosts.told if each[1] == "closed"]) == 1


def test_a_longer_wait_counts(pair: tuple[Spending, Spending], time: Time):
    one, two = pair
    first, second = one.acquire(CRM), two.acquire(CRM)
    first.failed(Throttled(5))
    second.failed(Throttled(50))
    with pytest.raises(GateClosed) as raised:
        one.acquire(CRM, patience=1)
    time.passes(1.6)
    with pytest.raises(GateClosed) as raised:
        one.acquire(CRM, patience=1)
    assert raised.value.seconds > 45


class TestSinceWhen:
    """`closed_at`, which alerts count from."""

    def test_it_counts_on_while_calls_go_on_to_fail(self, pair: tuple[Spending, Spending], time: Time, clock: Clock):
        one, _ = pair
        one.acquire(CRM).failed(Throttled(60))
        began = since(clock)
        for _ in range(3):
            time.passes(61)
            one.acquire(CRM).failed(Throttled(60))
        assert since(clock) == began

    def test_after_days_in_which_nobody_tried_it_counts_anew(self, pair: tuple[Spending, Spending], time: Time,
                                                             clock: Clock):
        one, _ = pair
        one.acquire(CRM).failed(Throttled(60))
        time.passes(2 * 86_400)
        one.acquire(CRM).failed(Throttled(60))
        assert state(clock)[0] == "closed"
        assert clock.now_ms - since(clock) < 1000, "since the call that was let through to see"

    def test_so_it_does_where_somebody_closes_it_without_a_try(self, pair: tuple[Spending, Spending], time: Time,
                                                               clock: Clock):
        one, _ = pair
        one.acquire(CRM).failed(Throttled(60))
        time.passes(2 * 86_400)
        one.gates.close("crm", 600, "maintenance", by="ann", anyway=True)
        assert since(clock) == clock.now_ms

    def test_while_its_time_is_not_over_it_does_not(self, pair: tuple[Spending, Spending], time: Time, clock: Clock):
        one, _ = pair
        one.gates.close("crm", math.inf, "maintenance", by="ann", anyway=True)
        began = since(clock)
        time.passes(2 * 86_400)
        one.gates.close("crm", math.inf, "still", by="ann", anyway=True)
        assert since(clock) == began


class TestTheConnection:
    def test_errors_in_a_row_close_it(self, pair: tuple[Spending, Spending], time: Time, clock: Clock):
        for spending in (*pair, pair[0]):
            time.passes(1)
            assert state(clock)[0] == "open" if spending is pair[1] else True
            spending.acquire(CRM).failed(Unavailable("connection refused"))
        assert state(clock)[0] == "closed"

    def test_one_that_was_answered_in_between_begins_anew(self, pair: tuple[Spending, Spending], time: Time,
                                                           clock: Clock):
        one, _ = pair
        for _ in range(4):
            for _ in range(2):
                time.passes(1)
                one.acquire(CRM).failed(Unavailable("connection refused"))
            one.acquire(CRM).done()
        assert state(clock) == ("open", 0)

    def test_those_under_way_together_count_once(self, pair: tuple[Spending, Spending], clock: Clock):
        permits = [pair[0].acquire(CRM) for _ in range(10)]
        for permit in permits:
            permit.failed(Unavailable("reset"))
        assert state(clock) == ("open", 1)

    @pytest.mark.parametrize("error", [ValueError("a bug"), StillInDoubt("later", 5.0)])
    def test_what_the_destination_is_not_to_blame_for_does_not(self, pair: tuple[Spending, Spending], clock: Clock,
                                                               error: Exception):
        for _ in range(5):
            pair[0].acquire(CRM).failed(error)
        assert not clock.fetch("select 1 from penstock.gates")


class TestPeople:
    def test_closed_until_somebody_opens_it(self, pair: tuple[Spending, Spending], time: Time):
        one, two = pair
        one.gates.close("crm", math.inf, "maintenance", by="ann", anyway=True)
        time.passes(100_000)
        with pytest.raises(GateClosed, match=r"\(maintenance\); wait until somebody opens it"):
            two.acquire(CRM, patience=5)
        one.acquire([Need(Rate(100, per="second"), "other")]).failed(Throttled(5))
        assert one.gates.open("crm")
        assert not one.gates.open("crm")
        time.passes(1.6)
        two.acquire(CRM, patience=1).done()

    def test_a_refusal_does_not_shorten_what_a_person_said(self, pair: tuple[Spending, Spending], clock: Clock):
        one, two = pair
        permit = two.acquire(CRM)
        one.gates.close("crm", math.inf, "maintenance", by="ann", anyway=True)
        permit.failed(Throttled(5))
        assert clock.fetch("select until_at, closed_by from penstock.gates") == [(None, "ann")]
