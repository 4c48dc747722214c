"""Pools: threads for `def`, an event loop for `async def`, slots by queue; no queue starves another."""

import asyncio
import os
import threading
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.events import JobsRescued, LoopFailed
from tests.conformance.workers import MostAtOnce, Workers
from tests.waiting import until


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05}


def test_every_slot_is_used_and_no_more(app: Penstock, workers: Workers):
    inside = MostAtOnce()
    together = threading.Barrier(8)

    @app.task(queue="threads")
    def work() -> None:
        inside.enter("threads")
        together.wait(60)
        inside.leave("threads")

    @app.task(queue="loop")
    async def awork() -> None:
        loop_inside.enter()
        arrived.append(1)
        if len(arrived) == 40:
            all_there.set()
        await asyncio.to_thread(all_there.wait, 20)
        loop_inside.leave()

    arrived: list[int] = []
    all_there = threading.Event()
    loop_inside = MostAtOnce()
    app.enqueue_many(work.call() for _ in range(24))
    app.enqueue_many(awork.call() for _ in range(120))
    workers.start({"threads": 8, "loop": 40})
    workers.wait_for({"completed": 144})
    assert (inside.most, loop_inside.most) == (8, 40)


def test_def_runs_on_long_lived_threads_and_async_def_on_one_loop(app: Penstock, workers: Workers):
    threads: set[int] = set()
    loops: set[tuple[int, int]] = set()
    processes: set[int] = set()

    @app.task
    def work() -> None:
        threads.add(threading.get_ident())
        processes.add(os.getpid())

    @app.task(queue="other")
    async def awork() -> None:
        loops.add((threading.get_ident(), id(asyncio.get_running_loop())))
        processes.add(os.getpid())

    app.enqueue_many(work.call() for _ in range(200))
    app.enqueue_many(awork.call() for _ in range(200))
    app.enqueue_many(awork.using(queue="third").call() for _ in range(50))
    workers.start({"default": 4, "other": 4, "third": 2})
    workers.wait_for({"completed": 450})
    assert len(threads) <= 4
    assert len(loops) == 1  # all queues share it
    assert processes == {os.getpid()}


def test_a_full_queue_starves_no_other(app: Penstock, workers: Workers):
    """Slots are a queue's own: one whose tasks never end, with a backlog of any length, takes nothing from another."""
    @app.task(queue="stuck")
    def stuck() -> None:
        workers.go.wait(60)

    @app.task(queue="quick")
    def quick() -> None: ...

    @app.task(queue="aquick")
    async def aquick() -> None: ...

    app.enqueue_many(stuck.call() for _ in range(500))
    app.enqueue_many(task.call() for _ in range(100) for task in (quick, aquick))
    workers.start({"stuck": 2, "quick": 1, "aquick": 1})
    until("the others were served", lambda: workers.states().get("completed") == 200)
    assert {(each.queue, each.state): each.jobs for each in app.counts()} == {
        ("stuck", "available"): 498, ("stuck", "executing"): 2,
        ("quick", "completed"): 100, ("aquick", "completed"): 100}


def test_queues_share_a_worker_by_their_slots(app: Penstock, workers: Workers):
    """While both have work, a queue with four times the slots gets about four times the turns."""
    inside = {"large": 0, "small": 0}
    done = {"large": 0, "small": 0}
    seen: list[tuple[int, int]] = []
    lock = threading.Lock()

    def work(queue: str) -> None:
        with lock:
            inside[queue] += 1
        pause.wait(0.01)
        with lock:
            inside[queue] -= 1
            done[queue] += 1
            seen.append((done["large"], done["small"]))

    pause = threading.Event()
    task = app.task(work, name="work")
    app.enqueue_many(task.using(queue=queue).call(queue) for queue in ("large", "small") for _ in range(200))
    workers.start({"large": 8, "small": 2})
    workers.wait_for({"completed": 400})
    small = next(small for large, small in seen if large == 160)
    assert 10 <= small <= 100, seen


def test_only_the_queues_that_were_asked_for(app: Penstock, workers: Workers):
    ran: list[str] = []

    def work(queue: str) -> None:
        ran.append(queue)

    task = app.task(work, name="work")
    app.enqueue_many(task.using(queue=queue).call(queue) for queue in ("a", "b", "c"))
    workers.start({"b": 1})
    until("b was served", lambda: ran)
    workers.start({"a": 1})
    workers.wait_for({"completed": 2, "available": 1})
    assert ran == ["b", "a"]


@pytest.mark.parametrize("queues", [{"Mail": 5}, {"": 1}, {"x" * 65: 1}, {"mail": 0}, {"mail": -1}, {"mail": True}])
def test_slots_that_cannot_be_are_refused(app: Penstock, queues: dict[str, int]):
    app.task(lambda: None, name="work")
    with pytest.raises(ConfigurationError, match="expected a queue name of 1 to 64|expected at least 1 slot, "):
        app.worker(queues)


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_the_slots_of_a_task_that_blocks_delay_no_control_plane(app: Penstock, workers: Workers, colour: str):
    """With every slot held and the event loop blocked, due jobs are still staged and claims still answered."""
    held = threading.Event()

    def hold() -> None:
        held.set()
        workers.go.wait(60)

    async def block() -> None:
        held.set()
        workers.go.wait(60)  # as an async task must not

    app.task(hold if colour == "thread" else block, name="hold").enqueue()
    other = app.task(lambda: None, name="other", queue="other")
    workers.start({"default": 1, "other": 1})
    assert held.wait(60)
    other.using(run_after=timedelta(seconds=10)).enqueue()
    workers.clock.advance(10)
    workers.wait_for({"completed": 1, "executing": 1})
    assert not workers.told(JobsRescued)
    assert not workers.told(LoopFailed)
    workers.go.set()
    workers.wait_for({"completed": 2})


def test_a_worker_is_started_and_stopped_any_number_of_times(app: Penstock, workers: Workers):
    app.task(lambda: None, name="work").enqueue()
    worker = workers.start()
    worker.start()
    workers.wait_for({"completed": 1})
    worker.stop()
    worker.stop()
    left = {thread.name for thread in threading.enumerate()}
    assert not left & {f"penstock-{name}" for name in ("slot", "loop", "claim", "settle", "heartbeat", "upkeep")}
    never = app.worker()
    never.stop()
    never.start()  # it was stopped before it was ever started: it stays so
