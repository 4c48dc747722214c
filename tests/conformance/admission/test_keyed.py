"""Keyed jobs are admitted: never more of a key than it says, in order where it says so, and fairly between keys."""

from contextlib import closing
from typing import Any

import pytest

from penstock import Concurrency, Penstock
from tests.caller import caller
from tests.conformance.admission.desk import Desk


@pytest.fixture
def serial(app: Penstock) -> Any:
    @app.task(name="serial", serial="customer")
    def serial(customer: int) -> None: ...

    return serial


@pytest.fixture
def three(app: Penstock) -> Any:
    @app.task(name="three", concurrency=Concurrency(3, by="customer"))
    def three(customer: int) -> None: ...

    return three


@pytest.fixture
def both(app: Penstock) -> Any:
    @app.task(name="both", serial="order", concurrency=Concurrency(2, by="customer"))
    def both(order: int, customer: int = 1) -> None: ...

    return both


def test_a_serial_key_has_one_job_under_way_and_they_come_in_order(desk: Desk, serial: Any):
    jobs = [serial.enqueue(customer).id for customer in (1, 1, 2, 1)]
    assert sorted(desk.work()) == [jobs[0], jobs[2]]
    assert desk.work() == [jobs[1]]
    assert desk.work() == [jobs[3]]
    assert desk.work() == []
    assert desk.lines() == []


def test_a_concurrency_key_has_at_most_so_many(desk: Desk, three: Any):
    jobs = [three.enqueue(1).id for _ in range(8)]
    desk.dispatch()
    first = desk.claim()
    assert [job.id for job in first] == jobs[:3]
    desk.dispatch()
    assert desk.claim() == []
    desk.settle(first[1])
    assert desk.work() == [jobs[3]]
    desk.settle(first[0], first[2])
    assert desk.drain() == jobs[4:]
    assert desk.lines() == []


def test_two_keys_are_both_kept_to(desk: Desk, both: Any):
    jobs = [both.enqueue(order).id for order in (1, 1, 2, 3, 4)]
    desk.dispatch()
    first = desk.claim()
    assert [job.id for job in first] == [jobs[0], jobs[2]]  # one of order 1, and two of the customer's
    desk.settle(first[1])
    assert desk.work() == [jobs[3]]
    desk.settle(first[0])
    assert sorted(desk.drain()) == [jobs[1], jobs[4]]
    assert desk.lines() == []


def test_a_thousand_lines_behind_one_second_key_cost_their_turn_once(desk: Desk, app: Penstock, both: Any):
    jobs = app.enqueue_many([both.call(order) for order in range(40)])
    desk.dispatch()
    assert len(desk.clock.fetch("select 1 from penstock.lines where held is not null")) == 38
    assert len(desk.drain()) == 40
    assert sorted(desk.began) == [job.id for job in jobs]


def test_a_job_of_a_serial_key_keeps_its_place_while_it_waits_for_another_try(desk: Desk, serial: Any):
    first, second = (serial.enqueue(1).id for _ in range(2))
    desk.dispatch()
    (job,) = desk.claim()
    desk.settle(job, state="retryable", delay_ms=5000)
    assert desk.work() == []
    desk.clock.advance(6)
    desk.app.upkeep().step()
    assert desk.work() == [first]
    assert desk.work() == [second]


def test_a_job_of_a_concurrency_key_gives_its_place_up_and_waits_again(desk: Desk, three: Any):
    jobs = [three.enqueue(1).id for _ in range(4)]
    desk.dispatch()
    first = desk.claim()
    desk.settle(first[0], state="retryable", delay_ms=5000)
    assert desk.work() == [jobs[3]]
    desk.clock.advance(6)
    desk.app.upkeep().step()
    assert desk.clock.fetch("select state from penstock.live_jobs where id = " + str(jobs[0])) == [("pending",)]
    desk.settle(*first[1:])
    assert desk.drain() == [jobs[0]]


def test_the_more_urgent_goes_first_and_what_waited_longer_before_what_is_as_urgent(desk: Desk, serial: Any):
    ids = {}
    for customer, priority in ((1, 0), (2, 5), (3, 0), (4, -1)):
        ids[customer] = serial.using(priority=priority).enqueue(customer).id
        desk.clock.advance(1)
    desk.dispatch()
    assert [desk.claim(1)[0].id for _ in ids] == [ids[each] for each in (2, 1, 3, 4)]


