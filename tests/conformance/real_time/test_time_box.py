"""A worker on a host that ends its processes: nothing is begun too late, and everything is settled before the end."""

import threading
from typing import Any

import pytest

from penstock import Penstock, Window, current_job
from penstock.domain.errors import Stopping
from penstock.events import WorkerStopped
from penstock.worker import Worker
from tests.clock import Clock
from tests.conformance.hosts.hours import Hours
from tests.conformance.workers import DEADLINE_SECONDS, Workers
from tests.waiting import until


@pytest.fixture
def hours(app: Penstock) -> Hours:
    app.monotonic = found = Hours()
    return found


@pytest.fixture
def going(app: Penstock, workers: Workers) -> dict[str, Any]:
    """Tasks that go on until `go`: `deaf` heeds nothing, `heeding` looks whether it is to end."""
    seen: dict[str, Any] = {"began": threading.Semaphore(0), "until": set(), "stopped": 0}

    @app.task(name="deaf")
    def deaf() -> None:
        seen["began"].release()
        workers.go.wait(DEADLINE_SECONDS)

    @app.task(name="heeding")
    def heeding() -> None:
        seen["until"].add(current_job().until)
        seen["began"].release()
        try:
            while not workers.go.wait(0.005):
                current_job().checkpoint()
        except Stopping:
            seen["stopped"] += 1
            raise

    return seen


def serving(workers: Workers, slots: int = 4) -> Worker:
    worker = workers.app.worker({"default": slots}, window=Window(500, 100))
    workers._started.append(worker)
    worker.start()
    return worker


def test_nothing_is_begun_when_too_little_is_left(
        app: Penstock, workers: Workers, clock: Clock, hours: Hours, going: dict[str, Any]):
    for _ in range(3):
        app.tasks["heeding"].enqueue()
    worker = serving(workers, slots=2)
    assert all(going["began"].acquire(timeout=DEADLINE_SECONDS) for _ in range(2))
    hours.seconds = 1399.0
    assert not worker.over.wait(0.2)
    hours.seconds = 1400.0
    assert worker.over.wait(DEADLINE_SECONDS)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until("claiming has ended", lambda: "penstock-claim" not in {thread.name for thread in threading.enumerate()})
    assert going["stopped"] == 0, "what was begun has until 1490"
    workers.go.set()
    stopping.join(DEADLINE_SECONDS)
    assert not stopping.is_alive()
    assert workers.states() == {"completed": 2, "available": 1}
    assert going["until"] == {1490.0}


def test_what_runs_is_told_to_end_while_there_is_time_to_settle_it(
        app: Penstock, workers: Workers, clock: Clock, hours: Hours, going: dict[str, Any]):
    app.tasks["heeding"].enqueue()
    worker = serving(workers)
    assert going["began"].acquire(timeout=DEADLINE_SECONDS)
    hours.seconds = 1490.0
    assert worker.over.wait(DEADLINE_SECONDS)
    worker.stop()
    assert going["stopped"] == 1
    assert clock.fetch("select state, attempt, worker_id from penstock.jobs") == [("available", 0, None)]


def test_what_does_not_listen_is_given_back_before_the_end(
        app: Penstock, workers: Workers, clock: Clock, hours: Hours, going: dict[str, Any]):
    app.tasks["deaf"].enqueue()
    worker = serving(workers)
    assert going["began"].acquire(timeout=DEADLINE_SECONDS)
    hours.seconds = 1500.0
    assert worker.over.wait(DEADLINE_SECONDS)
    worker.stop()
    assert worker.given_back == 1
    assert [event.given_back for event in workers.told(WorkerStopped)] == [1]
    assert clock.fetch("select state, attempt, worker_id from penstock.jobs") == [("available", 0, None)]
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


def test_a_stop_that_waits_can_be_hurried(
        app: Penstock, workers: Workers, clock: Clock, hours: Hours, going: dict[str, Any]):
    app.tasks["heeding"].enqueue()
    worker = serving(workers)
    assert going["began"].acquire(timeout=DEADLINE_SECONDS)
    hours.seconds = 1400.0
    assert worker.over.wait(DEADLINE_SECONDS)
    worker.hurry()
    worker.stop()
    assert going["stopped"] == 1


def test_a_stop_before_the_end_is_an_ordinary_one(
        app: Penstock, workers: Workers, clock: Clock, hours: Hours, going: dict[str, Any]):
    app.tasks["heeding"].enqueue()
    worker = serving(workers)
    assert going["began"].acquire(timeout=DEADLINE_SECONDS)
    worker.stop()
    assert going["stopped"] == 1
    assert not worker.over.is_set()
