"""Requests, folds, admissions, ends and crashes in any order, on both stores.

Nothing is lost, no number is exceeded, nothing passes a gate that is closed, and who was taken for dead changes nothing
that is somebody else's by now.
"""

import os
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from penstock import Concurrency, Penstock, Rate
from penstock.app.declaring import SYNC_QUEUE
from penstock.domain.errors import StaleLease
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.claim import settle
from penstock.sync import Sync
from penstock.sync.state.fence import Fence
from penstock.sync.state.runs import Settled, Settlement
from penstock.sync.window.prediction import Recorded
from penstock.sync.window.taking import Next, Taking
from tests.clock import Clock
from tests.conformance.admission.desk import Desk
from tests.conformance.admission.test_schedules import Value

EXAMPLES = int(os.environ.get("PENSTOCK_MODEL_EXAMPLES", "8"))
MOST_RUNS, PER_ACCOUNT, AT_ONCE = 3, 2, 2
LEASE_MS = 60_000
ACCOUNTS = {"p0": "a", "p1": "a", "p2": "a", "p3": "b", "p4": "b", "p5": "c"}
GATES = {"crm": "select id from penstock.live_jobs where state = 'available' and line like 'limit:%'",
         "sync:values:a": "select id from penstock.sync_runs where status = 'running' and account = 'a'"}
"""Gates, and what has passed each."""


@dataclass
class Window:
    """A window's job, and the run that it is at."""

    job: Claimed
    run: int
    subject: str