def test_a_point_of_priority_is_worth_a_minute(desk: Desk, serial: Any):
    old = serial.enqueue(1).id
    desk.clock.advance(61)
    urgent = serial.using(priority=1).enqueue(2).id
    more = serial.using(priority=2).enqueue(3).id
    desk.dispatch()
    assert [desk.claim(1)[0].id for _ in range(3)] == [more, old, urgent]


def test_a_line_of_many_gives_way_to_a_line_of_one(desk: Desk, app: Penstock, three: Any):
    crowd = app.enqueue_many([three.call(1) for _ in range(500)])
    desk.clock.advance(10)
    for _ in range(20):
        desk.clock.advance(0.01)
        desk.work(1)
    desk.clock.advance(0.01)
    one = three.enqueue(2)
    desk.clock.advance(0.01)
    desk.dispatch()
    began = [job.id for job in desk.claim(4)]
    assert one.id in began[:4]
    assert began[0] in {job.id for job in crowd}  # admitted before


def test_what_is_enqueued_below_the_head_is_not_overlooked(desk: Desk, serial: Any):
    first = serial.enqueue(1).id
    desk.dispatch()
    running = desk.claim()
    waits = serial.enqueue(1).id
    desk.dispatch()
    urgent = serial.using(priority=9).enqueue(1).id
    desk.dispatch()
    desk.settle(*running)
    assert desk.drain() == [urgent, waits]
    assert desk.began == [first, urgent, waits]


def test_a_cancelled_head_lets_the_next_one_through(desk: Desk, app: Penstock, serial: Any):
    first, second, third = (serial.enqueue(1).id for _ in range(3))
    desk.dispatch()
    (job,) = desk.claim()
    app.cancel(second)
    desk.settle(job)
    assert desk.drain() == [third]
    assert desk.began == [first, third]
    assert desk.lines() == []


def test_a_job_that_somebody_is_about_to_cancel_holds_up_nobody(
        desk: Desk, app: Penstock, serial: Any, store_url: str):
    if store_url.startswith("sqlite"):
        return  # whoever writes is alone
    first, other = serial.enqueue(1).id, serial.enqueue(2).id
    with closing(caller(store_url)) as connection:
        app.using(connection=connection).cancel(first)
        desk.dispatch()
        assert [job.id for job in desk.claim()] == [other]
        connection.rollback()
    desk.clock.advance(1)
    assert desk.drain() == [first]


def test_a_dispatcher_takes_over_from_another_at_any_point(desk: Desk, app: Penstock, both: Any):
    jobs = app.enqueue_many([both.call(number % 7, number % 3) for number in range(60)])
    while desk.work(3):
        desk.another()
    assert sorted(desk.began) == [job.id for job in jobs]
    assert desk.lines() == []


def test_no_more_of_a_queue_is_admitted_than_its_workers_begin_soon(desk: Desk, app: Penstock, three: Any):
    app.enqueue_many([three.call(number) for number in range(500)])
    desk.dispatch()
    (admitted,) = desk.clock.fetch("select count(*) from penstock.ready_jobs")[0]
    assert admitted == 64
    assert len(desk.claim(200)) == 64
    desk.dispatch()
    assert 64 < len(desk.claim(200)) < 200  # they were quick


def test_what_is_more_urgent_by_a_minute_goes_ahead_of_what_is_admitted(desk: Desk, app: Penstock, three: Any):
    app.enqueue_many([three.call(number) for number in range(500)])
    desk.dispatch()
    urgent = three.using(priority=2).enqueue(1000).id
    desk.dispatch()
    assert [job.id for job in desk.claim(1)] == [urgent]


def test_news_comes_in_batches(desk: Desk, app: Penstock, serial: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.admission.dispatcher._NEWS_BATCH", 7)
    jobs = [serial.enqueue(number % 10) for number in range(50)]
    assert sorted(desk.drain()) == [job.id for job in jobs]
    assert desk.clock.fetch("select 1 from penstock.line_news") == []
