"""Each task of Celery is a trace by its name, in a worker and where tasks run eagerly."""

import sqlite3
from typing import Any

import celery
import pytest
from celery import signals
from celery.contrib.testing.worker import start_worker

import penstock
from penstock import Penstock
from penstock.observe import reading

NOW = 1 << 60


@pytest.fixture
def tasks() -> Any:
    made = celery.Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    made.conf.task_always_eager = True
    return made


def kept(app: Penstock) -> dict[str, tuple[int, int]]:
    """Traces and failed ones, by name."""
    assert app.recorder is not None
    app.recorder.flush()
    return {each.name: (each.traces, each.failed) for each in reading.traces(app.store, 0, NOW)}


def test_tasks_are_traces_and_failures_are_told(tasks: Any, app: Penstock) -> None:
    @tasks.task(name="shop.remind", shared=False)
    def remind(number: int) -> int:
        return number

    @tasks.task(name="shop.fail", shared=False)
    def fail() -> None:
        raise ZeroDivisionError("nothing to divide")

    @tasks.task(name="shop.outer", shared=False)
    def outer() -> int:
        found: int = remind.delay(3).get(disable_sync_subtasks=False)
        return found

    penstock.instrument("celery", app=app)
    assert [remind.delay(n).get() for n in range(2)] == [0, 1]
    assert outer.delay().get() == 3
    with pytest.raises(ZeroDivisionError):
        fail.delay().get()
    assert kept(app) == {"shop.remind": (3, 0), "shop.outer": (1, 0), "shop.fail": (1, 1)}


def test_a_task_that_is_tried_again_is_a_trace_for_each_try(tasks: Any, app: Penstock) -> None:
    tries = iter([True, False])

    @tasks.task(name="shop.again", shared=False, bind=True)
    def again(self: Any) -> str:
        if next(tries):
            raise self.retry(countdown=0)
        return "done"

    penstock.instrument("celery", app=app)
    assert again.apply().get() == "done"
    assert kept(app) == {"shop.again": (2, 0)}


def test_removed_it_has_no_receiver_left(tasks: Any, app: Penstock) -> None:
    told = signals.task_prerun, signals.task_postrun, signals.task_failure
    before = [list(signal.receivers) for signal in told]
    penstock.instrument("celery", app=app)
    penstock.uninstrument("celery")
    assert [list(signal.receivers) for signal in told] == before


def test_what_begins_no_traces_takes_no_app(app: Penstock) -> None:
    with pytest.raises(penstock.PenstockError, match="expected app= with instrument\\('celery'\\) alone"):
        penstock.instrument("psycopg", app=app)


@pytest.mark.thorough
def test_tasks_of_a_real_worker_are_traces_in_its_threads(tasks: Any, app: Penstock) -> None:
    @tasks.task(name="shop.query", shared=False)
    def query(number: int) -> int:
        with sqlite3.connect(":memory:") as connection:
            found: int = connection.execute("select ?", (number,)).fetchone()[0]
        connection.close()
        return found

    tasks.conf.update(task_always_eager=False, broker_transport_options={"polling_interval": 0.01})
    penstock.instrument("celery", app=app)
    penstock.instrument("sqlite3")
    with start_worker(tasks, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=30):
        asked = [query.delay(n) for n in range(5)]
        assert [each.get(timeout=30, interval=0.01) for each in asked] == [0, 1, 2, 3, 4]
    assert kept(app) == {"shop.query": (5, 0)}
    (seen,) = reading.statements(app.store, 0, NOW)["trace", "shop.query"]
    assert (seen.text, seen.calls) == ("select ?", 5)
