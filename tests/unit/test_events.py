"""Events are logged, told to every listener, and stopped by none."""

import logging
from dataclasses import FrozenInstanceError, is_dataclass
from typing import Any

import pytest

from penstock import Penstock, events
from penstock.domain.errors import ConfigurationError
from penstock.events import FREQUENT, Event, JobCompleted, JobFailed, LoopFailed, RunSettled, WorkerStarted
from penstock.events.telling import Events

CATALOGUE = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]


def test_every_listener_hears_everything_though_one_fails(caplog: pytest.LogCaptureFixture):
    heard: list[Event] = []
    told = Events()
    told.listen(lambda event: 1 / 0)
    told.listen(heard.append)
    event = WorkerStarted(worker_id=1, queues={"default": 2})
    with caplog.at_level(logging.INFO, "penstock"):
        told.emit(event)
    assert heard == [event]
    assert [(record.levelname, record.getMessage().split("(")[0]) for record in caplog.records] == [
        ("INFO", "WorkerStarted"), ("ERROR", "a listener failed on WorkerStarted")]


def test_a_listener_may_add_another():
    told = Events()
    told.listen(lambda event: told.listen(lambda event: None))
    told.emit(LoopFailed(loop="claim", error="x"))


@pytest.mark.parametrize("kind", CATALOGUE)
def test_an_event_is_a_fact(kind: type[Event]):
    assert is_dataclass(kind)
    assert kind.__doc__
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        object.__new__(kind).worker_id = 5  # type: ignore[attr-defined]


def test_failures_are_louder():
    assert JobFailed(job_id=1, task="t", attempt=1, state="retryable", error="x").level == logging.WARNING
    assert RunSettled(run_id=1, sync="s", subject="p", status="failed", error="x").level == logging.WARNING
    assert RunSettled(run_id=1, sync="s", subject="p", status="succeeded", error=None).level == logging.INFO


def test_frequent_ones_are_told_by_name_alone_and_never_logged(caplog: pytest.LogCaptureFixture):
    everything: list[Event] = []
    some: list[Event] = []
    told = Events()
    told.listen(everything.append)
    assert told.heard == frozenset()
    told.listen(some.append, JobCompleted, LoopFailed)
    assert told.heard == {JobCompleted}
    completed = JobCompleted(job_id=1, task="t", attempt=1, took_ms=1.5)
    failed = LoopFailed(loop="claim", error="x")
    with caplog.at_level(logging.DEBUG, "penstock"):
        for event in (completed, failed, WorkerStarted(worker_id=1, queues={})):
            told.emit(event)
    assert some == [completed, failed]
    assert everything == [failed, WorkerStarted(worker_id=1, queues={})]
    assert "JobCompleted" not in caplog.text
    told.listen(some.append, Event)
    assert told.heard == set(FREQUENT)


@pytest.mark.parametrize("given", [(5,), (print, "JobCompleted"), (print, int)])
def test_what_cannot_listen_is_refused(given: tuple[Any, ...]):
    with pytest.raises(ConfigurationError, match="listen: expected"):
        Penstock().listen(*given)
