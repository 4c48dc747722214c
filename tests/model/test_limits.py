"""Permits spent by several processes in any order, of which some die: no limit is ever exceeded, on both stores."""

import os
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from penstock.domain.errors import Limited
from penstock.domain.limits import Concurrency, Quota, Rate
from penstock.limits import places
from penstock.limits.spending import Need, Permit, Spending
from penstock.store.port import Store
from tests.clock import Clock
from tests.conformance.limits.conftest import Hosts, Time, worst

EXAMPLES = int(os.environ.get("PENSTOCK_MODEL_EXAMPLES", "4"))
RATE, QUOTA, PLACES = Rate(6, per="minute"), Quota(20, per="hour", window="sliding"), Concurrency(2)
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Tended(Time):
    """Processes that are alive renew what they hold while time passes."""

    alive: list[Spending] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for host in self.alive:
            host._holder.tend()


class Limits(RuleBasedStateMachine):
    """`calls` are the times, by a clock that never jumps, and the weights of all calls that were let through."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__()
        for table in ("limits", "permit_holders", "gates"):
            clock.fetch(f"delete from penstock.{table} returning 1")
        self.time = Tended(clock)
        self.hosts = Hosts(store, self.time)
        self.alive = self.time.alive
        self.alive += [self.hosts.new(), self.hosts.new()]
        self.open: list[tuple[Spending, Permit]] = []
        self.calls: list[tuple[float, int]] = []

    def spend(self, place: int, weight: int, patience: float) -> bool:
        host = self.alive[place % len(self.alive)]
        needs = [Need(RATE, "crm", weight), Need(QUOTA, "crm", weight), Need(PLACES, "crm")]
        try:
            permit = host.acquire(needs, patience=patience)
        except Limited:
            return False
        self.calls.append((self.time.seconds, weight))
        self.open.append((host, permit))
        return True

    @initialize(places=st.lists(st.integers(0, 1), min_size=1, max_size=2))
    def begin(self, places: list[int]) -> None:
        for place in places:
            assert self.spend(place, 1, 31.0), "there is enough for two"

    @rule(place=st.integers(0, 2), weight=st.sampled_from([1, 1, 1, 3]), patience=st.sampled_from([0.5, 11.0, 31.0]))
    def call(self, place: int, weight: int, patience: float) -> None:
        self.spend(place, weight, patience)

    @rule(place=st.integers(0, 2))
    def call_as_often_as_may_be(self, place: int) -> None:
        for each in range(RATE.count + 1):
            self.spend(place + each, 1, 31.0)
            while self.open:
                self.end()

    @precondition(lambda self: self.open)
    @rule()
    def end(self) -> None:
        _, permit = self.open.pop(0)
        permit.done()

    @rule(place=st.integers(0, 2))
    def crash(self, place: int) -> None:
        """A process dies with all that it has leased and holds; another comes."""
        host = self.alive.pop(place % len(self.alive))
        host._holder._id = None  # nobody gives back what it holds
        host.close()
        self.open = [(other, permit) for other, permit in self.open if other is not host]
        self.alive.append(self.hosts.new())

    @rule(seconds=st.sampled_from([0.2, 5.0, places.LEASE_SECONDS + 1, 61.0]))
    def pass_time(self, seconds: float) -> None:
        for _ in range(20):
            self.time.sleep(seconds / 20)

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        assert worst(self.calls, MINUTE) <= RATE.count
        assert worst(self.calls, HOUR) <= QUOTA.count
        assert len(self.open) <= PLACES.count

    def teardown(self) -> None:
        """What was lost with those that died comes back: no call waits for ever."""
        while self.open:
            self.end()
        self.pass_time(places.LEASE_SECONDS + 5)
        self.time.sleep(2 * HOUR)
        assert self.spend(0, 1, 61.0)
        self.no_limit_is_exceeded()
        for host in self.alive:
            host.close()


def test_whoever_spends_and_dies_no_limit_is_exceeded(store: Store, clock: Clock):
    run_state_machine_as_test(lambda: Limits(store, clock), settings=settings(
        max_examples=EXAMPLES, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)))
