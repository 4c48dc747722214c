"""A worker that stops: softly, for what ends in time; it gives back the rest, and no thread is left behind."""

import asyncio
import threading
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import Stopping, StoreUnavailable
from penstock.events import JobFailed, LoopFailed, WorkerStopped
from penstock.queue.attempt import current
from tests.clock import Clock
from tests.conformance.workers import DEADLINE_SECONDS, Workers
from tests.waiting import until


def test_a_soft_stop_waits_for_what_runs(app: Penstock, clock: Clock, workers: Workers):
    began = threading.Event()

    @app.task
    def work() -> None:
        began.set()
        workers.go.wait(DEADLINE_SECONDS)

    work.enqueue()
    worker = workers.start()
    assert began.wait(DEADLINE_SECONDS)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until("claiming has ended", lambda: "penstock-claim" not in {thread.name for thread in threading.enumerate()})
    later = work.enqueue()
    workers.go.set()
    stopping.join(DEADLINE_SECONDS)
    assert not stopping.is_alive()
    assert clock.fetch("select id, state, attempt from penstock.jobs order by id") == [
        (later.id - 1, "completed", 1), (later.id, "available", 0)]


@pytest.mark.parametrize("settings", [{"now": None, "grace_seconds": 0.2}], ids=["little patience"])
@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_a_soft_stop_gives_back_what_does_not_end(app: Penstock, workers: Workers, clock: Clock, colour: str):
    began = threading.Event()

    @app.task
    def work() -> None:
        began.set()
        workers.go.wait(DEADLINE_SECONDS)

    @app.task(name="waiting")
    async def waiting() -> None:
        began.set()
        await asyncio.Event().wait()

    (work if colour == "thread" else waiting).enqueue()
    worker = workers.start()
    assert began.wait(DEADLINE_SECONDS)
    worker.stop()
    assert clock.fetch("select state, attempt, worker_id, lease from penstock.jobs") == [("available", 0, None, None)]
    assert [event.given_back for event in workers.told(WorkerStopped)] == [1]
    assert not workers.told(JobFailed)


def test_a_task_that_asks_whether_to_go_on_stops_at_once(app: Penstock, clock: Clock, workers: Workers):
    began, stopped = threading.Event(), threading.Event()

    @app.task
    def work() -> None:
        began.set()
        try:
            while not workers.go.wait(0.005):
                current.get().check()
        except Stopping:
            stopped.set()
            raise

    work.enqueue()
    worker = workers.start()
    assert began.wait(DEADLINE_SECONDS)
    worker.stop()
    assert stopped.is_set()
    assert clock.fetch("select state, attempt from penstock.jobs") == [("available", 0)]


def test_a_stop_while_the_store_is_away_still_ends_every_thread(
        app: Penstock, workers: Workers, monkeypatch: pytest.MonkeyPatch):
    @app.task
    def work() -> None: ...

    worker = workers.start()

    def away(work: Any) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(app.store.control, "write", away)
        worker.stop()
    assert [event for event in workers.told(LoopFailed) if event.loop == "stop"]
    assert workers.told(WorkerStopped)
    assert not [thread.name for thread in threading.enumerate()
                if thread.name.startswith(("penstock-slot", "penstock-claim", "penstock-heartbeat"))]


def test_a_worker_that_could_not_start_may_be_started_again(app: Penstock, monkeypatch: pytest.MonkeyPatch):
    @app.task
    def work() -> None: ...

    worker = app.worker()
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_register", lambda: (_ for _ in ()).throw(StoreUnavailable("away")))
        with pytest.raises(StoreUnavailable):
            worker.start()
    worker.start()
    worker.stop()
