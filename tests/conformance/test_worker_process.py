"""`penstock worker` as a process: signals stop it softly, a second one at once, and a killed one is replaced."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.conformance import worker_app
from tests.processes import Child, penstock, python

APP = "tests.conformance.worker_app"


@pytest.fixture
def app(store_url: str) -> Iterator[Penstock]:
    """The same tasks in this process, to enqueue with."""
    with Penstock(store_url) as app:
        for task in worker_app.app.tasks.values():
            if not task.name.startswith("penstock."):
                app.task(task.function, name=task.name)
        yield app


def worker(store_url: str, folder: Path, *options: str) -> Any:
    return penstock("--app", APP, "worker", *options, folder=folder, PENSTOCK_URL=store_url)


def enqueue(app: Penstock, name: str, *arguments: Any) -> int:
    return int(app.tasks[f"{APP}.{name}"].enqueue(*arguments).id)


def jobs(clock: Clock) -> list[tuple[Any, ...]]:
    return clock.fetch("select state, attempt from penstock.jobs order by id")


@pytest.mark.parametrize(("store_url", "number"), [
    ("sqlite", signal.SIGTERM), ("sqlite", signal.SIGINT), ("postgres", signal.SIGTERM),
    pytest.param("postgres", signal.SIGINT, marks=pytest.mark.thorough)], indirect=["store_url"])
def test_one_signal_stops_softly(
        app: Penstock, clock: Clock, store_url: str, tmp_path: Path, number: signal.Signals):
    enqueue(app, "wait_for", str(tmp_path / "go"))
    with worker(store_url, tmp_path) as child:
        child.line("waiting")
        child.signal(number)
        # The stop is under way when the worker claims no more; then what runs may end.
        (tmp_path / "go").touch()
        child.line("done")
        assert child.wait() == 0, child.rest()
        assert "Traceback" not in "\n".join([*child.said, *child.rest()])
    assert jobs(clock) == [("completed", 1)]
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # the process ends, and asks no store
def test_a_second_signal_stops_at_once(app: Penstock, clock: Clock, store_url: str, tmp_path: Path):
    enqueue(app, "for_ever")
    with worker(store_url, tmp_path) as child:
        child.line("for ever")
        child.signal(signal.SIGTERM)
        with pytest.raises(TimeoutError):
            wait_a_moment(child)
        child.signal(signal.SIGTERM)
        assert child.wait() == 128 + signal.SIGTERM
    assert jobs(clock) == [("executing", 1)]  # others rescue it when the lease runs out


def wait_a_moment(child: Child) -> None:
    try:
        child.process.wait(0.3)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_it_ends_before_its_host_does_though_a_job_does_not(
        app: Penstock, clock: Clock, store_url: str, tmp_path: Path):
    enqueue(app, "for_ever")
    began = time.monotonic()
    with worker(store_url, tmp_path, "--max-runtime", "3", "--headroom", "1.5") as child:
        child.line("for ever")
        assert child.wait() == 0, child.rest()
    assert 1.5 < time.monotonic() - began < 10
    assert jobs(clock) == [("available", 0)]  # it was given back, and goes on elsewhere
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_with_nothing_left_to_run_it_ends_when_nothing_may_be_begun(store_url: str, tmp_path: Path):
    with worker(store_url, tmp_path, "--max-runtime", "600", "--headroom", "599.9") as child:
        assert child.wait() == 0, child.rest()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_signal_does_not_wait_for_the_end_of_the_box(
        app: Penstock, clock: Clock, store_url: str, tmp_path: Path):
    enqueue(app, "for_ever")
    with worker(store_url, tmp_path, "--max-runtime", "600", "--headroom", "100", "--grace", "0.2") as child:
        child.line("for ever")
        child.signal(signal.SIGTERM)
        assert child.wait() == 0, child.rest()
    assert jobs(clock) == [("available", 0)]


def test_the_jobs_of_a_killed_worker_run_again(app: Penstock, clock: Clock, store_url: str, tmp_path: Path):
    enqueue(app, "wait_for", str(tmp_path / "go"))
    with worker(store_url, tmp_path) as first:
        first.line("waiting")
        with worker(store_url, tmp_path) as second:
            first.signal(signal.SIGKILL)
            second.line("waiting")
            (tmp_path / "go").touch()
            second.line("done")
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
    assert jobs(clock) == [("completed", 2)]


def test_an_app_that_only_enqueues_ends_quietly(store_url: str, tmp_path: Path):
    """A script that never closes its app leaves no thread in the way, and no words on its error output."""
    code = f"from {APP} import app\nprint(app.tasks['{APP}.quick'].enqueue(1).id)"
    with python(code, folder=tmp_path, PENSTOCK_URL=store_url) as child:
        assert child.wait() == 0
        assert child.rest() == ["1"]
