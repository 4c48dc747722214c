"""Drain: stage, claim, run and settle in the caller's thread until nothing is left, on both stores."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock import Cancel, Penstock, Rate, Retry, RetryPolicy, Snooze, Unique, current_job
from penstock.domain.errors import InvalidArguments, JobError, Stopping
from penstock.testing import Drained, FakeClock, all_enqueued, assert_enqueued, drain
from tests.caller import caller
from tests.clock import Clock
from tests.conformance.sync_app import Directory


def test_jobs_run_in_the_callers_thread_in_their_order(shop: Penstock):
    seen: list[Any] = []

    @shop.task
    def note(what: str) -> str:
        seen.append((what, threading.current_thread(), current_job().attempt))
        return what.upper()

    note.enqueue("b")
    note.using(priority=9).enqueue("a")
    note.using(queue="mail").enqueue("c")
    here = threading.current_thread()
    drained = drain(shop)
    assert drained == Drained(completed=3)
    assert seen == [("a", here, 1), ("b", here, 1), ("c", here, 1)]
    assert [(job.returned, job.queue) for job in drained.ran] == [("A", "default"), ("B", "default"), ("C", "mail")]
    assert {(count.queue, count.state, count.jobs) for count in shop.counts()} == {
        ("default", "completed", 2), ("mail", "completed", 1)}
    assert drain(shop) == Drained()


def test_what_jobs_enqueue_is_run_too(shop: Penstock):
    @shop.task
    def count_down(left: int) -> None:
        if left:
            count_down.using(queue=f"q{left}").enqueue(left - 1)

    count_down.enqueue(4)
    assert drain(shop) == Drained(completed=5)


def test_only_the_queues_asked_for(shop: Penstock):
    task = shop.task(name="task")(lambda: None)
    for queue in ("one", "two", "three"):
        task.using(queue=queue).enqueue()
    assert drain(shop, "one").completed == 1
    assert drain(shop, ["two", "nothing-here"]).completed == 1
    assert [job.queue for job in all_enqueued(shop)] == ["three"]


def test_every_end_is_counted(shop: Penstock):
    @shop.task(retry=RetryPolicy(max_attempts=2))
    def end(how: str) -> Any:
        match how:
            case "fail":
                raise ValueError(how)
            case "snooze":
                return Snooze(timedelta(hours=1))
            case "cancel":
                raise Cancel("sold out")
            case "retry":
                return Retry(timedelta(hours=1))
        return None

    @shop.task(retry=RetryPolicy(max_attempts=1), valid_if=lambda: False)
    def pointless() -> None: ...

    once = shop.task(name="once", retry=RetryPolicy(max_attempts=1))(lambda: 1 / 0)
    shop.enqueue_many(end.call(how) for how in ("fail", "snooze", "cancel", "retry", "well"))
    pointless.enqueue()
    once.enqueue()
    end.using(tags="offer:7").enqueue("well")
    shop.invalidate("offer:7")
    drained = drain(shop)
    assert drained == Drained(completed=1, retryable=2, discarded=1, cancelled=3, snoozed=1)
    assert drained.failed == 3
    told = {(job.state, job.error_class, type(job.signal or job.error).__name__) for job in drained.ran}
    assert told == {
        ("retryable", "ValueError", "ValueError"), ("scheduled", None, "Snooze"), ("cancelled", "cancelled", "Cancel"),
        ("retryable", "Retry", "Retry"), ("completed", None, "NoneType"), ("cancelled", "invalid", "NoneType"),
        ("discarded", "ZeroDivisionError", "ZeroDivisionError"), ("cancelled", "invalidated", "NoneType")}


def test_a_retry_that_is_due_at_once_is_run(shop: Penstock):
    attempts = []

    @shop.task
    def third_time_lucky() -> Any:
        attempts.append(current_job().attempt)
        return Retry(timedelta(0)) if current_job().attempt < 3 else None

    third_time_lucky.enqueue()
    with FakeClock(shop):
        assert drain(shop) == Drained(completed=1, retryable=2)
    assert attempts == [1, 2, 3]


def test_scheduled_jobs_wait_unless_they_are_asked_for(shop: Penstock):
    order: list[int] = []

    @shop.task
    def remind(day: int) -> None:
        order.append(day)

    shop.enqueue_many(remind.using(run_after=timedelta(days=day)).call(day) for day in (7, 1, 3))
    assert drain(shop) == Drained()
    assert drain(shop, with_scheduled=timedelta(days=2)).completed == 1
    assert drain(shop, with_scheduled=datetime.now(UTC) + timedelta(days=4)).completed == 1
    assert drain(shop, "other", with_scheduled=True) == Drained()
    assert drain(shop, with_scheduled=True).completed == 1
    assert order == [1, 3, 7]


def test_scheduled_jobs_come_in_the_order_of_their_time(shop: Penstock):
    order: list[int] = []

    @shop.task
    def remind(day: int) -> None:
        order.append(day)

    shop.enqueue_many(remind.using(run_after=timedelta(days=day)).call(day) for day in (7, 1, 3))
    assert drain(shop, with_scheduled=True).completed == 3
    assert order == [1, 3, 7]


def test_what_puts_itself_off_has_one_attempt_and_waits(shop: Penstock):
    @shop.task
    def put_off(how: str) -> Any:
        if how == "fail":
            raise ValueError
        return Snooze(timedelta(hours=1))

    put_off.using(run_after=timedelta(days=1)).enqueue("fail")
    put_off.enqueue("snooze")
    assert drain(shop, with_scheduled=True) == Drained(retryable=1, snoozed=1)
    assert drain(shop, with_scheduled=True) == Drained(retryable=1, snoozed=1)


def test_a_unique_job_that_was_brought_forward_gives_up_its_key(shop: Penstock):
    task = shop.task(name="task", unique=Unique(states=("scheduled",)))(lambda: None)
    task.using(run_after=timedelta(days=1)).enqueue()
    assert drain(shop, with_scheduled=True).completed == 1
    assert not task.using(run_after=timedelta(days=1)).enqueue().skipped


@pytest.mark.parametrize("given", ["tomorrow", datetime.now(UTC).replace(tzinfo=None), 3])
def test_other_times_are_refused(shop: Penstock, given: Any):
    with pytest.raises(InvalidArguments, match="with_scheduled: expected"):
        drain(shop, with_scheduled=given)


def test_raising_gives_the_first_error_once_its_job_is_settled(shop: Penstock):
    error = LookupError("no such offer")

    @shop.task
    def remind(offer: int) -> None:
        if offer == 2:
            raise error

    shop.enqueue_many(remind.call(offer) for offer in (1, 2, 3))
    with pytest.raises(LookupError) as raised:
        drain(shop, raising=True)
    assert raised.value is error
    assert {(job.state, job.arguments["offer"]) for job in all_enqueued(shop)} == {("retryable", 2), ("available", 3)}
    assert drain(shop, raising=True).completed == 1


def test_raising_lets_signals_be(shop: Penstock):
    task = shop.task(name="task")(lambda: Retry())
    task.enqueue()
    assert drain(shop, raising=True).retryable == 1


def test_async_tasks_share_one_private_loop(shop: Penstock):
    @shop.task
    async def fetch() -> tuple[asyncio.AbstractEventLoop, int]:
        await asyncio.to_thread(str)
        return asyncio.get_running_loop(), current_job().id

    ids = [fetch.enqueue().id, fetch.enqueue().id]

    async def caller() -> Drained:
        return drain(shop)

    drained = asyncio.run(caller())
    one, two = (job.returned for job in drained.ran)
    assert one[0] is two[0]
    assert one[0].is_closed()
    assert [one[1], two[1]] == ids


def test_a_paused_queue_stays_full(shop: Penstock):
    shop.task(name="task")(lambda: None).enqueue()
    shop.pause("default")
    assert drain(shop, with_scheduled=True) == Drained()
    shop.resume("default")
    assert drain(shop).completed == 1


def test_a_job_that_cancels_another_is_heard(shop: Penstock):
    task = shop.task(name="task")(lambda: None)
    ids: list[int] = []
    shop.task(name="first")(lambda: [shop.cancel(id) for id in ids]).enqueue()
    ids.append(task.enqueue().id)
    assert drain(shop).completed == 1


def test_a_task_that_is_unknown_is_kept(shop: Penstock, store_url: str):
    with Penstock(store_url) as other:
        other.task(name="theirs")(lambda: None).enqueue()
    drained = drain(shop, raising=False)
    assert (drained, drained.ran[0].error_class) == (Drained(retryable=1), "UnknownTask")


def test_progress_is_saved_and_each_delivery_kept(shop: Penstock, clock: Clock):
    @shop.task(ack="each", retry=RetryPolicy(base_seconds=3600))
    def careful() -> None:
        current_job().checkpoint(percent=50, note="half")
        raise ValueError

    @shop.task(delivery="at_most_once")
    def once(how: str) -> Any:
        if how == "fail":
            raise ValueError
        return Snooze(timedelta(0)) if how == "snooze" else None

    shop.enqueue_many([careful.call(), *(once.call(how) for how in ("well", "fail", "snooze"))])
    drained = drain(shop)
    assert drained == Drained(completed=1, retryable=1, discarded=2)
    rows = clock.fetch("select state, error_class from penstock.jobs order by id")
    assert rows == [(job.state, job.error_class) for job in drained.ran]
    assert [job.error_class for job in drained.ran] == ["ValueError", None, "ValueError", "AtMostOnce"]
    assert clock.fetch("select percent, note from penstock.progress") == [(50.0, "half")]


def test_a_job_that_moves_the_clock_keeps_its_lease(shop: Penstock):
    with FakeClock(shop) as clock:
        task = shop.task(name="task")(lambda: clock.advance(timedelta(days=2)))
        task.enqueue()
        task.enqueue()
        assert drain(shop) == Drained(completed=2)


def test_jobs_of_a_worker_that_was_lost_are_rescued(shop: Penstock):
    from penstock.queue.claim import claim_queue

    shop.task(name="task")(lambda: None).enqueue()
    with FakeClock(shop) as clock:
        row = shop.store.write(lambda tx: tx.row("worker_start", {"name": "lost", "lease_ms": 1000}))
        assert row is not None
        assert len(claim_queue(shop.store, row[0], "default", 1)) == 1
        assert drain(shop) == Drained()
        clock.advance(timedelta(seconds=2))
        assert drain(shop) == Drained(completed=1)


def test_a_job_that_goes_on_for_ever_meets_the_limit(shop: Penstock):
    @shop.task
    def again() -> None:
        again.enqueue()

    again.enqueue()
    with pytest.raises(JobError, match="fewer than 5 attempts, got as many, the last of .*again"):
        drain(shop, limit=5)


class Interrupted(BaseException):
    """Stands for Ctrl-C, and for how pytest ends a test."""


def test_what_ends_the_test_gives_the_job_back(shop: Penstock):
    @shop.task
    def interrupted() -> None:
        raise Interrupted

    interrupted.enqueue()
    with pytest.raises(Interrupted):
        drain(shop)
    (job,) = all_enqueued(shop)
    assert (job.state, job.attempt) == ("available", 0)


def test_an_attempt_that_is_given_back_comes_again(shop: Penstock):
    tries = []

    @shop.task
    def stopped_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise Stopping

    stopped_once.enqueue()
    assert drain(shop) == Drained(completed=1)
    assert len(tries) == 2


def test_nothing_of_it_is_left(shop: Penstock):
    @shop.task
    async def fetch() -> None:
        await asyncio.to_thread(lambda: None)

    fetch.enqueue()
    shop.store.read(lambda tx: tx.row("now"))
    shop.upkeep()  # which opens the connections of the control plane
    before = set(threading.enumerate())
    assert drain(shop).completed == 1
    assert set(threading.enumerate()) <= before
    assert shop.store.read(lambda tx: tx.row("workers_alive")) == (0,)


def test_jobs_in_a_transaction_that_is_rolled_back_are_not_there(shop: Penstock, store_url: str):
    task = shop.task(name="task")(lambda: None)
    shop.migrate()
    connection = caller(store_url)
    task.using(connection=connection).enqueue()
    assert_enqueued(shop, task, connection=connection)
    connection.rollback()
    assert drain(shop) == Drained()
    task.using(connection=connection).enqueue()
    connection.commit()
    connection.close()
    assert drain(shop) == Drained(completed=1)


def test_syncs_are_dispatched_and_served(store_url: str):
    directory = Directory(groups={"g1": {"p1": "Ada", "p2": "Grace"}})
    with directory.app(store_url, None) as app:
        app.migrate()
        directory.sync.request("g1")
        assert drain(app, "default") == Drained()
        assert drain(app) == Drained(completed=1)
    assert {record["match"] for record in directory.people.records.values()} == {"Ada", "Grace"}


def test_jobs_with_keys_run_in_their_order_and_those_with_limits_all_have_their_attempt(shop: Penstock):
    ran: list[int] = []

    @shop.task(serial="customer")
    def bill(customer: int, number: int) -> None:
        ran.append(number)

    @shop.task(limits=[Rate(1, per="hour")])
    def mail(number: int) -> None:
        ran.append(number)

    shop.enqueue_many([bill.call(1, 0), bill.call(1, 1), bill.using(priority=1).call(1, 2)])
    assert drain(shop).completed == 3
    assert ran == [2, 0, 1]
    shop.enqueue_many([mail.call(number) for number in range(3, 8)])
    drained = drain(shop, queue="default")
    assert (drained.completed, drained.snoozed) == (1, 4), "what finds no permit is put off, and waits in no line"
    assert ran == [2, 0, 1, 3]
