"""What jobs are, without a database: plain values and the rules that both stores are held to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.domain.jobs import FINAL_STATES, Outcome, Retention
from tests.model.waits_model import Waiting

LEASE_MS = 30_000
MOST_LOST = 3
POINT_MS = 60_000


AT_ONCE = 2
TASKS = {"mail": (), "sums": (), "many": (), "one": ("serial",), "two": ("concurrency",),
         "both": ("serial", "concurrency")}
"""The tasks, and which keys their jobs have: the serial one by their value, the other one, for `AT_ONCE`, too, but in
`both` all jobs share the latter."""


class Spec(NamedTuple):
    """One enqueue. A unique job has a `key`, which it keeps in the states `keeps`, for `period_ms` at most, and a
    `conflict` with what it meets."""

    task: str
    queue: str = "q1"
    priority: int = 0
    delay_ms: int = 0
    max_attempts: int = 3
    tags: tuple[str, ...] = ()
    deadline_ms: int | None = None
    key: str | None = None
    keeps: frozenset[str] = frozenset()
    period_ms: int | None = None
    value: int = 0
    conflict: Any = "skip"

    @property
    def lines(self) -> list[str]:
        """The line that its jobs wait in, and that of their second key."""
        values = [0 if key == "concurrency" and self.task == "both" else self.value for key in TASKS[self.task]]
        return [f"{key}:{self.task}:{value}" for key, value in zip(TASKS[self.task], values, strict=True)]


@dataclass
class Job:
    """`moment` is when it was enqueued (or requeued), as marks count; `holder` is the lease that may settle it. A job
    that is `placed` has a place in each of its lines. It `waits` for so many others, and whoever settles one that is
    `awaited` tells of it."""

    id: int
    spec: Spec
    moment: int
    run_at: int
    deadline_at: int | None
    state: str
    attempt: int = 0
    lost: int = 0
    holder: int | None = None
    prune_at: int | None = None
    placed: bool = False
    waits: int = 0
    awaited: bool = False
    batch: int | None = None

    @property
    def in_order(self) -> bool:
        return "serial" in TASKS[self.spec.task]

    @property
    def becomes(self) -> str:
        """What it is once it is due."""
        return "pending" if self.spec.lines and not self.placed else "available"

    @property
    def rank(self) -> int:
        return self.run_at - self.spec.priority * POINT_MS

    @property
    def shown(self) -> str:
        return "executing" if self.holder else self.state

    @property
    def ended(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def ready(self) -> bool:
        return self.state == "available" and not self.holder


@dataclass
class Key:
    job_id: int
    keeps: frozenset[str]
    until: int | None


@dataclass
class Model(Waiting):
    """Every operation takes the time in ms, and gives what the store is to give."""

    jobs: dict[int, Job] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    workers: dict[int, int] = field(default_factory=dict)
    leases: dict[int, int] = field(default_factory=dict)
    cursors: dict[int, tuple[str, int]] = field(default_factory=dict)
    results: dict[int, tuple[str, int]] = field(default_factory=dict)
    moment: int = 0
    last_id: int = 0

    # What people ask for

    def enqueue(self, specs: Sequence[Spec], got: Sequence[tuple[int, bool]], now: int,
                waits: Sequence[tuple[int, int, bool]] = (), batch: int | None = None, members: int = 0) -> None:
        """`got` is what the store gave: an id for each, and whether it is that of a job which was there already.
        `waits` are those of `Waiting.tie`; the first `members` belong to the `batch`."""
        self.moment += 1
        for spec, (id, skipped) in zip(specs, got, strict=True):
            met = self._met(spec.key, now)
            assert skipped == (met is not None), (spec, id, met)
            if met is not None:
                assert id == met
                continue
            assert id > self.last_id, "ids only ever grow"
            self.last_id = id
            due = now + spec.delay_ms
            deadline_at = None if spec.deadline_ms is None else now + spec.deadline_ms
            self.jobs[id] = job = Job(id, spec, self.moment, due, deadline_at, "scheduled")
            if due <= now:
                job.state = job.becomes
            if spec.key:
                self.keys[spec.key] = Key(id, spec.keeps, None if spec.period_ms is None else now + spec.period_ms)
        made = [id for id, skipped in got if not skipped]
        self.tie(waits, set(made), batch)
        if batch is not None:
            self.joins(batch, [id for id, skipped in got[:members] if not skipped])
        for id, skipped in got:  # a batch meets itself, whatever the states
            if not skipped:
                self._moved(self.jobs[id])

    def invalidate(self, tag: str) -> None:
        self.moment += 1
        self.marks[tag] = self.moment

    def cancel(self, id: int, now: int) -> str | None:
        job = self.jobs.get(id)
        if job is None or job.ended:
            return None
        if job.holder:
            self.asked.add(id)
            return "executing"
        self._end(job, "cancelled", now + Retention().keep_ms("cancelled", 0))
        return "cancelled"

    def requeue(self, id: int, now: int) -> bool:
        job = self.jobs.get(id)
        key = job.spec.key if job else None
        if job is None or not job.ended or self._met(key, now) not in (None, id):
            return False
        self.moment += 1
        self.goes_on(job)
        job.state, job.moment, job.run_at, job.prune_at = job.becomes, self.moment, now, None
        job.attempt = job.lost = 0
        job.deadline_at = None
        if key:
            self.keys[key] = Key(id, frozenset(("scheduled", "pending", "available", "executing", "retryable")), None)
        self.cursors.pop(id, None)
        self.results.pop(id, None)
        return True

    # What workers do

    def claim(self, worker_id: int, queue: str, count: int, now: int) -> list[tuple[int, int, str | None]]:
        """(id, number of the attempt, why it need not run) of each job that a claim is to give, in its order."""
        if worker_id not in self.workers or queue in self.paused:
            return []
        waiting = sorted((job.rank, job.id) for job in self.jobs.values() if job.ready and job.spec.queue == queue)
        return [(id, self.jobs[id].attempt + 1, self._stale(self.jobs[id], now)) for _, id in waiting[:count]]

    def claimed(self, worker_id: int, lease: int, ids: Iterable[int]) -> None:
        assert lease not in self.leases, "a lease is handed out once"
        assert lease > max(self.leases, default=0), "leases only ever grow"
        self.leases[lease] = worker_id
        for id in ids:
            self.jobs[id].holder = lease

    def settle(self, outcomes: Sequence[Outcome], ended: Sequence[int], now: int) -> set[int]:
        """The ids of those that change nothing, since another lease holds the job, or none."""
        stale = set()
        for outcome in outcomes:
            job = self.jobs.get(outcome.id)
            if job is None or job.holder != outcome.lease:
                stale.add(outcome.id)
                continue
            job.holder = None
            job.attempt += outcome.counted
            if outcome.result is not None:
                self.results[job.id] = outcome.result, now + outcome.result_ms
            if outcome.state in FINAL_STATES:
                self._end(job, outcome.state, now + outcome.keep_ms)
            else:
                job.state = outcome.state
                job.placed = job.placed and (
                    outcome.state == "available" or (outcome.state == "retryable" and job.in_order))
                if outcome.state != "available":
                    job.run_at = now + outcome.delay_ms
        for lease in ended:
            self.leases.pop(lease, None)
        return stale

    def says(self, id: int, lease: int, cursor: str, now: int) -> None:
        """An attempt says where it is; it is heard if the job is its own."""
        job = self.jobs.get(id)
        if job is not None and job.holder == lease:
            self.cursors[id] = cursor, now

    # What upkeep does

    def forgets(self, now: int) -> None:
        """Cursors an hour after their jobs have ended, and results and batches after their time."""
        live = {job.id for job in self.jobs.values() if not job.ended}
        self.cursors = {id: (cursor, told_at) for id, (cursor, told_at) in self.cursors.items()
                        if id in live or told_at >= now - 3_600_000}
        self.results = {id: (result, prune_at) for id, (result, prune_at) in self.results.items() if prune_at > now}
        self.forgets_batches(now)

    def stage(self, now: int) -> int:
        due = [job for job in self.jobs.values() if job.state in ("scheduled", "retryable") and job.run_at <= now]
        for job in due:
            job.state = job.becomes
            self._moved(job)
        return len(due)

    def admitted(self, run_at: Mapping[int, int]) -> None:
        """A dispatcher gave them places, and says as what they count as due from now on: in each line to the first that
        waits, and to no more than there may be."""
        found = [self.jobs[id] for id in run_at]
        for job in sorted(found, key=lambda job: (job.rank, job.id)):
            assert job.state == "pending"
            line = job.spec.lines[0]
            first = min((each.rank, each.id) for each in self.pending() if each.spec.lines[0] == line)
            assert (job.rank, job.id) == first, "a line keeps its order"
            job.state, job.placed, job.run_at = "available", True, run_at[job.id]
            self._moved(job)
        for line, places in self.places().items():
            assert places <= most(line), line

    def stuck(self) -> list[Job]:
        """What waits though there is a place for it: nothing, after a dispatcher's step."""
        places = self.places()
        return [job for job in self.pending()
                if job.spec.queue not in self.paused and all(places[line] < most(line) for line in job.spec.lines)
                and not any((each.rank, each.id) < (job.rank, job.id) and each.spec.lines[0] == job.spec.lines[0]
                            for each in self.pending())]

    def pending(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == "pending" and not job.waits]

    def places(self) -> Counter[str]:
        """How many places of each line are taken."""
        return Counter(line for job in self.jobs.values() if job.placed for line in job.spec.lines)

    def rescue(self, now: int) -> int:
        self.workers = {id: expires_at for id, expires_at in self.workers.items() if expires_at >= now}
        over = [lease for lease, worker_id in self.leases.items() if worker_id not in self.workers]
        rescued = [job for job in self.jobs.values() if job.holder in over]
        for job in rescued:
            job.holder = None
            job.attempt += 1
            job.lost += 1
            if job.attempt >= job.spec.max_attempts and job.lost >= MOST_LOST:
                self._end(job, "discarded", now + Retention().keep_ms("discarded", 0))
        for lease in over:
            del self.leases[lease]
        return len(rescued)

    def pruned(self, ids: Iterable[int]) -> None:
        for id in ids:
            del self.jobs[id]

    # What is so at any time

    def counts(self) -> Counter[tuple[str, str, str]]:
        return Counter((job.spec.queue, job.spec.task, job.shown) for job in self.jobs.values())

    def kept_keys(self, now: int) -> set[tuple[int, int | None]]:
        """(job, until when) of every key that an enqueue would meet."""
        return {(key.job_id, key.until) for key in self.keys.values() if key.until is None or key.until > now}

    def _met(self, key: str | None, now: int) -> int | None:
        found = self.keys.get(key) if key else None
        return found.job_id if found and (found.until is None or found.until > now) else None

    def _stale(self, job: Job, now: int) -> str | None:
        if job.deadline_at is not None and job.deadline_at <= now:
            return "deadline"
        if any(self.marks.get(tag, 0) > job.moment for tag in job.spec.tags):
            return "invalidated"
        return "cancelled" if job.id in self.asked else None

    def _end(self, job: Job, state: str, prune_at: int) -> None:
        job.state, job.prune_at, job.placed = state, prune_at, False
        self.tells(job, state)
        self.asked.discard(job.id)
        self._moved(job)

    def _moved(self, job: Job) -> None:
        """A job that leaves the states in which it keeps its key frees it; beyond its end it is kept for a while."""
        key = self.keys.get(job.spec.key) if job.spec.key else None
        if key is None or key.job_id != job.id:
            return
        if job.state not in key.keeps:
            del self.keys[str(job.spec.key)]
        elif job.ended and key.until is None:
            key.until = job.prune_at


def most(line: str) -> int:
    """How many jobs of a line may have a place at once."""
    return 1 if line.startswith("serial:") else AT_ONCE
