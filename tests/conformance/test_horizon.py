"""Under somebody else's long transaction no dead row can be removed: what that costs a hot statement does not grow.

The cost is what PostgreSQL counts: the pages that a statement touches. On SQLite deleted rows are gone at once.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from penstock import Penstock
from penstock.domain.jobs import JobState, Outcome
from penstock.queue.claim import LOWEST, claim_queue, settle, stragglers
from penstock.queue.control import fold_counts
from tests.clock import Clock
from tests.databases import database

FEW, MANY = 600, 9_000
BATCH = 300


class Stream:
    """Jobs on their way through a worker that remembers how far its claims have come."""

    def __init__(self, app: Penstock, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.after = (LOWEST, LOWEST)
        self.upkeep = app.upkeep()
        row = app.store.write(lambda tx: tx.row("worker_start", {"name": "test", "lease_ms": 10**9}))
        assert row is not None
        self.worker_id = row[0]

        @app.task(name="work")
        def work() -> None: ...

        self.work: Any = work

    def pass_through(self, jobs: int) -> None:
        """Enqueue jobs, half of them delayed; stage, claim and settle them, and do what upkeep does."""
        for _ in range(jobs // BATCH):
            self.app.enqueue_many(self.work.call() for _ in range(BATCH // 2))
            self.app.enqueue_many(self.work.using(run_after=timedelta(seconds=1)).call() for _ in range(BATCH // 2))
            self.clock.advance(2)
            self.upkeep.step()
            while claimed := claim_queue(self.app.store, self.worker_id, "default", BATCH, self.after):
                self.after = max(self.after, (claimed[-1].rank, claimed[-1].id))
                done = [Outcome(job.id, job.lease, JobState.COMPLETED, keep_ms=86_400_000) for job in claimed]
                assert not settle(self.app.store, done, [claimed[0].lease])
            fold_counts(self.app.store)

    def params(self, name: str) -> dict[str, Any]:
        """Those of a worker that has come so far."""
        rank, id = self.after
        place = {"after": rank, "after_id": id, "queue": "default", "count": 20}
        match name:
            case "claim":
                return {**place, "worker_id": self.worker_id, "rows": 20,
                        "found": f"[[{rank}, {id}], [{rank - 5}, {id - 5}]]"}
            case "stage" | "next_due":
                return {"count": 20, "after": self.clock.now_ms}
            case "settle_completed":
                (lease, jobs), = self.claimed.items()
                return {"ids": jobs, "leases": [lease] * len(jobs), "took_ms": [1] * len(jobs), "keep_ms": 1,
                        "ended": [lease]}
        return place

    @property
    def claimed(self) -> dict[int, list[int]]:
        """The jobs under way, by their lease."""
        rows = self.clock.fetch("select id, job_ids from penstock.leases")
        return {lease: list(jobs) for lease, jobs in rows}


@pytest.fixture
def app(postgres_server: str, postgres_template: str) -> Iterator[Penstock]:
    """An app on PostgreSQL whose time stands still, while another session holds a snapshot."""
    with database(postgres_server, postgres_template) as url:
        clock = Clock(url)
        with psycopg.connect(url) as holder, Penstock(url, now=clock.expression) as app:
            holder.isolation_level = IsolationLevel.REPEATABLE_READ
            holder.execute("select count(*) from penstock.ready_jobs")
            yield app
        clock.close()


@pytest.fixture
def stream(app: Penstock) -> Iterator[Stream]:
    clock = Clock(app.store.url)  # type: ignore[attr-defined]
    yield Stream(app, clock)
    clock.close()


def pages(app: Penstock, name: str, params: dict[str, Any]) -> int:
    """How many pages a statement touches; it is rolled back."""
    compiled = app.store.compile(name)
    with psycopg.connect(app.store.url) as connection:  # type: ignore[attr-defined]
        connection.execute("set enable_seqscan = off")
        given = {key: params[key] for key in compiled.names}
        (row,) = connection.execute(f"explain (analyze, buffers, format json) {compiled.sql}", given).fetchall()
        connection.rollback()
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


HOT = ["claim", "stage", "next_due", "counts_waiting", "counts_fold", "counts"]


def test_what_a_hot_statement_touches_does_not_grow_with_dead_rows(app: Penstock, stream: Stream):
    def touched() -> dict[str, int]:
        found = {}
        for name in HOT:
            app.enqueue_many(stream.work.call() for _ in range(20))
            found[name] = pages(app, name, stream.params(name))
        claimed = claim_queue(app.store, stream.worker_id, "default", 20, stream.after)
        assert len(claimed) == 20
        found["settle_completed"] = pages(app, "settle_completed", stream.params("settle_completed"))
        settle(app.store, [Outcome(job.id, job.lease, JobState.COMPLETED, keep_ms=1) for job in claimed],
               [claimed[0].lease])
        return found

    stream.pass_through(FEW)
    before = touched()
    stream.pass_through(MANY)
    after = touched()
    # A tree may have grown by a level.
    assert not {name: (before[name], many) for name, many in after.items() if many > before[name] * 1.2 + 12}


def test_what_came_of_late_is_found_below_the_mark_at_a_cost_that_is_bounded(app: Penstock, stream: Stream):
    stream.pass_through(MANY)
    urgent = stream.work.using(priority=9).enqueue().id
    assert claim_queue(app.store, stream.worker_id, "default", 20, stream.after) == []
    found = stragglers(app.store, "default", stream.after, 20, everywhere=False)
    assert [id for _, id in found] == [urgent]
    assert pages(app, "stragglers_new", stream.params("stragglers_new")) <= 64 + 12
    claimed = claim_queue(app.store, stream.worker_id, "default", 20, stream.after, found)
    assert [job.id for job in claimed] == [urgent]


def test_counts_are_right_though_folds_begin_where_the_last_one_did(app: Penstock, stream: Stream):
    stream.pass_through(FEW)
    with psycopg.connect(app.store.url) as other:  # type: ignore[attr-defined]
        stream.work.using(connection=other).enqueue()  # its transaction is older than the folds that follow
        stream.pass_through(FEW)
        app.enqueue_many(stream.work.call() for _ in range(3))
        fold_counts(app.store)
        other.commit()
    for _ in range(2):
        assert {(each.state, each.jobs) for each in app.counts()} == {("available", 4), ("completed", 2 * FEW)}
        fold_counts(app.store)


def test_a_fold_begins_anew_in_a_database_that_was_restored_on_another_server(app: Penstock, stream: Stream):
    stream.pass_through(FEW)
    with psycopg.connect(app.store.url, autocommit=True) as restored:  # type: ignore[attr-defined]
        restored.execute("update penstock.count_folds set xact = '9000000000000'")
    stream.work.enqueue()
    fold_counts(app.store)
    assert {(each.state, each.jobs) for each in app.counts()} == {("available", 1), ("completed", FEW)}


def test_a_job_that_becomes_visible_where_others_were_staged_is_staged_too(app: Penstock, stream: Stream):
    with psycopg.connect(app.store.url) as other:  # type: ignore[attr-defined]
        late = stream.work.using(run_after=timedelta(seconds=1), connection=other).enqueue().id
        stream.work.using(run_after=timedelta(seconds=2)).enqueue()
        stream.clock.advance(3)
        stream.upkeep.step()
        other.commit()
    staged = {row[0] for row in stream.clock.fetch("select id from penstock.ready_jobs")}
    assert late not in staged
    app.upkeep().step()  # a look through all of them, as comes round by itself
    assert late in {row[0] for row in stream.clock.fetch("select id from penstock.ready_jobs")}
