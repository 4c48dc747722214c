"""Keyed jobs from end to end, by real workers and their dispatchers: how many at once, and in which order."""

import threading
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from penstock import Concurrency, Penstock, RetryPolicy, Snooze, Unique, current_job
from tests.clock import Clock
from tests.conformance.workers import MostAtOnce, Workers
from tests.waiting import until

MANY = 300


class Seen:
    """What ran: the order within each key, and how many of it were inside at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.order: dict[Any, list[Any]] = defaultdict(list)
        self.inside: dict[Any, MostAtOnce] = defaultdict(MostAtOnce)

    def __call__(self, key: Any, what: Any) -> None:
        with self._lock:
            inside = self.inside[key]
            self.order[key].append(what)
        inside.enter()
        threading.Event().wait(0.001)
        inside.leave()

    def most(self, key: Any) -> int:
        return self.inside[key].most


@pytest.fixture
def seen() -> Seen:
    return Seen()


def free(workers: Workers) -> None:
    """In the end no line has anybody in it, whatever happened on the way."""
    until("all places are free", lambda: not workers.clock.fetch("select 1 from penstock.lines")
          and not workers.clock.fetch("select 1 from penstock.line_news"))
    assert workers.counts_agree()


def test_of_a_serial_key_one_runs_at_a_time_in_the_order_of_rank(app: Penstock, workers: Workers, seen: Seen):
    @app.task(serial="customer")
    def work(customer: int, number: int) -> None:
        seen(customer, number)

    first = work.using(priority=5).call
    app.enqueue_many([work.call(number % 3, number) for number in range(30)] + [first(0, -1)])
    workers.start()
    workers.start()
    workers.wait_until_settled()
    assert seen.order == {0: [-1, *range(0, 30, 3)], 1: [*range(1, 30, 3)], 2: [*range(2, 30, 3)]}
    assert {seen.most(customer) for customer in range(3)} == {1}
    free(workers)


def test_of_a_concurrency_key_as_many_run_as_it_says(app: Penstock, workers: Workers, seen: Seen):
    @app.task(concurrency=Concurrency(3, by="customer"))
    def work(customer: int, number: int) -> None:
        seen(customer, number)
        if number < 3 and customer == 0:
            three.wait(60)

    three = threading.Barrier(3)
    app.enqueue_many(work.call(number % 2, number // 2) for number in range(40))
    workers.start({"default": 12})
    workers.wait_until_settled()
    assert (seen.most(0), len(seen.order[0])) == (3, 20)
    assert (seen.most(1) <= 3, len(seen.order[1])) == (True, 20)
    free(workers)


def test_both_keys_hold_at_once(app: Penstock, workers: Workers, seen: Seen):
    @app.task(serial="customer", concurrency=Concurrency(2, by="region"))
    def work(customer: int, number: int, region: str = "north") -> None:
        seen(customer, number)
        seen(region, customer)

    app.enqueue_many(work.call(number % 5, number) for number in range(40))
    workers.start({"default": 12})
    workers.wait_until_settled()
    assert all(seen.order[customer] == [*range(customer, 40, 5)] for customer in range(5))
    assert {seen.most(customer) for customer in range(5)} == {1}
    assert seen.most("north") <= 2
    free(workers)


def test_the_order_lasts_through_retries_and_a_snooze_gives_way(
        app: Penstock, workers: Workers, clock: Clock, seen: Seen):
    @app.task(serial="customer", retry=RetryPolicy(base_seconds=10, jitter=0))
    def work(customer: int, number: int) -> Any:
        seen(customer, number)
        if number == 1 and current_job().attempt == 1:
            raise ValueError("again")
        if number == 2 and seen.order[customer].count(2) == 1:
            return Snooze(timedelta(seconds=10))
        return None

    app.enqueue_many(work.call(7, number) for number in range(5))
    workers.start()
    until("it waits for its retry", lambda: workers.states() == {"completed": 1, "retryable": 1, "pending": 3})
    clock.advance(10)
    until("it waits for its time", lambda: workers.states() == {"completed": 4, "scheduled": 1})
    clock.advance(10)
    workers.wait_until_settled()
    assert seen.order[7] == [0, 1, 1, 2, 3, 4, 2]
    free(workers)


def test_a_unique_job_that_waits_in_a_line_is_met_by_its_double(app: Penstock, workers: Workers, seen: Seen):
    @app.task(serial="customer", unique=Unique())
    def work(customer: int) -> None:
        seen(customer, 1)

    first = work.enqueue(1)
    assert work.enqueue(1).id == first.id
    workers.start()
    workers.wait_until_settled()
    assert not work.enqueue(1).skipped
    workers.wait_until_settled()
    assert seen.order[1] == [1, 1]
    free(workers)


def test_at_most_once_keeps_its_place_until_its_body_has_ended(app: Penstock, workers: Workers, seen: Seen):
    @app.task(serial="customer", delivery="at_most_once")
    def work(customer: int, number: int) -> None:
        seen(customer, number)
        if not number:
            workers.go.wait(60)

    app.enqueue_many(work.call(1, number) for number in range(3))
    workers.start()
    until("it is in its body", lambda: seen.order[1] == [0])
    assert workers.states() == {"discarded": 1, "pending": 2}
    workers.go.set()
    workers.wait_for({"completed": 3})
    assert (seen.order[1], seen.most(1)) == ([0, 1, 2], 1)
    free(workers)


def test_many_values_and_many_jobs_of_one_value_all_get_their_turn(app: Penstock, workers: Workers):
    ran: list[int] = []

    @app.task(serial="value")
    def work(value: int) -> None:
        ran.append(value)

    app.enqueue_many([*(work.call(-1) for _ in range(40)), *(work.call(number) for number in range(MANY))])
    workers.start()
    workers.wait_until_settled()
    assert sorted(ran) == [-1] * 40 + [*range(MANY)]
    free(workers)
