"""Attempts that are persisted one by one: at most once, told before and after; and acked before the slot goes on."""

import asyncio
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Cancel, Penstock, Retention, Retry, RetryPolicy, Snooze
from penstock.events import JobAbandoned, JobFailed, StaleSettle
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.processes import penstock
from tests.waiting import until

SOON = timedelta(milliseconds=40)
AGAIN = RetryPolicy(max_attempts=3, base_seconds=10, jitter=0)
APP = "tests.conformance.ending_app"


class TestAtMostOnce:
    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_it_is_settled_before_its_body_and_told_again_after_it(
            self, app: Penstock, workers: Workers, clock: Clock, colour: str):
        began = threading.Event()
        kept = Retention(completed=timedelta(hours=2), discarded=timedelta(days=9))

        def work(number: int) -> Any:
            began.set()
            workers.go.wait(60)
            if number:
                raise ValueError("no")
            return None

        async def awork(number: int) -> Any:
            return await asyncio.to_thread(work, number)

        function: Any = work if colour == "thread" else awork
        task = app.task(function, name="work", delivery="at_most_once", retention=kept, retry=AGAIN)
        well, badly = (task.enqueue(number).id for number in (0, 1))
        workers.start()
        until("both have begun", lambda: workers.states() == {"discarded": 2})
        assert workers.job(well, "state, attempt, error_class") == ("discarded", 1, "AtMostOnce")
        assert workers.counts_agree()
        workers.go.set()
        workers.wait_for({"completed": 1, "discarded": 1})
        assert workers.job(well, "attempt, error_class, error") == (1, None, None)
        until("the failure was told", lambda: workers.job(badly, "error_class") == "ValueError")
        assert workers.counts_agree()
        assert [event.state for event in workers.told(JobFailed)] == ["discarded"]
        rows = dict(clock.fetch("select id, prune_at from penstock.finished_jobs"))  # type: ignore[arg-type]
        assert rows == {well: clock.now_ms + 2 * 3_600_000, badly: clock.now_ms + 9 * 86_400_000}

    def test_what_it_says_of_its_own_end_cannot_make_it_run_again(self, app: Penstock, workers: Workers):
        def work(number: int) -> Any:
            return [Snooze(timedelta(0)), Cancel(), Retry()][number]

        task = app.task(work, name="work", delivery="at_most_once")
        jobs = app.enqueue_many(task.call(number) for number in range(3))
        workers.start()
        workers.wait_for({"discarded": 2, "cancelled": 1})
        assert workers.job(jobs[1].id) == "cancelled"
        assert workers.counts_agree()

    def test_one_that_was_abandoned_is_told_of_once(self, app: Penstock, workers: Workers):
        def work() -> None:
            workers.go.wait(60)

        id = app.task(work, name="work", delivery="at_most_once", timeout=SOON).enqueue().id
        workers.start({"default": 1})
        until("it was abandoned", lambda: workers.told(JobAbandoned))
        until("it was told", lambda: workers.job(id, "state, attempt, error_class") == ("discarded", 1, "JobTimedOut"))
        assert not workers.told(StaleSettle)
        workers.go.set()
        until("its late end was refused", lambda: workers.told(StaleSettle))
        assert workers.job(id, "state, attempt, error_class") == ("discarded", 1, "JobTimedOut")
        assert workers.counts_agree()
        until("no lease is left", lambda: workers.clock.fetch("select count(*) from penstock.leases") == [(0,)])

    def test_one_that_has_become_pointless_does_not_begin(self, app: Penstock, workers: Workers):
        def never() -> bool:
            return False

        id = app.task(lambda: None, name="work", delivery="at_most_once", valid_if=never).enqueue().id
        workers.start()
        workers.wait_for({"cancelled": 1})
        assert workers.job(id, "error_class, attempt") == ("invalid", 1)  # it was settled as begun

    def test_a_worker_that_is_killed_in_between_leaves_it_as_it_began(
            self, ending: Penstock, store_url: str, clock: Clock, tmp_path: Path):
        ending.tasks[f"{APP}.once"].enqueue()
        with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as first:
            first.line("once")
            first.signal(signal.SIGKILL)
            first.wait()
        last = ending.tasks[f"{APP}.last"].enqueue().id
        with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as second:
            until("the lost one's row is gone", lambda: clock.fetch("select count(*) from penstock.workers") == [(1,)])
            second.line("last")
            until("it was settled", lambda: clock.fetch(
                f"select state from penstock.jobs where id = {last}") == [("completed",)])
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
            assert "once" not in [*second.said, *second.rest()]
        assert clock.fetch(f"select state, attempt, error_class, error from penstock.jobs where id <> {last}") == [
            ("discarded", 1, "AtMostOnce",
             "it began, and never said how it ended: the worker was lost, and it runs at most once")]


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_an_attempt_of_its_own_ack_is_persisted_before_the_slot_goes_on(
        app: Penstock, workers: Workers, colour: str):
    """With one slot, a body sees the attempts before it as settled."""
    seen: list[int] = []

    def work() -> None:
        rows = workers.app.store.read(lambda tx: tx.rows("job", {"id": jobs[0].id - 1 + len(seen)}))
        seen.append(sum(row[4] == "completed" for row in rows))

    async def awork() -> None:
        await asyncio.to_thread(work)

    function: Any = work if colour == "thread" else awork
    task = app.task(function, name="work", ack="each")
    jobs = app.enqueue_many(task.call() for _ in range(6))
    workers.start({"default": 1})
    workers.wait_for({"completed": 6})
    assert seen == [0, 1, 1, 1, 1, 1]
    assert not workers.told(StaleSettle)
    until("no lease is left", lambda: workers.clock.fetch("select count(*) from penstock.leases") == [(0,)])
