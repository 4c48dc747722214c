"""Pools of processes: bodies run in children, and every guarantee is that of threads."""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Concurrency, Penstock, Rate, Result, RetryPolicy, Unique, Window, context
from penstock.domain.errors import ConfigurationError, DeclarationError
from penstock.events import ChildEnded, JobAbandoned, StaleSettle, WorkerExhausted
from tests.conformance import process_app as bodies
from tests.conformance import process_broken
from tests.conformance.workers import Workers
from tests.stores import on_sqlite
from tests.waiting import until

ONE = {"default": 1}


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "patience_seconds": 0.1, "abandoned_limit": 1}


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], list[str]]:
    """What bodies have said in the file `said`, line by line."""
    return lambda: (tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else []


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "said")


def gone(pid: str) -> bool:
    """Whether a process has ended, and was waited for."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return False


class TestOutcomes:
    def test_bodies_run_in_long_lived_children_that_end_with_their_worker(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        bodies.declare(app, bodies.who, bodies.about)
        app.enqueue_many(app.tasks["who"].call(path) for _ in range(20))
        worker = workers.start(ONE)
        workers.wait_for({"completed": 20})
        (pid,) = set(said())
        assert int(pid) != os.getpid()
        with context(tenant="acme"):
            job = app.tasks["about"].enqueue(path)
        workers.wait_for({"completed": 21})
        assert said()[-1] == str([job.id, "about", "default", 1, 20, True, {"tenant": "acme"}])
        worker.stop()
        assert gone(pid)
        assert "penstock-slot" not in {thread.name for thread in threading.enumerate()}

    @on_sqlite
    def test_what_a_body_comes_to_is_what_it_comes_to_on_a_thread(self, app: Penstock, workers: Workers):
        bodies.declare(app, bodies.ends, retry=RetryPolicy(max_attempts=1))
        again = app.task(name="again", pool="process", retry=RetryPolicy(max_attempts=2))(bodies.ends)
        jobs = {how: app.tasks["ends"].enqueue(how).id
                for how in ("snooze", "cancel", "retry", "throttled", "error", "odd", "exit", "died", "killed", "fine")}
        later = again.enqueue("retry").id
        workers.start(ONE)
        until("all have run", lambda: not {"available", "executing"} & set(workers.states()))
        found = {how: workers.job(id, "state, error_class, attempt") for how, id in jobs.items()}
        assert found == {
            "snooze": ("scheduled", None, 0), "cancel": ("cancelled", "cancelled", 1),
            "retry": ("discarded", "Retry", 1), "throttled": ("retryable", "Throttled", 0),
            "error": ("discarded", "KeyError", 1), "odd": ("discarded", "Odd", 1),
            "exit": ("discarded", "SystemExit", 1),
            "died": ("discarded", "WorkerProcessDied", 1), "killed": ("discarded", "WorkerProcessDied", 1),
            "fine": ("completed", None, 1)}
        due_at = workers.clock.now_ms + 420_000
        assert workers.job(later, "state, error_class, attempt, run_at") == ("retryable", "Retry", 1, due_at)
        errors = {how: workers.job(jobs[how], "error") for how in ("error", "died", "killed", "cancel")}
        assert 'return {}["missing"]' in errors["error"]
        assert "KeyError: 'missing'" in errors["error"]
        assert "it exited with 3" in errors["died"]
        assert "killed by SIGKILL" in errors["killed"]
        assert errors["cancel"] == "withdrawn"

    @on_sqlite
    def test_results_come_back_as_json(self, app: Penstock, workers: Workers):
        bodies.declare(app, bodies.given, result=Result(limit_bytes=100))
        plain, unwritable, large = (app.tasks["given"].enqueue(what) for what in ("plain", "unwritable", "large"))
        workers.start(ONE)
        workers.wait_for({"completed": 3})
        assert plain.result(0) == {"at": "PT1S"}
        assert "a value of type object cannot be written as JSON" in workers.job(unwritable.id, "error")
        assert "expected at most 100 bytes" in workers.job(large.id, "error")

    def test_what_a_task_asks_for_beside_its_body_is_asked_of_the_worker(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        """Keys, at most once, `valid_if`, unique: all of it is the parent's, and so are arguments that do not fit."""
        bodies.declare(app, bodies.who, concurrency=Concurrency(1, by="path"), delivery="at_most_once",
                       valid_if=lambda path: path != "pointless")
        bodies.declare(app, bodies.ends, delivery="at_most_once", unique=Unique())
        app.enqueue_many([app.tasks["who"].call(path), app.tasks["who"].call("pointless"), app.tasks["who"].call(path),
                          *(app.tasks["ends"].call("died") for _ in range(2))])
        workers.start({"default": 2})
        workers.wait_for({"completed": 2, "cancelled": 1, "discarded": 1})
        assert len(said()) == 2
        until("its end was told", lambda: workers.clock.fetch(
            "select error_class from penstock.jobs where state = 'discarded'") == [("WorkerProcessDied",)])


    @on_sqlite
    def test_a_destination_that_refuses_closes_the_gate(self, app: Penstock, workers: Workers):
        bodies.declare(app, bodies.ends, limits=[Rate(1000, per="second", by="crm")])
        app.tasks["ends"].enqueue("throttled")
        workers.start(ONE)
        workers.wait_for({"retryable": 1})
        until("its gate is closed", lambda: workers.clock.fetch("select state from penstock.gates") == [("closed",)])


