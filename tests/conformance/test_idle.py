"""A worker that has nothing to wait for does not wait for a tick."""

import threading
from collections.abc import Callable, Iterator

import pytest

from penstock import Penstock
from penstock.worker import Worker
from tests.clock import Clock
from tests.waiting import until


@pytest.fixture
def serving(store_url: str, clock: Clock) -> Iterator[Callable[[Penstock, int], Worker]]:
    """Starts workers that look for work by themselves once an hour."""
    started: list[Worker] = []

    def start(app: Penstock, slots: int) -> Worker:
        started.append(app.worker({"default": slots}))
        started[-1].start()
        return started[-1]

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def patient(store_url: str, clock: Clock) -> Iterator[Penstock]:
    with Penstock(store_url, now=clock.expression, poll_seconds=3600, grace_seconds=5) as app:
        yield app


def test_a_slot_that_becomes_free_takes_what_was_enqueued_while_it_was_not(patient: Penstock, serving):
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    @patient.task
    def work() -> None:
        begun.release()
        assert go_on.acquire(timeout=30)

    serving(patient, 1)
    work.enqueue()
    assert begun.acquire(timeout=30)
    work.enqueue()  # noticed while there is no room
    go_on.release()
    assert begun.acquire(timeout=30), "the second job waited for a tick"
    go_on.release()


def test_what_was_invalidated_is_settled_at_once(patient: Penstock, clock: Clock, serving):
    @patient.task
    def work() -> None: ...

    work.using(tags=["a"]).enqueue()
    patient.invalidate("a")
    serving(patient, 1)
    until("it was settled", lambda: clock.fetch("select state, error_class from penstock.jobs")
          == [("cancelled", "invalidated")], 20)
