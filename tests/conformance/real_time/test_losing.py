"""A worker that loses its row, an answer or the store: it goes on as another, and no job is lost or held twice."""

import threading
from typing import Any

import psycopg
import pytest

from penstock import Penstock, RetryPolicy
from penstock.domain.errors import StaleLease, StoreUnavailable
from penstock.events import JobsRescued, LoopFailed, StaleSettle, WorkerReplaced
from penstock.queue.attempt import current
from penstock.queue.claim import claim_queue
from penstock.worker import claiming
from tests.clock import Clock
from tests.conformance.workers import DEADLINE_SECONDS, Workers
from tests.waiting import until


def test_a_worker_whose_row_is_gone_begins_again_as_another(app: Penstock, clock: Clock, workers: Workers):
    began, outcomes = threading.Event(), []

    @app.task(retry=RetryPolicy(base_seconds=0))
    def work() -> None:
        attempt = current.get()
        if attempt.job.attempt > 1:
            outcomes.append("second")
            return
        began.set()
        workers.go.wait(DEADLINE_SECONDS)
        try:
            attempt.check()
        except StaleLease:
            outcomes.append("stale")
            raise

    work.enqueue()
    worker = workers.start({"default": 2})
    assert began.wait(DEADLINE_SECONDS)
    (lost,), = clock.fetch("select id from penstock.workers")
    assert app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": lost})) == 1
    until("the job ran again, in the same process, under another identity", lambda: "second" in outcomes)
    until("the second attempt settled", lambda: workers.states() == {"completed": 1})
    workers.go.set()
    until("the first one's end was dropped", lambda: workers.told(StaleSettle))
    worker.stop()
    assert sorted(outcomes) == ["second", "stale"]
    assert len(workers.told(WorkerReplaced)) == 1
    assert workers.states() == {"completed": 1}


def test_a_slot_that_a_lost_attempt_holds_is_not_given_away(app: Penstock, clock: Clock, workers: Workers):
    """The only slot is taken by an attempt whose lease is lost: its job must not be claimed to wait behind it."""
    began = threading.Event()

    @app.task
    def work() -> None:
        if not began.is_set():
            began.set()
            workers.go.wait(DEADLINE_SECONDS)

    work.enqueue()
    worker = workers.start({"default": 1})
    assert began.wait(DEADLINE_SECONDS)
    (lost,), = clock.fetch("select id from penstock.workers")
    app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": lost}))
    until("the job was rescued", lambda: workers.states() == {"available": 1})
    until("the worker began again", lambda: workers.told(WorkerReplaced))
    (renewed,), = clock.fetch("select max(expires_at) from penstock.workers")
    until("time went by", lambda: clock.fetch("select max(expires_at) from penstock.workers")[0][0] > renewed)
    assert workers.states() == {"available": 1}
    workers.go.set()
    workers.wait_for({"completed": 1})
    worker.stop()


def test_a_claim_whose_answer_was_lost_is_given_back(
        app: Penstock, monkeypatch: pytest.MonkeyPatch, workers: Workers):
    """Committed, and nobody knows: the worker lives, so nobody would rescue these jobs."""
    ran = threading.Event()

    @app.task
    def work() -> None:
        assert current.get().job.attempt == 1
        ran.set()

    lost: list[Any] = []

    def losing(*arguments: Any) -> Any:
        claimed = claim_queue(*arguments)
        if claimed and not lost:
            lost.extend(claimed)
            raise StoreUnavailable("the connection was lost while COMMIT was answered")
        return claimed

    monkeypatch.setattr(claiming, "claim_queue", losing)
    work.enqueue()
    worker = workers.start()
    assert ran.wait(DEADLINE_SECONDS)
    workers.wait_for({"completed": 1})
    worker.stop()
    assert len(lost) == 1
    assert [event for event in workers.told(LoopFailed) if event.loop == "claim"]
    assert JobsRescued(available=1, discarded=0) in workers.told(JobsRescued)


def test_a_store_that_goes_away_for_a_while_does_not_end_a_worker(
        app: Penstock, store_url: str, clock: Clock, workers: Workers):
    if app.store.dialect == "sqlite":
        return  # a file does not go away

    @app.task
    def work() -> None: ...

    worker = workers.start()
    work.enqueue()
    workers.wait_for({"completed": 1})
    with psycopg.connect(store_url, autocommit=True) as admin:
        for _ in range(3):
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                          " where datname = current_database() and application_name = 'penstock'")
    while True:
        try:
            work.enqueue()
            break
        except StoreUnavailable:
            pass  # nobody can tell whether it was enqueued
    until("the second", lambda: clock.fetch("select count(*) from penstock.jobs where state = 'completed'")[0][0] >= 2)
    worker.stop()