class TestControl:
    @on_sqlite
    def test_a_checkpoint_is_told_while_the_body_goes_on(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str, tmp_path: Path):
        bodies.declare(app, bodies.steps)
        job = app.tasks["steps"].enqueue(path, str(tmp_path / "go"))
        workers.start(ONE)
        until("the newest is in the store", lambda: workers.clock.fetch(
            f"select percent, note from penstock.progress where job_id = {job.id}") == [(50, "half")])
        (tmp_path / "go").touch()
        workers.wait_for({"completed": 1})

    def test_a_job_goes_on_from_its_cursor(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        bodies.declare(app, bodies.resumed, result=Result())
        job = app.tasks["resumed"].enqueue(path, 5)
        workers.start(ONE)
        workers.wait_for({"completed": 1})
        assert said() == ["None", "1", "3"]
        assert job.result(0) == 5

    @on_sqlite
    @pytest.mark.parametrize(("how", "raised", "state"), [
        ("cancelled", "JobCancelled", "cancelled"), ("timed out", "JobTimedOut", "discarded"),
        ("stopped", "Stopping", "available"), ("lost", "StaleLease", "executing")])
    def test_a_body_that_checks_learns_that_it_is_to_end(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str, how: str, raised: str,
            state: str):
        app.settings = replace(app.settings, patience_seconds=30.0, lease_seconds=0.6 if how == "lost" else 30.0)
        timeout = timedelta(milliseconds=1) if how == "timed out" else None
        bodies.declare(app, bodies.checking, timeout=timeout, retry=RetryPolicy(max_attempts=1))
        job = app.tasks["checking"].enqueue(path)
        worker = workers.start(ONE)
        until("it runs", said)
        if how == "cancelled":
            app.cancel(job.id)
        elif how == "stopped":
            worker.stop()
        elif how == "lost":
            (id,), = workers.clock.fetch("select id from penstock.workers")
            app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": id}))
        until("it was told", lambda: raised in said())
        workers.wait_for({state: 1})

    @on_sqlite
    @pytest.mark.parametrize("how", ["timed out", "stopped"])
    def test_a_body_that_does_not_listen_is_killed_and_its_slot_goes_on(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str, how: str):
        app.settings = replace(app.settings, grace_seconds=0.2)
        timeout = timedelta(milliseconds=1) if how == "timed out" else None
        bodies.declare(app, bodies.deaf, timeout=timeout, retry=RetryPolicy(max_attempts=1), ack="each")
        bodies.declare(app, bodies.who)
        job = app.tasks["deaf"].enqueue(path)
        worker = workers.start(ONE)
        until("it runs", said)
        if how == "stopped":
            worker.stop()
            assert workers.states() == {"available": 1}
            worker = workers.start({"other": 1})
        else:
            workers.wait_for({"discarded": 1})
            assert workers.job(job.id, "error_class") == "JobTimedOut"
            app.tasks["who"].enqueue(path)
            workers.wait_for({"discarded": 1, "completed": 1})
            assert len(workers.told(JobAbandoned)) == 1
            assert not workers.told(WorkerExhausted)  # nothing of it is left, so that it counts for no limit
            assert len(set(said())) == 2
        worker.stop()
        assert all(map(gone, said()))
        assert not workers.told(StaleSettle)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # what children come to asks no store
class TestChildren:
    def test_one_makes_room_for_a_fresh_one_after_so_many_jobs(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        app.settings = replace(app.settings, process_max_jobs=2)
        bodies.declare(app, bodies.who)
        app.enqueue_many(app.tasks["who"].call(path) for _ in range(5))
        worker = workers.start(ONE)
        workers.wait_for({"completed": 5})
        first, second, third, fourth, fifth = said()
        assert first == second != third == fourth != fifth
        assert [(event.pid, event.served, event.reason) for event in workers.told(ChildEnded)] == [
            (int(first), 2, "recycled"), (int(third), 2, "recycled")]
        worker.stop()
        assert all(map(gone, said()))

    def test_one_that_holds_too_much_memory_makes_room_for_a_fresh_one(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        app.settings = replace(app.settings, process_max_memory_mb=300)
        bodies.declare(app, bodies.greedy)
        app.enqueue_many(app.tasks["greedy"].call(path, each) for each in (1, 1, 300, 1))
        workers.start(ONE)
        workers.wait_for({"completed": 4})
        first, second, third, fourth = said()
        assert first == second == third != fourth
        (event,) = workers.told(ChildEnded)
        assert event.resident_mb > 300

    def test_one_that_is_killed_while_it_waits_costs_no_job_anything(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str):
        bodies.declare(app, bodies.who)
        app.tasks["who"].enqueue(path)
        workers.start(ONE)
        workers.wait_for({"completed": 1})
        pid = int(said()[0])
        os.kill(pid, signal.SIGKILL)
        until("it is dead, with all its threads", lambda: os.waitid(
            os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        app.tasks["who"].enqueue(path)
        workers.wait_for({"completed": 2})
        assert len(set(said())) == 2
        assert [(event.reason, event.how) for event in workers.told(ChildEnded)] == [
            ("died", "killed by SIGKILL, as by the kernel where memory runs out")]

    def test_signals_to_the_group_end_none_that_works(
            self, app: Penstock, workers: Workers, said: Callable[[], list[str]], path: str, tmp_path: Path):
        bodies.declare(app, bodies.until_there)
        app.tasks["until_there"].enqueue(path, str(tmp_path / "go"))
        workers.start(ONE)
        pid = int(until("it runs", said)[0])
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        (tmp_path / "go").touch()
        workers.wait_for({"completed": 1})

    def test_a_task_that_they_cannot_import_waits_and_says_why(
            self, app: Penstock, workers: Workers, monkeypatch: pytest.MonkeyPatch):
        app.task(name="unheard", pool="process")(process_broken.unheard)
        monkeypatch.setenv("UNIMPORTABLE", "yes")
        job = app.tasks["unheard"].enqueue()
        workers.start(ONE)
        workers.wait_for({"retryable": 1})
        error_class, error, attempt = workers.job(job.id, "error_class, error, attempt")
        assert (error_class, attempt) == ("NoWorkerProcess", 0)
        assert "cannot import tests.conformance.process_broken: RuntimeError: there is no importing this" in error

    def test_none_can_be_started(self, app: Penstock, workers: Workers, monkeypatch: pytest.MonkeyPatch):
        bodies.declare(app, bodies.who)
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        job = app.tasks["who"].enqueue("said")
        workers.start(ONE)
        workers.wait_for({"retryable": 1})
        assert "no child process can be started" in workers.job(job.id, "error")


@on_sqlite
def test_a_drain_runs_the_bodies_itself(app: Penstock, said: Callable[[], list[str]], path: str):
    bodies.declare(app, bodies.who)
    app.enqueue_many(app.tasks["who"].call(path) for _ in range(3))
    for slots in (1, 2):
        app.drain(Window(total=60, headroom=1), slots=slots)
        app.tasks["who"].enqueue(path)
    assert set(said()) == {str(os.getpid())}


def outer() -> Any:
    def inner() -> None: ...
    return inner


async def on_the_loop() -> None: ...


@on_sqlite
class TestDeclaring:
    @pytest.mark.parametrize(("function", "fault"), [
        (outer(), "expected a function at the top of a module, which a child process can import, got outer.<locals>."),
        (lambda: None, "expected a function at the top of a module"),
        (on_the_loop, "expected a `def` task for a pool of processes, got an `async def` one"),
    ])
    def test_what_no_child_could_find(self, app: Penstock, function: Any, fault: str):
        with pytest.raises(DeclarationError, match=re.escape(fault)):
            app.task(name="work", pool="process")(function)

    def test_another_kind_of_pool(self, app: Penstock):
        with pytest.raises(DeclarationError, match="pool: expected 'process' or None, got 'fork'"):
            app.task(pool="fork")  # type: ignore[call-overload]

    def test_a_function_that_another_hides(self, app: Penstock, monkeypatch: pytest.MonkeyPatch):
        bodies.declare(app, bodies.who)
        monkeypatch.setattr(bodies, "who", bodies.about)
        with pytest.raises(ConfigurationError, match="look for it as tests.conformance.process_app.who, and there is"):
            app.worker(ONE)

    def test_a_queue_of_such_tasks_has_a_slot_for_each_core(self, app: Penstock):
        bodies.declare(app, bodies.who, queue="reports")
        app.task(lambda: None, name="mixed", queue="default")
        app.task(name="both", pool="process")(bodies.ends)
        assert app.slots() == {"reports": len(os.sched_getaffinity(0)), "default": 10}
