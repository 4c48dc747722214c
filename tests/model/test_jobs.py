"""Jobs on a real store do what the model says, whatever people, workers and clocks do to them, in whatever order."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event
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

from penstock import Concurrency, Penstock, RetryPolicy, Unique
from penstock.domain.jobs import Call, Claimed, Outcome, Retention
from penstock.domain.progress import Said
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.claim import claim, claim_queue, release, settle, stragglers
from penstock.queue.control import fold_counts
from penstock.queue.progress import save
from penstock.store.postgres import bulk
from tests.clock import Clock
from tests.model.chunk_rules import MANY, ChunkRules, Numbers, declare
from tests.model.jobs_model import AT_ONCE, LEASE_MS, TASKS, Job, Model, Spec
from tests.model.replace_rules import ReplaceRules
from tests.model.specs import ENDS, HOUR, LINED, ONLY, PICK, PLAIN, QUEUES, TAGS, WORKERS, End
from tests.model.wait_rules import WaitRules

EXAMPLES = int(os.environ.get("PENSTOCK_MODEL_EXAMPLES", "500" if os.environ.get("PENSTOCK_TEST_ALL") else "200"))
PARTS = -(-EXAMPLES // 50)  # each well within the time after which a test is taken to hang
TABLES = ("live_jobs", "ready_jobs", "leases", "finished_jobs", "unique_keys", "tag_marks", "cancellations", "queues",
          "workers", "count_deltas", "counts", "pending_jobs", "line_news", "lines", "kept_places", "progress",
          "job_results", "job_waits", "wait_news", "kept_news", "batches", "attempt_errors")


def span(ms: int | None) -> timedelta | None:
    return None if ms is None else timedelta(milliseconds=ms)


def outcome(job: Claimed, end: End) -> Outcome:
    state, counted, keep_ms, delay_ms = end
    recorded = state == "completed" and job.id % 2 == 0
    return Outcome(job.id, job.lease, state, counted, keep_ms=keep_ms, delay_ms=delay_ms,
                   error_class=None if state == "completed" else "Oops", result=str(job.lease) if recorded else None,
                   result_ms=HOUR if recorded else 0)


class Jobs(ChunkRules, WaitRules, ReplaceRules, RuleBasedStateMachine):
    """Two workers. What a crashed one held, and what was settled already, is settled late, and must change nothing."""

    def __init__(self, app: Penstock, clock: Clock, says: dict[int, object]) -> None:
        super().__init__()
        self.says = says
        self.app, self.clock, self.store = app, clock, app.store
        self.connection: Any = clock._connection
        dot = "." if self.store.dialect == "postgres" else "_"
        # An upgrade of a read transaction would not wait for the store's own writer, who may be at a checkpoint.
        self.begin = "begin" if self.store.dialect == "postgres" else "begin immediate"
        self.connection.execute(self.begin)
        for table in TABLES:
            self.connection.execute(f"delete from penstock{dot}{table}")
        self.connection.execute("commit")
        self.keeper = app.upkeep()
        self.dispatcher = app.dispatcher()
        self.model = Model(last_id=self.last_id())
        self.hands: list[list[Claimed]] = [[], []]
        self.late: list[Claimed] = []
        self.keyed = False
        self.workers = [self.started(), self.started()]
        self.now = clock.now_ms

    def last_id(self) -> int:
        return max((row[0] for row in self.clock.fetch("select id from penstock.jobs")), default=0)

    def started(self) -> int:
        row = self.store.write(lambda tx: tx.row("worker_start", {"name": "test", "lease_ms": LEASE_MS}))
        assert row is not None
        self.model.workers[row[0]] = self.clock.now_ms + LEASE_MS
        return int(row[0])

    # What people do

    @initialize(specs=st.lists(PLAIN | ONLY, min_size=2, max_size=4))
    def begin(self, specs: list[Spec]) -> None:
        self.enqueue(specs)

    @rule(specs=st.lists(PLAIN, min_size=1, max_size=4) | st.lists(PLAIN | ONLY | LINED, min_size=1, max_size=3)
          | st.lists(LINED, min_size=2, max_size=5))
    def enqueue(self, specs: list[Spec]) -> None:
        jobs = self.app.enqueue_many([self.call(spec) for spec in specs])
        self.model.enqueue(specs, [(job.id, job.skipped) for job in jobs], self.now)

    @rule(spec=PLAIN | LINED.filter(lambda spec: not spec.key), count=st.integers(2, 5))
    def enqueue_in_bulk(self, spec: Spec, count: int) -> None:
        jobs = self.app.enqueue_many([self.call(spec)] * count)
        self.model.enqueue([spec] * count, [(job.id, job.skipped) for job in jobs], self.now)

    @rule(spec=PLAIN | ONLY | LINED, tag=TAGS, committed=st.booleans())
    def in_a_transaction(self, spec: Spec, tag: str, committed: bool) -> None:
        """On the caller's own connection, which commits or does not."""
        self.connection.execute(self.begin)
        using = self.app.using(connection=self.connection)
        jobs = using.enqueue_many([self.call(spec)])
        using.invalidate(tag)
        self.connection.execute("commit" if committed else "rollback")
        if committed:
            self.model.enqueue([spec], [(job.id, job.skipped) for job in jobs], self.now)
            self.model.invalidate(tag)

    def call(self, spec: Spec, after: Sequence[Any] = (), on_failure: Any = "cancel") -> Call:
        self.keyed = self.keyed or spec.key is not None
        launch = self.app.tasks[spec.task].using(
            run_after=span(spec.delay_ms), priority=spec.priority, queue=spec.queue, tags=spec.tags,
            deadline=span(spec.deadline_ms), after=after, on_failure=on_failure,
            unique=Unique(states=spec.keeps, period=span(spec.period_ms), args=("number",), conflict=spec.conflict)
            if spec.key else None)
        number = int(spec.key or 0)
        return launch.call(Numbers(number, spec.value)) if spec.task == MANY else launch.call(number, spec.value)

    @rule(tag=TAGS)
    def invalidate(self, tag: str) -> None:
        self.app.invalidate(tag)
        self.model.invalidate(tag)

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        if self.model.jobs:
            id = list(self.model.jobs)[pick % len(self.model.jobs)]
            assert self.app.cancel(id) == self.model.cancel(id, self.now)

    @precondition(lambda self: self.any(lambda job: job.ended))
    @rule(pick=PICK)
    def requeue(self, pick: int) -> None:
        ended = [job.id for job in self.model.jobs.values() if job.ended]
        id = ended[pick % len(ended)]
        assert self.app.requeue(id) == self.model.requeue(id, self.now)

    def any(self, wanted: Callable[[Job], bool]) -> bool:
        return any(wanted(job) for job in self.model.jobs.values())

    # What workers do

    @precondition(lambda self: self.any(lambda job: job.ready))
    @rule(worker=WORKERS, pick=PICK, count=st.integers(1, 4), mark=st.sampled_from([None, None, 0, 1, 2]))
    def claim(self, worker: int, pick: int, count: int, mark: int | None) -> None:
        """From a queue in which there is something; with a `mark`, above one job and what was found below: so all."""
        ready = sorted((job.spec.queue, job.rank, job.id) for job in self.model.jobs.values() if job.ready)
        queue = ready[pick % len(ready)][0]
        places = [(rank, id) for each, rank, id in ready if each == queue]
        if mark is None:
            jobs = claim(self.store, self.workers[worker], {queue: count})
        else:
            count, after = 1000, places[mark % len(places)]
            found = stragglers(self.store, queue, after, 1000)
            jobs = claim_queue(self.store, self.workers[worker], queue, 1000, after, found)
        self.took(worker, jobs, self.model.claim(self.workers[worker], queue, count, self.now))

    def took(self, worker: int, jobs: list[Claimed], expected: list[tuple[int, int, str | None]]) -> None:
        assert [(job.id, job.attempt, job.stale) for job in jobs] == expected
        assert len({job.lease for job in jobs}) <= 1
        if jobs:
            self.model.claimed(self.workers[worker], jobs[0].lease, [job.id for job in jobs])
        self.hands[worker] += [job for job in jobs if not job.stale]
        stale = [job for job in jobs if job.stale]
        self.ack(worker, stale, [Outcome(job.id, job.lease, "cancelled", 0, keep_ms=HOUR, error_class=job.stale)
                                 for job in stale])

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, ends=st.lists(ENDS, min_size=1, max_size=3))
    def settle(self, worker: int, ends: list[End]) -> None:
        """Of what a worker holds, the oldest: as many as there are ends for."""
        worker = worker if self.hands[worker] else 1 - worker
        jobs = self.hands[worker][:len(ends)]
        self.ack(worker, jobs, [outcome(job, end) for job, end in zip(jobs, ends, strict=False)])

    def ack(self, worker: int, jobs: Sequence[Claimed], outcomes: list[Outcome]) -> None:
        """Settle, and end the leases that nothing is left of."""
        if jobs:
            self.hands[worker] = [job for job in self.hands[worker] if job not in jobs]
            ended = sorted({job.lease for job in jobs} - {job.lease for job in self.hands[worker]})
            self.late += jobs
            assert settle(self.store, outcomes, ended) == self.model.settle(outcomes, ended, self.now)

    @precondition(lambda self: self.late)
    @rule(pick=PICK, end=ENDS)
    def settle_late(self, pick: int, end: End) -> None:
        """By somebody who was given up, or a second time, if possible under a lease that is not at its end."""
        close = [job for job in self.late if job.lease in self.model.leases] or self.late
        outcomes = [outcome(close[pick % len(close)], end)]
        assert settle(self.store, outcomes) == self.model.settle(outcomes, [], self.now)

    @precondition(lambda self: any(self.hands) or self.late)
    @rule(pick=PICK, number=st.integers(0, 9))
    def checkpoint(self, pick: int, number: int) -> None:
        """By an attempt that holds its job, or by one that was given up."""
        held = [*self.hands[0], *self.hands[1], *self.late]
        job = held[pick % len(held)]
        attempt = Attempt(job, Identity(0, 1e12), Event(), said=Said(cursor=f"[{job.lease},{number}]"))
        save(self.store, [attempt])
        self.model.says(job.id, job.lease, f"[{job.lease},{number}]", self.now)

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, how=st.sampled_from(["crash", "crash", "stop", "renew"]))
    def end_or_renew(self, worker: int, how: str) -> None:
        worker = worker if self.hands[worker] else 1 - worker
        if how == "renew":
            self.renew(worker)
        elif how == "stop":
            self.give_back(worker)
        else:
            self.crash(worker)

    def give_back(self, worker: int) -> None:
        jobs, self.hands[worker] = self.hands[worker], []
        ended = sorted({job.lease for job in jobs})
        self.late += jobs
        given = [Outcome(job.id, job.lease, "available", 0) for job in jobs]
        assert release(self.store, [(job.id, job.lease) for job in jobs], ended) == self.model.settle(
            given, ended, self.now)

    def crash(self, worker: int) -> None:
        """Another worker takes its place; what the first one held is not heard of any more, or late."""
        self.late += self.hands[worker]
        self.hands[worker] = []
        self.workers[worker] = self.started()

    def renew(self, worker: int) -> None:
        params = {"worker_id": self.workers[worker], "lease_ms": LEASE_MS}
        alive = self.store.write(lambda tx: tx.execute("worker_renew", params))
        assert bool(alive) == (self.workers[worker] in self.model.workers)
        if alive:
            self.model.workers[self.workers[worker]] = self.now + LEASE_MS
        else:
            self.crash(worker)

    # What time and upkeep do

    @rule(seconds=st.sampled_from([0.001, 5, 20, 31, 31]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now = self.clock.now_ms

    @rule(what=st.sampled_from(["stage", "stage", "rescue", "rescue", "fold"]))
    def upkeep(self, what: str) -> None:
        if what == "stage":
            self.stage()
        elif what == "rescue":
            self.rescue()
        else:
            self.counters_are_true()
            fold_counts(self.store)
            self.counters_are_true()

    @precondition(lambda self: self.model.pending())
    @rule()
    def dispatch(self) -> None:
        """What waits for nothing more joins its line; places go to the first of each, as many as there are."""
        self.fold()
        while admitted := self.admitted():
            self.model.admitted(admitted)
        assert not self.model.stuck()

    def admitted(self) -> dict[int, int]:
        """What a step of the dispatcher admits, and as what it counts as due."""
        before = {job.id for job in self.model.pending()}
        self.dispatcher.step()
        rows = self.clock.fetch("select id, run_at from penstock.live_jobs where state = 'available'")
        return {id: run_at for id, run_at in rows if id in before}

    def stage(self) -> None:
        assert self.keeper.stage() == self.model.stage(self.now)

    def rescue(self) -> None:
        assert self.keeper.rescue() == self.model.rescue(self.now)

    @rule(queue=QUEUES)
    def pause_or_resume(self, queue: str) -> None:
        if queue in self.model.paused:
            self.app.resume(queue)
            self.model.paused.remove(queue)
        else:
            self.app.pause(queue)
            self.model.paused.add(queue)

    @precondition(lambda self: self.any(lambda job: job.ended))
    @rule(hours=st.sampled_from([0, 2, 26, 31 * 24, 60 * 24]))
    def prune(self, hours: int) -> None:
        """What is past its time goes; PostgreSQL empties a slot when all that lies in it is."""
        self.wait(hours * 3600)
        rows = self.clock.fetch("select id, slot, prune_at from penstock.finished_jobs")
        held = {slot for _, slot, prune_at in rows if prune_at > self.now and slot != 60 and self.store.slots}
        self.keeper.prune()
        self.model.forgets(self.now)
        self.model.pruned(id for id, slot, prune_at in rows if prune_at <= self.now and slot not in held)
        self.counters_are_true()

    # What is so at any time

    @invariant()
    def every_job_is_where_the_model_says(self) -> None:
        jobs = {job.id: (job.shown, job.attempt + bool(job.holder), job.holder, self.model.leases.get(job.holder or 0),
                         job.spec.queue, job.run_at) for job in self.model.jobs.values()}
        rows = self.clock.fetch("select id, state, attempt, lease, worker_id, queue, run_at from penstock.jobs")
        assert len(rows) == len(jobs), "each job is in one state"
        assert {row[0]: row[1:] for row in rows} == jobs
        ready = {(job.spec.queue, job.rank, job.id) for job in self.model.jobs.values() if job.ready}
        ids = "id + generate_series(0, jobs - 1)" if self.store.dialect == "postgres" else "id"
        found = self.clock.fetch(f"select queue, rank, {ids} from penstock.ready_jobs")
        assert len(found) == len(ready)
        assert set(found) == ready
        pending = {(job.spec.lines[0], job.rank, job.id, job.spec.queue) for job in self.model.pending()}
        assert set(self.clock.fetch("select line, rank, id, queue from penstock.pending_jobs")) == pending

    @invariant()
    def what_attempts_left_is_there(self) -> None:
        cursors = {id: cursor for id, (cursor, _) in self.model.cursors.items()}
        assert set(self.clock.fetch("select job_id, cursor from penstock.progress")) == set(cursors.items())
        results = {id: result for id, (result, _) in self.model.results.items()}
        assert set(self.clock.fetch("select job_id, result from penstock.job_results")) == set(results.items())

    def counters_are_true(self) -> None:
        assert {(each.queue, each.task, each.state): each.jobs for each in self.app.counts()} == self.model.counts()

    @precondition(lambda self: self.keyed)
    @invariant()
    def a_key_is_kept_for_as_long_as_it_was_asked_for(self) -> None:
        kept = self.clock.fetch("select job_id, until from penstock.unique_keys"
                                f" where until is null or until > {self.now}")
        assert set(kept) == self.model.kept_keys(self.now)

    def teardown(self) -> None:
        """In the end everything is claimed, settled and gone: nothing is stuck, and nothing was lost."""
        self.counters_are_true()
        for queue in list(self.model.paused):
            self.pause_or_resume(queue)
        for worker in (0, 1):
            self.crash(worker)
        self.wait(41)
        self.rescue()
        self.workers[0] = self.started()
        self.stage()
        while self.any(lambda job: not job.ended):
            before = self.model.counts()
            self.dispatch()
            for queue in ("q1", "q2"):
                self.took(0, claim(self.store, self.workers[0], {queue: 1000}),
                          self.model.claim(self.workers[0], queue, 1000, self.now))
            jobs = self.hands[0]
            self.ack(0, jobs, [Outcome(job.id, job.lease, "completed", keep_ms=0) for job in jobs])
            assert self.model.counts() != before, "something goes on"
        self.dispatch()
        assert not self.clock.fetch("select 1 from penstock.line_news")
        assert not self.clock.fetch("select 1 from penstock.wait_news")
        assert not self.clock.fetch("select 1 from penstock.job_waits")
        assert not self.clock.fetch("select line from penstock.lines where running <> 0 or turn is not null")
        assert not [job for job in self.model.jobs.values() if not job.ended]
        self.every_job_is_where_the_model_says()
        self.counters_are_true()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where possible: nothing here crashes the machine, and the disk's answers take most of the time."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_jobs_do_what_the_model_says(app: Penstock, clock: Clock, caplog: pytest.LogCaptureFixture,
                                     monkeypatch: pytest.MonkeyPatch, part: int):
    """`part` of several, each with examples of its own, so that they may run beside one another."""
    monkeypatch.setattr(bulk, "LEAST", 2)
    caplog.set_level("ERROR", "penstock")  # thousands of rescues are no news
    retry = RetryPolicy(max_attempts=3)
    says = declare(app, retry)
    for name, keys in TASKS.items():
        if name != MANY:
            app.task(name=name, retry=retry, retention=Retention(),
                     serial="value" if "serial" in keys else None,
                     concurrency=Concurrency(AT_ONCE, by="shared" if "serial" in keys else "value")
                     if "concurrency" in keys else None)(lambda number=0, value=0, shared=0: None)
    run_state_machine_as_test(lambda: Jobs(app, clock, says), settings=settings(
        max_examples=-(-EXAMPLES // PARTS), stateful_step_count=20, deadline=None,
        suppress_health_check=list(HealthCheck)))
