"""Concurrency that is spent as permits, on both stores."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.domain.errors import Limited
from penstock.domain.limits import Concurrency
from penstock.limits import places
from penstock.limits.spending import Need, Permit, Spending
from penstock.store.port import Store
from tests.clock import Clock
from tests.conformance.limits.conftest import Hosts, Time

THREE = [Need(Concurrency(3), "crm")]


def refused(spending: Spending) -> bool:
    try:
        spending.acquire(THREE, patience=0.01).done()
    except Limited:
        return True
    return False


def test_never_more_at_a_time_than_the_limit(hosts: Hosts):
    one, two = hosts.new(), hosts.new()
    permits = [one.acquire(THREE), one.acquire(THREE), two.acquire(THREE)]
    assert refused(one)
    assert refused(two)
    permits[0].done()
    one.acquire(THREE, patience=0.01).done()


def test_what_one_process_gives_back_another_gets(hosts: Hosts, time: Time):
    one, two = hosts.new(), hosts.new()
    for permit in [one.acquire(THREE) for _ in range(3)]:
        permit.done()
    time.passes(1)
    one._holder.tend()
    assert [two.acquire(THREE, patience=0.01) for _ in range(3)]


def test_the_places_of_a_process_that_died_come_back_with_its_lease(hosts: Hosts, time: Time, clock: Clock):
    dead, alive = hosts.new(), hosts.new()
    [dead.acquire(THREE) for _ in range(3)]
    clock.advance(places.LEASE_SECONDS - 1)
    assert refused(alive)
    clock.advance(2)
    assert not refused(alive)


def test_who_was_taken_for_dead_begins_anew_and_gives_back_nothing_that_is_others(
        hosts: Hosts, time: Time, clock: Clock):
    late, other = hosts.new(), hosts.new()
    permits = [late.acquire(THREE) for _ in range(3)]
    clock.advance(places.LEASE_SECONDS + 1)
    taken = [other.acquire(THREE) for _ in range(3)]
    time.seconds += places.LEASE_SECONDS
    late._holder.tend()
    for permit in permits:
        permit.done()
    late._holder.tend()
    assert refused(late)
    for permit in taken:
        permit.done()


def test_weights(hosts: Hosts):
    spending = hosts.new()
    two = spending.acquire([Need(Concurrency(3), "crm", 2)])
    with pytest.raises(Limited, match="crm: its limit of 3 at a time is reached"):
        spending.acquire([Need(Concurrency(3), "crm", 2)], patience=0.01)
    two.done()
    spending.acquire([Need(Concurrency(3), "crm", 3)], patience=0.01).done()


def test_who_waits_here_gets_what_is_given_back_here(store: Store):
    import time as real

    with contextlib.closing(Spending(store, monotonic=real.monotonic, sleep=real.sleep, name="one")) as spending:
        first = [spending.acquire(THREE) for _ in range(3)]
        most, now, lock = [0], [0], threading.Lock()

        def work() -> None:
            with spending.acquire(THREE, patience=20):
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                with lock:
                    now[0] -= 1

        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(work) for _ in range(40)]
            for permit in first:
                permit.done()
            for each in waiting:
                each.result(60)
        assert most[0] <= 3


def test_a_permit_is_given_back_once(hosts: Hosts):
    spending = hosts.new()
    permits: list[Permit] = [spending.acquire(THREE) for _ in range(3)]
    for _ in range(3):
        permits[0].done()
    spending.acquire(THREE, patience=0.01)
    assert refused(spending)