class Admission(RuleBasedStateMachine):
    """What was asked for and has not ended; what the store says is under way is held against the numbers.

    `holders` are the runs that have begun, each with the lease that may settle it; `cursors` is what those that go on
    later are to be told.
    """

    def __init__(self, app: Penstock, clock: Clock, tasks: list[Any]) -> None:
        super().__init__()
        for table in ("lines", "line_news", "pending_jobs", "ready_jobs", "live_jobs", "leases", "sync_requests",
                      "sync_runs", "gates", "workers", "kept_places"):
            clock.fetch(f"delete from penstock.{table} returning 1")
        self.app, self.clock, self.desk, self.tasks = app, clock, Desk(app, clock), tasks
        self.jobs: set[int] = set()
        self.running: list[Claimed] = []
        self.windows: list[Window] = []
        self.asked: set[str] = set()
        self.holders: dict[int, int] = {}
        self.cursors: dict[int, str] = {}
        self.late: list[Claimed] = []
        self.late_windows: list[Window] = []
        self.shut: set[str] = set()
        self.start_worker()

    def start_worker(self) -> None:
        row = app_row(self.app, "worker_start", name="test", lease_ms=LEASE_MS)
        assert row is not None
        self.desk.worker_id = row[0]

    @initialize(tasks=st.lists(st.integers(0, 3), min_size=2, max_size=4))
    def ask(self, tasks: list[int]) -> None:
        for task in tasks:
            self.enqueue(task, 0, 0)
        for subject in sorted(ACCOUNTS):
            self.request(subject, 0)

    @rule(task=st.integers(0, 3), key=st.integers(0, 2), priority=st.integers(-1, 2))
    def enqueue(self, task: int, key: int, priority: int) -> None:
        self.jobs.add(self.tasks[task].using(priority=priority).enqueue(key).id)

    @rule(subject=st.sampled_from(sorted(ACCOUNTS)), priority=st.integers(0, 2))
    def request(self, subject: str, priority: int) -> None:
        self.app.request([{"sync": "values", "subject": subject, "account": ACCOUNTS[subject], "priority": priority,
                           "reason": "", "options": ""}])
        self.asked.add(subject)

    @rule()
    def dispatch(self) -> None:
        passed = {gate: self.clock.fetch(GATES[gate]) for gate in self.shut}
        self.desk.dispatch()
        for gate, before in passed.items():
            assert set(self.clock.fetch(GATES[gate])) <= set(before), f"{gate} is closed"

    @rule()
    def another_worker_dispatches(self) -> None:
        self.desk.another()
        self.dispatch()

    @rule(count=st.integers(1, 4))
    def work(self, count: int) -> None:
        self.dispatch()
        self.begin(count)

    @rule(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self.running += self.desk.claim(count)
        for job in self.desk.claim(count, SYNC_QUEUE):
            row = app_row(self.app, "run_start", job_id=job.id, lease=job.lease)
            if row is None:  # whoever was taken for dead had still settled the run before this
                self.desk.settle(job)
                continue
            self.windows.append(Window(job, row[0], row[2]))
            self.began(row[0], row[2], row[7], job.lease)

    def began(self, run: int, subject: str, cursor: str | None, lease: int) -> None:
        assert cursor == self.cursors.get(run), "it goes on where it was"
        self.holders[run] = lease
        if not self.clock.fetch(f"select 1 from penstock.sync_requests where subject = '{subject}'"):
            self.asked.discard(subject)

    @precondition(lambda self: self.running)
    @rule(state=st.sampled_from(["completed", "retryable", "available"]))
    def end(self, state: str) -> None:
        job = self.running.pop(0)
        self.desk.settle(job, state=state)
        if state == "completed":
            self.jobs.discard(job.id)

    @precondition(lambda self: self.windows)
    @rule(status=st.sampled_from(["succeeded", "pending"]), delay=st.sampled_from([0.0, 30.0]), on=st.booleans())
    def end_run(self, status: str, delay: float, on: bool) -> None:
        """A run ends, or is out of time and goes on in a later window; this window takes the next one, or is over."""
        window = self.windows.pop(0)
        found = self.settled(window, Settled(status, delay_seconds=delay, cursor=self.cursor(status)), on)
        if found is None or found.run is None:
            self.desk.settle(window.job)
            return
        assert f"sync:values:{found.run.account}" not in self.shut
        assert found.run.account == ACCOUNTS[window.subject]
        self.windows.append(Window(window.job, found.run.id, found.run.subject))
        self.began(found.run.id, found.run.subject, found.run.cursor, window.job.lease)

    def cursor(self, status: str) -> str | None:
        return f"after {len(self.cursors)}" if status == "pending" else None

    def settled(self, window: Window, settled: Settled, on: bool) -> Next | None:
        settlement = Settlement(self.app.store, Fence(window.run, window.job.lease))
        taking = Taking(self.app.syncs["values"], ACCOUNTS[window.subject], window.job.id, window.job.lease, 0.0,
                        Recorded())

        def work(tx: Any) -> Next | None:
            tx.rows("lock_admission")
            settlement.write(tx, settled, 1.0)
            return taking.next(tx, 60.0) if on else None

        found = self.app.store.write(work)
        del self.holders[window.run]
        if settled.status == "pending":
            self.asked.add(window.subject)
            self.cursors[window.run] = settled.cursor or ""
        return found

    @precondition(lambda self: self.running or self.windows)
    @rule()
    def crash(self) -> None:
        """The worker is gone; what it was at comes back to others when its lease is over, and keeps its place."""
        self.clock.advance(LEASE_MS / 1000 + 1)
        assert self.app.upkeep().rescue() == len(self.running) + len(self.windows)
        self.late, self.late_windows = self.late + self.running, self.late_windows + self.windows
        self.running, self.windows = [], []
        self.start_worker()

    @precondition(lambda self: self.late)
    @rule(state=st.sampled_from(["completed", "retryable", "available"]))
    def end_late(self, state: str) -> None:
        """What workers that were taken for dead say of their jobs is refused."""
        shown = "select id, state, attempt, lease, run_at from penstock.live_jobs order by id"
        before = self.clock.fetch(shown)
        for job in self.late:
            assert settle(self.app.store, [Outcome(job.id, job.lease, state, keep_ms=0)]) == {job.id}
        assert self.clock.fetch(shown) == before
        self.late = []

    @precondition(lambda self: self.late_windows)
    @rule(status=st.sampled_from(["succeeded", "pending"]), on=st.booleans())
    def end_run_late(self, status: str, on: bool) -> None:
        """They may settle a run that nobody has begun again, and take no other."""
        for window in self.late_windows:
            settled = Settled(status, cursor=self.cursor(status))
            if on or self.holders.get(window.run) != window.job.lease:
                with pytest.raises(StaleLease):
                    self.settled(window, settled, on)
            else:
                self.settled(window, settled, on)
        self.late_windows = []

    @rule(gate=st.sampled_from(sorted(GATES)))
    def close_or_open(self, gate: str) -> None:
        if gate in self.shut:
            self.shut.remove(gate)
            self.app.gate(gate).open()
        else:
            self.shut.add(gate)
            self.app.gate(gate).close("maintenance")

    @rule(seconds=st.sampled_from([1.0, 31.0, -20.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        params = {"worker_id": self.desk.worker_id, "lease_ms": LEASE_MS}
        assert self.app.store.write(lambda tx: tx.execute("worker_renew", params))
        self.app.upkeep().stage()

    @invariant()
    def no_number_is_exceeded(self) -> None:
        held = self.clock.fetch("select line, also from penstock.live_jobs where state = 'available' or"
                                " (state = 'retryable' and in_order)")
        for place in {each for row in held for each in row if each and not each.startswith("limit:")}:
            most = 1 if place.startswith("serial:") else AT_ONCE
            assert sum(place in row for row in held) <= most, place
        runs = self.clock.fetch("select subject, account from penstock.sync_runs where status = 'running'")
        assert len(runs) <= MOST_RUNS
        for account in set(ACCOUNTS.values()):
            assert sum(row[1] == account for row in runs) <= PER_ACCOUNT
        live = self.clock.fetch("select subject from penstock.sync_runs where status in ('pending', 'running')")
        assert len(live) == len(set(live))

    @invariant()
    def nothing_is_lost(self) -> None:
        assert {row[0] for row in self.clock.fetch("select id from penstock.live_jobs where line is not null")} == (
            self.jobs)
        waiting = {row[0] for row in self.clock.fetch(
            "select subject from penstock.sync_requests union"
            " select subject from penstock.sync_runs where status = 'pending'")}
        running = self.clock.fetch("select id, subject, lease, job_id from penstock.sync_runs where status = 'running'")
        assert self.asked <= waiting | {subject for _, subject, lease, _ in running if lease is None}
        assert {id: lease for id, _, lease, _ in running if lease is not None} == self.holders
        assert {row[3] for row in running} <= {row[0] for row in self.clock.fetch("select id from penstock.live_jobs")}

    def teardown(self) -> None:
        """Whatever happened, all of it comes to its end."""
        for gate in sorted(self.shut):
            self.close_or_open(gate)
        for _ in range(60):
            self.pass_time(31.0)
            self.dispatch()
            self.begin(100)
            while self.running:
                self.end("completed")
            while self.windows:
                self.end_run("succeeded", 0.0, False)
            if not self.jobs and not self.asked and not self.holders:
                break
        assert (self.jobs, self.asked, self.holders) == (set(), set(), {})
        self.desk.dispatch()
        assert self.desk.lines() == []


def app_row(app: Penstock, statement: str, **params: Any) -> tuple[Any, ...] | None:
    return app.store.write(lambda tx: tx.row(statement, params))


def test_what_waits_is_admitted_as_the_model_says(app: Penstock, clock: Clock):
    tasks = [app.task(name="one", serial="key")(lambda key: None),
             app.task(name="two", concurrency=Concurrency(AT_ONCE, by="key"))(lambda key: None),
             app.task(name="both", serial="key", concurrency=Concurrency(AT_ONCE, by="shared"))(
                 lambda key, shared=0: None),
             app.task(name="paced", limits=[Rate(60, per="minute", by="crm")])(lambda key: None)]

    @app.sync("values", max_concurrent=MOST_RUNS, per_account=PER_ACCOUNT)
    class Values(Sync[str]):
        layers = [Value]

    app.migrate()
    run_state_machine_as_test(lambda: Admission(app, clock, tasks), settings=settings(
        max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)))


