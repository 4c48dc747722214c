"""Rates on both stores: whoever spends, in whatever batches, and whatever becomes of the clock."""

import random

import pytest

from penstock.domain.errors import Limited
from penstock.domain.limits import Concurrency, Quota, Rate
from penstock.limits.rows import prune
from penstock.limits.spending import Need, Spending
from tests.clock import Clock
from tests.conformance.limits.conftest import Hosts, Time, worst

CRM = Rate(50, per="second", by="crm")


def spend(spending: Spending, time: Time, rate: Rate, count: int, weight: int = 1) -> list[tuple[float, int]]:
    found = []
    for _ in range(count):
        spending.acquire([Need(rate, "crm", weight)]).done()
        found.append((time.seconds, weight))
    return found


def test_one_process_gets_the_whole_rate_and_no_more(hosts: Hosts, time: Time):
    arrivals = spend(hosts.new(), time, CRM, 200)
    assert worst(arrivals, 1.0) <= 50
    assert 199 / (arrivals[-1][0] - arrivals[0][0]) >= 0.9 * 50


def test_permits_come_in_batches(hosts: Hosts, time: Time):
    spending = hosts.new()
    spend(spending, time, Rate(500, per="second"), 400)
    asked, given = spending.round_trips()
    assert given == 400
    assert asked / given <= 0.1


def test_processes_that_take_turns_share_it(hosts: Hosts, time: Time):
    several, arrivals = [hosts.new() for _ in range(3)], []
    drawn = random.Random(7)
    for _ in range(150):
        arrivals += spend(drawn.choice(several), time, CRM, 1, drawn.choice([1, 1, 1, 5, 20]))
        time.passes(drawn.choice([0, 0, 0.01, 0.3]))
    assert worst(arrivals, 1.0) <= 50


def test_what_a_process_had_leased_counts_as_spent_when_it_dies(hosts: Hosts, time: Time):
    dead = hosts.new()
    begun = spend(dead, time, CRM, 40)
    assert worst(begun + spend(hosts.new(), time, CRM, 100), 1.0) <= 50


def test_slots_lapse(hosts: Hosts, time: Time):
    spending = hosts.new()
    spend(spending, time, CRM, 20)
    time.passes(5)
    assert worst(spend(spending, time, CRM, 100), 1.0) <= 50


def test_two_rates_hold_at_once(hosts: Hosts, time: Time):
    spending, arrivals = hosts.new(), []
    both = [Need(CRM, "crm"), Need(Rate(90, per="minute"), "token")]
    for _ in range(100):
        spending.acquire(both).done()
        arrivals.append((time.seconds, 1))
    assert worst(arrivals, 60.0) <= 90
    assert time.seconds - arrivals[0][0] >= 60


def test_who_cannot_wait_is_told_when_to_come_again(hosts: Hosts, time: Time):
    spending, rate = hosts.new(), Rate(6, per="minute")
    spending.acquire([Need(rate, "crm")]).done()
    with pytest.raises(Limited, match=r"crm: the rate of 6 changes per minute is used up; wait for 1.*s") as raised:
        spending.acquire([Need(rate, "crm")], patience=2)
    time.passes(raised.value.seconds)
    spending.acquire([Need(rate, "crm")], patience=0.1).done()


def test_waiting_may_be_ended(hosts: Hosts):
    spending, rate = hosts.new(), Rate(6, per="minute")
    spending.acquire([Need(rate, "crm")]).done()

    def stopping() -> None:
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        spending.acquire([Need(rate, "crm")], check=stopping)


@pytest.mark.parametrize("hours", [1, -1, 24, -24])
def test_a_clock_that_is_set_lets_nobody_over_the_limit_and_nobody_wait_long(
        hosts: Hosts, time: Time, clock: Clock, hours: int):
    several, arrivals = [hosts.new() for _ in range(3)], []
    for each in several:
        arrivals += spend(each, time, CRM, 30)
    clock.advance(hours * 3600)
    for _ in range(3):
        for each in several:
            arrivals += spend(each, time, CRM, 20)
    assert worst(arrivals, 1.0) <= 50
    assert time.seconds - 1000 < 12, "270 permits of 50 a second, and a few seconds for the clock"


def test_a_row_goes_on_as_its_next_part(hosts: Hosts, time: Time, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    for room in ("rows", "rates"):
        monkeypatch.setattr(f"penstock.limits.{room}.MOST_TURNS", 5)
    one, two, arrivals = hosts.new(), hosts.new(), []
    for _ in range(40):
        arrivals += spend(one, time, CRM, 3) + spend(two, time, CRM, 1, 7)
    assert worst(arrivals, 1.0) <= 50
    [(part, count)] = clock.fetch("select max(part), count(*) from penstock.limits")
    assert count == 1
    assert part >= 5


def test_what_has_said_nothing_for_days_is_forgotten(hosts: Hosts, time: Time, clock: Clock):
    spending = hosts.new()
    held = spending.acquire([Need(CRM, "crm"), Need(Quota(5, per="day"), "token"), Need(Concurrency(2), "places")])
    time.passes(86_400)
    prune(hosts.store)
    assert len(clock.fetch("select 1 from penstock.limits")) == 3
    time.passes(4 * 86_400)
    prune(hosts.store)
    assert clock.fetch("select key from penstock.limits") == [("places",)], "somebody holds one"
    held.done()
    assert worst(spend(spending, time, CRM, 60), 1.0) <= 50


class TestAdaptive:
    RATE = Rate.adaptive(start=10, most=40)

    def pace(self, clock: Clock) -> float:
        [(interval_us,)] = clock.fetch("select interval_us from penstock.limits")
        return 1_000_000 / float(interval_us)

    def test_it_grows_while_nothing_is_refused(self, hosts: Hosts, time: Time, clock: Clock):
        spending = hosts.new()
        for _ in range(400):
            spending.acquire([Need(self.RATE, "crm")]).done()
        assert 14 < self.pace(clock) <= 40

    def test_it_halves_once_however_many_are_refused(self, hosts: Hosts, time: Time, clock: Clock):
        from penstock.domain.errors import Throttled

        several = [hosts.new() for _ in range(3)]
        permits = [each.acquire([Need(self.RATE, "crm")]) for each in several for _ in range(3)]
        for permit in permits:
            permit.failed(Throttled())
        assert self.pace(clock) == pytest.approx(5)
        time.passes(1)
        several[0].acquire([Need(self.RATE, "crm")]).failed(Throttled())
        assert self.pace(clock) == pytest.approx(2.5)
