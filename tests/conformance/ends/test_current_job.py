"""What a body asks of its own job, and tells of it."""

import asyncio
import threading
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy, current_job
from penstock.domain.errors import NoCurrentJob
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.waiting import until


class TestTheCurrentJob:
    def test_it_knows_its_job(self, app: Penstock, workers: Workers):
        seen: list[Any] = []

        @app.task(queue="q", retry=RetryPolicy(max_attempts=7))
        def work() -> None:
            job = current_job()
            seen.append((job.id, job.task.rpartition(".")[2], job.queue, job.attempt, job.max_attempts))

        @app.task(queue="q", name="awork", retry=RetryPolicy(max_attempts=7))
        async def awork() -> None:
            await asyncio.to_thread(lambda: seen.append(current_job().id))
            job = current_job()
            seen.append((job.id, job.task, job.queue, job.attempt, job.max_attempts))

        one, two = work.enqueue().id, awork.enqueue().id
        workers.start()
        workers.wait_for({"completed": 2})
        assert sorted(seen, key=str) == sorted([(one, "work", "q", 1, 7), (two, "awork", "q", 1, 7), two], key=str)

    def test_there_is_none_outside(self):
        with pytest.raises(NoCurrentJob, match="expected to run inside a job, got a plain call"):
            current_job()

    def test_what_it_tells_is_kept_while_it_runs(self, app: Penstock, workers: Workers, clock: Clock):
        """Though nothing else ends meanwhile, which would save it along the way."""
        told = threading.Event()

        @app.task
        def work() -> None:
            current_job().checkpoint(percent=40, note="read \0 the page")
            current_job().checkpoint(percent=41.5, note="rendered")
            told.set()
            workers.go.wait(60)
            current_job().checkpoint(note="sent")

        id = work.enqueue().id
        workers.start()
        assert told.wait(60)
        columns = "job_id, percent, note, told_at"
        until("its last word was saved", lambda: clock.fetch(f"select {columns} from penstock.progress") == [
            (id, 41.5, "rendered", clock.now_ms)], 5)
        workers.go.set()
        workers.wait_for({"completed": 1})
        until("the last of all too", lambda: clock.fetch("select note from penstock.progress") == [("sent",)], 5)
        clock.advance(3_601)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.progress") == [(0,)]
