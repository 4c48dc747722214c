"""What a worker serves: what it finds and what comes, on as many slots as it has, whatever its tasks do."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.app import SYNC_QUEUE
from penstock.events import JobFailed, JobsRescued, StaleSettle, WorkerReplaced
from tests.clock import Clock
from tests.conformance.workers import DEADLINE_SECONDS, MostAtOnce, Workers
from tests.waiting import until


def test_it_runs_what_it_finds_and_what_comes(app: Penstock, clock: Clock, workers: Workers):
    ran: list[int] = []

    @app.task
    def plain(number: int) -> None:
        ran.append(number)

    @app.task(queue="other")
    async def asynchronous(number: int) -> None:
        await asyncio.to_thread(str)
        ran.append(number)

    plain.enqueue(1)
    worker = workers.start()
    worker.start()
    asynchronous.enqueue(2)
    app.enqueue_many(plain.call(number) for number in range(3, 50))
    workers.wait_for({"completed": 49})
    worker.stop()
    worker.stop()
    assert sorted(ran) == list(range(1, 50))
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


def test_never_more_at_once_than_slots(app: Penstock, workers: Workers):
    inside = MostAtOnce()
    together = threading.Barrier(3)

    @app.task
    def work() -> None:
        inside.enter()
        together.wait(60)  # three do run at once
        inside.leave()

    app.enqueue_many(work.call() for _ in range(30))
    worker = workers.start({"default": 3})
    workers.wait_for({"completed": 30})
    worker.stop()
    assert inside.most == 3


@pytest.mark.parametrize("colour", ["threads", "event loop"])
def test_the_heartbeat_goes_on_while_tasks_block_everything(
        app: Penstock, workers: Workers, clock: Clock, colour: str):
    """For three times the lease: every slot's thread is busy, or a task blocks the event loop of all others."""
    runs: list[str] = []

    @app.task
    def busy() -> None:
        runs.append("busy")
        workers.go.wait(DEADLINE_SECONDS)

    @app.task(name="blocking")
    async def blocking() -> None:
        runs.append("blocking")
        workers.go.wait(DEADLINE_SECONDS)  # as an async task must not

    app.enqueue_many((busy if colour == "threads" else blocking).call() for _ in range(2))
    worker = workers.start({"default": 2})
    until("a task blocks", lambda: runs)
    (id, first), = clock.fetch("select id, expires_at from penstock.workers")
    until("renewals", lambda: clock.fetch("select expires_at from penstock.workers")[0][0] > first + 1_800)
    workers.go.set()
    workers.wait_for({"completed": 2})
    worker.stop()
    assert len(runs) == 2
    assert not [workers.told(kind) for kind in (WorkerReplaced, StaleSettle, JobsRescued) if workers.told(kind)]
    assert id


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


@pytest.mark.parametrize("error", [Unspeakable(), SystemExit(3), KeyboardInterrupt(), ValueError("\ud800 and \0"),
                                   RecursionError("x" * 100_000)], ids=lambda error: type(error).__name__)
def test_whatever_a_task_raises_its_slot_goes_on(
        app: Penstock, workers: Workers, clock: Clock, error: BaseException):
    @app.task(retry=RetryPolicy(max_attempts=2, base_seconds=0, jitter=0))
    def bad() -> None:
        raise error

    @app.task
    def good() -> None: ...

    bad.enqueue()
    worker = workers.start({"default": 1})
    workers.wait_for({"discarded": 1})
    good.enqueue()
    workers.wait_for({"discarded": 1, "completed": 1})
    worker.stop()
    assert [event.state for event in workers.told(JobFailed)] == ["retryable", "discarded"]
    ((name, message),) = clock.fetch("select error_class, error from penstock.jobs where state = 'discarded'")
    assert name == type(error).__name__
    assert len(message) <= 8_002


def test_a_coroutine_that_nothing_awaits_is_no_success(app: Penstock, clock: Clock, workers: Workers):
    async def hidden() -> None: ...

    @app.task(retry=RetryPolicy(max_attempts=1))
    def work() -> Any:
        return hidden()

    work.enqueue()
    worker = workers.start()
    workers.wait_for({"discarded": 1})
    worker.stop()
    assert "declare it `async def`" in clock.fetch("select error from penstock.jobs")[0][0]


def test_jobs_enqueue_jobs(app: Penstock, workers: Workers):
    @app.task
    def count_down(number: int) -> None:
        if number:
            count_down.enqueue(number - 1)

    @app.task
    async def acount_down(number: int) -> None:
        if number:
            await acount_down.aenqueue(number - 1)

    count_down.enqueue(10)
    acount_down.enqueue(10)
    worker = workers.start()
    workers.wait_for({"completed": 22})
    worker.stop()


def test_an_idle_worker_writes_nothing(app: Penstock, clock: Clock, workers: Workers):
    """A write of one process wakes every other, whose look for work must not be a write again."""
    @app.task
    def work() -> None: ...

    both = [workers.start(), workers.start()]
    work.enqueue()
    workers.wait_for({"completed": 1})
    lease = clock.fetch("select seq from sqlite_sequence where name = 'penstock_leases'"
                        if app.store.dialect == "sqlite" else "select last_value from penstock.lease_seq")
    (first,), = clock.fetch("select max(expires_at) from penstock.workers")
    until("many polls", lambda: clock.fetch("select max(expires_at) from penstock.workers")[0][0] > first + 500)
    assert lease == clock.fetch("select seq from sqlite_sequence where name = 'penstock_leases'"
                                if app.store.dialect == "sqlite" else "select last_value from penstock.lease_seq")
    for worker in both:
        worker.stop()


def test_default_queues_are_those_of_the_tasks(app: Penstock):
    app.task(lambda: None, name="a", queue="a")
    app.task(lambda: None, name="b", queue="b")
    worker = app.worker()
    assert set(worker._queues) == {"a", "b"}
    assert SYNC_QUEUE not in worker._queues
    assert logging.getLogger("penstock").name
