"""Processes that spend permits, on each store, in a time of the test's own: who sleeps moves both clocks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from penstock.limits.spending import Spending
from penstock.store.port import Store
from tests.clock import Clock


@dataclass
class Time:
    """The monotonic clock of every process of a test; the database's goes with it, unless it is set."""

    clock: Clock
    seconds: float = 1000.0
    left_us: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """What code under test does instead of sleeping."""
        self.passes(seconds)

    def passes(self, seconds: float) -> None:
        """So much time goes by."""
        self.seconds += seconds
        self.left_us += seconds * 1_000_000
        whole = int(self.left_us // 1000)
        self.left_us -= whole * 1000
        if whole:
            self.clock.advance(whole / 1000)


@dataclass
class Hosts:
    """Processes that share a store, each as `Spending` sees it."""

    store: Store
    time: Time
    told: list[tuple[str, str, str | None]] = field(default_factory=list)
    found: list[Spending] = field(default_factory=list)

    def new(self, monotonic: Callable[[], float] | None = None) -> Spending:
        spending = Spending(self.store, monotonic=monotonic or self.time.monotonic, sleep=self.time.sleep,
                            name=f"host {len(self.found)}", told=lambda *what: self.told.append(what))
        self.found.append(spending)
        return spending


@pytest.fixture
def time(clock: Clock) -> Time:
    return Time(clock)


@pytest.fixture
def hosts(store: Store, time: Time) -> Iterator[Hosts]:
    found = Hosts(store, time)
    yield found
    for each in found.found:
        each.close()


def worst(arrivals: list[tuple[float, int]], period: float) -> int:
    """The most that any stretch `[t, t + period)` holds, of (time, weight): one that is the worst begins with one."""
    ordered = sorted(arrivals)
    return max((sum(weight for at, weight in ordered[place:] if at < begin + period)
                for place, (begin, _) in enumerate(ordered)), default=0)
