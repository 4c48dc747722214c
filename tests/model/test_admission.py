"""Requests, folds, admissions and ends in any order, on both stores: nothing is lost, and no number is exceeded."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from penstock import Concurrency, Penstock
from penstock.app.declaring import SYNC_QUEUE
from penstock.domain.jobs import Claimed
from penstock.sync import Sync
from penstock.sync.state.fence import Fence
from penstock.sync.state.runs import Settled, Settlement
from tests.clock import Clock
from tests.conformance.admission.desk import Desk
from tests.conformance.admission.test_schedules import Value

EXAMPLES = int(os.environ.get("PENSTOCK_MODEL_EXAMPLES", "8"))
MOST_RUNS, PER_ACCOUNT, AT_ONCE = 3, 2, 2
ACCOUNTS = {"p0": "a", "p1": "a", "p2": "a", "p3": "b", "p4": "b", "p5": "c"}


class Admission(RuleBasedStateMachine):
    """What was asked for and has not ended; what the store says is under way is held against the numbers."""

    def __init__(self, app: Penstock, clock: Clock, tasks: list[Any]) -> None:
        super().__init__()
        for table in ("lines", "line_news", "pending_jobs", "ready_jobs", "live_jobs", "leases", "sync_requests",
                      "sync_runs", "gates"):
            clock.fetch(f"delete from penstock.{table} returning 1")
        self.app, self.clock, self.desk, self.tasks = app, clock, Desk(app, clock), tasks
        self.jobs: set[int] = set()
        self.running: list[Claimed] = []
        self.windows: list[Claimed] = []
        self.asked: set[str] = set()

    @rule(task=st.integers(0, 2), key=st.integers(0, 2), priority=st.integers(-1, 2))
    def enqueue(self, task: int, key: int, priority: int) -> None:
        self.jobs.add(self.tasks[task].using(priority=priority).enqueue(key).id)

    @rule(subject=st.sampled_from(sorted(ACCOUNTS)), priority=st.integers(0, 2))
    def request(self, subject: str, priority: int) -> None:
        self.app.request([{"sync": "values", "subject": subject, "account": ACCOUNTS[subject], "priority": priority,
                           "reason": "", "options": ""}])
        self.asked.add(subject)

    @rule()
    def dispatch(self) -> None:
        self.desk.dispatch()

    @rule()
    def another_worker_dispatches(self) -> None:
        self.desk.another()
        self.desk.dispatch()

    @rule(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self.running += self.desk.claim(count)
        for job in self.desk.claim(count, SYNC_QUEUE):
            row = self.app.store.write(lambda tx, job=job: tx.row("run_start", {"job_id": job.id, "lease": job.lease}))
            assert row is not None
            waits = self.clock.fetch(f"select 1 from penstock.sync_requests where subject = '{row[2]}'")
            if not waits:
                self.asked.discard(row[2])
            self.windows.append(job)

    @rule(state=st.sampled_from(["completed", "retryable", "available"]))
    def end(self, state: str) -> None:
        if self.running:
            job = self.running.pop(0)
            self.desk.settle(job, state=state)
            if state == "completed":
                self.jobs.discard(job.id)

    @rule(status=st.sampled_from(["succeeded", "pending"]), delay=st.sampled_from([0.0, 30.0]))
    def end_run(self, status: str, delay: float) -> None:
        if not self.windows:
            return
        job = self.windows.pop(0)
        [(id, subject)] = self.clock.fetch(f"select id, subject from penstock.sync_runs where job_id = {job.id}")
        settlement = Settlement(self.app.store, Fence(id, job.lease))
        self.app.store.write(lambda tx: settlement.write(tx, Settled(status, delay_seconds=delay), 1.0))
        self.desk.settle(job)
        if status == "pending":
            self.asked.add(subject)

    @rule(seconds=st.sampled_from([1.0, 31.0, -20.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.app.upkeep().stage()

    @invariant()
    def no_number_is_exceeded(self) -> None:
        held = self.clock.fetch("select line, also from penstock.live_jobs where state = 'available' or"
                                " (state = 'retryable' and in_order)")
        for place in {each for row in held for each in row if each}:
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
        assert self.asked <= waiting | {row[0] for row in self.clock.fetch(
            "select subject from penstock.sync_runs where status = 'running' and lease is null")}

    def teardown(self) -> None:
        """Whatever happened, all of it comes to its end."""
        for _ in range(60):
            self.clock.advance(31)
            self.app.upkeep().stage()
            self.desk.dispatch()
            self.begin(100)
            while self.running:
                self.end("completed")
            while self.windows:
                self.end_run("succeeded", 0.0)
            if not self.jobs and not self.asked:
                break
        assert (self.jobs, self.asked) == (set(), set())
        self.desk.dispatch()
        assert self.desk.lines() == []


def test_what_waits_is_admitted_as_the_model_says(app: Penstock, clock: Clock):
    tasks = [app.task(name="one", serial="key")(lambda key: None),
             app.task(name="two", concurrency=Concurrency(AT_ONCE, by="key"))(lambda key: None),
             app.task(name="both", serial="key", concurrency=Concurrency(AT_ONCE, by="shared"))(
                 lambda key, shared=0: None)]

    @app.sync("values", max_concurrent=MOST_RUNS, per_account=PER_ACCOUNT)
    class Values(Sync[str]):
        layers = [Value]

    app.migrate()
    run_state_machine_as_test(lambda: Admission(app, clock, tasks), settings=settings(
        max_examples=EXAMPLES, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)))


