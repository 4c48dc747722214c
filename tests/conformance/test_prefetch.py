"""Prefetch by time: short jobs are claimed ahead by the hundred, long ones are left for others; and what was claimed
ahead and not begun costs nobody anything."""

import asyncio
import threading
from typing import Any

import pytest

from penstock import Penstock
from penstock.events import StaleSettle
from penstock.worker import lane
from penstock.worker.lane import BATCH
from tests.conformance.workers import MostAtOnce, Workers
from tests.waiting import until


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05}


def executing(workers: Workers) -> int:
    return workers.states().get("executing", 0)


@pytest.fixture
def work(app: Penstock, workers: Workers) -> Any:
    """Short with a negative number; otherwise it waits."""
    @app.task(name="work")
    def work(number: int) -> None:
        if number >= 0:
            workers.go.wait(60)

    return work


def test_nothing_ahead_of_the_first_job_whose_duration_nobody_knows(app: Penstock, work: Any, workers: Workers):
    app.enqueue_many(work.call(number) for number in range(20))
    workers.start({"default": 3})
    until("every slot is taken", lambda: executing(workers) == 3)
    (leased,) = workers.clock.fetch("select count(*) from penstock.ready_jobs")
    assert leased == (17,)
    workers.go.set()
    workers.wait_for({"completed": 20})


def test_short_jobs_come_in_hundreds(app: Penstock, work: Any, workers: Workers):
    app.enqueue_many(work.call(-1) for _ in range(3_000))
    workers.start({"default": 2})
    workers.wait_for({"completed": 3_000})
    claims = workers.clock.fetch("select seq from sqlite_sequence where name = 'penstock_leases'"
                                 if app.store.dialect == "sqlite" else "select last_value from penstock.lease_seq")
    assert claims[0][0] < 300  # ten in a claim at the very least, on the slowest machine


def test_long_jobs_are_left_for_others(app: Penstock, workers: Workers, monkeypatch: pytest.MonkeyPatch):
    """After jobs that took longer than what is claimed ahead of, a worker takes no more than it has slots."""
    monkeypatch.setattr(lane, "AHEAD_SECONDS", 1e-9)  # any job takes longer
    turn = threading.Semaphore(0)

    @app.task(name="work")
    def work() -> None:
        turn.acquire(timeout=60)

    app.enqueue_many(work.call() for _ in range(40))
    workers.start({"default": 2})
    until("both slots are taken", lambda: executing(workers) == 2)
    began = workers.clock.fetch("select count(*) from penstock.ready_jobs")
    assert began == [(38,)]
    turn.release(2)
    until("the next two are claimed", lambda: workers.states() == {"completed": 2, "executing": 2, "available": 36})
    workers.start({"default": 2})
    until("another worker finds work", lambda: executing(workers) == 4)
    turn.release(100)
    workers.wait_for({"completed": 40})


def test_what_was_claimed_ahead_is_given_back_by_a_soft_stop(app: Penstock, work: Any, workers: Workers):
    app.enqueue_many(work.call(-1) for _ in range(100))
    worker = workers.start({"default": 1})
    workers.wait_for({"completed": 100})
    jobs = app.enqueue_many(work.call(number) for number in range(30))
    until("all are claimed", lambda: executing(workers) == 30)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until("what had not begun was given back", lambda: workers.states().get("available") == 29)
    workers.go.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert [workers.job(job.id, "state, attempt") for job in jobs] == [("completed", 1)] + [("available", 0)] * 29
    assert workers.counts_agree()
    workers.start({"default": 1})
    workers.wait_for({"completed": 130})
    assert not workers.told(StaleSettle)


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_the_order_is_kept(app: Penstock, workers: Workers, colour: str):
    ran: list[int] = []

    def work(number: int) -> None:
        ran.append(number)

    async def awork(number: int) -> None:
        ran.append(number)

    task = app.task(work if colour == "thread" else awork, name="work")
    app.enqueue_many(task.using(priority=number % 3).call(number) for number in range(90))
    workers.start({"default": 1})
    workers.wait_for({"completed": 90})
    assert ran == sorted(range(90), key=lambda number: (-(number % 3), number))


def test_a_claim_is_never_larger_than_a_batch(app: Penstock, work: Any, workers: Workers):
    app.enqueue_many(work.call(-1) for _ in range(2 * BATCH))
    workers.start({"default": BATCH * 3})
    until("it began", lambda: workers.clock.fetch("select 1 from penstock.finished_jobs"))
    workers.wait_for({"completed": 2 * BATCH})


class TestBothColoursInOneQueue:
    def test_never_more_together_than_there_are_slots(self, app: Penstock, workers: Workers):
        """Nor fewer: each waits for two others, of whichever colour."""
        inside = MostAtOnce()
        together = threading.Barrier(3)

        @app.task(name="thread")
        def work() -> None:
            inside.enter("thread")
            together.wait(60)
            inside.leave("thread")

        @app.task(name="loop")
        async def awork() -> None:
            inside.enter("loop")
            await asyncio.to_thread(together.wait, 20)
            inside.leave("loop")

        app.enqueue_many((work if number % 3 else awork).call() for number in range(240))
        app.enqueue_many(work.call() for _ in range(30))
        app.enqueue_many(awork.call() for _ in range(30))
        workers.start({"default": 3})
        workers.wait_for({"completed": 300})
        assert inside.most == 3

    def test_a_full_event_loop_leaves_no_slot_idle_for_ever(self, app: Penstock, workers: Workers):
        """One kind holds a slot for long; the other goes on beside it."""
        held = threading.Event()

        @app.task(name="loop")
        async def hold() -> None:
            held.set()
            await asyncio.to_thread(workers.go.wait, 20)

        @app.task(name="thread")
        def work() -> None: ...

        hold.enqueue()
        workers.start({"default": 2})
        assert held.wait(60)
        app.enqueue_many(work.call() for _ in range(50))
        workers.wait_for({"completed": 50, "executing": 1})
        workers.go.set()
        workers.wait_for({"completed": 51})
