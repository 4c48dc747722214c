"""An attempt whose trace cannot be taken ends as it would have ended, and its slot goes on."""

import logging
import queue
import time

import pytest

from penstock.domain.jobs import Outcome
from penstock.observe.recorder import Recorder
from penstock.observe.trace import Trace
from penstock.queue.attempt import Attempt
from penstock.worker.pools import ThreadPool
from penstock.worker.traced import Tracer


class Broken(Recorder):
    def ended(self, trace: Trace) -> None:
        raise RuntimeError("dictionary changed size during iteration")


class Failing:
    """Attempts that fail, which have traces of their own."""

    def run(self, attempt: Attempt) -> Outcome:
        attempt.started_at = time.time()
        return Outcome(attempt.job.id, attempt.job.lease, "discarded", error_class="ValueError")


def test_a_trace_that_cannot_be_taken_costs_neither_the_outcome_nor_the_slot(
        attempt: Attempt, caplog: pytest.LogCaptureFixture):
    def nowhere() -> None:
        raise AssertionError("there is nothing to write")

    ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    recorder = Broken(nowhere)  # type: ignore[arg-type]
    pool = ThreadPool(1, Failing(), lambda each, outcome: ended.put(outcome),  # type: ignore[arg-type]
                      Tracer(recorder))
    with caplog.at_level(logging.WARNING, "penstock"):
        pool.submit([attempt, Attempt(attempt.job, attempt.identity, attempt.stopping)])
        assert [ended.get(timeout=60).state for _ in range(2)] == ["discarded", "discarded"]
    pool.close()
    recorder.close()
    assert [record.message for record in caplog.records] == [
        "traces cannot be kept for now: RuntimeError: dictionary changed size during iteration"]
