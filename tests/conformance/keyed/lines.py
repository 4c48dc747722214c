"""What the store says of lines; admitting a job by hand, as a dispatcher would; and a worker without threads."""

from collections import Counter
from typing import Any

from penstock import Penstock
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.claim import claim, settle
from tests.clock import Clock

HELD = """
    select {place}, count(*) from penstock.live_jobs
    where {place} is not null and (state = 'available' or state = 'retryable' and in_order) group by {place}"""
KEPT = "select {place}, count(*) from penstock.kept_places where {place} is not null group by {place}"


class Lines:
    """`taken` are the places that admissions took, by line; news of freed ones gives them back."""

    def __init__(self, app: Penstock, clock: Clock) -> None:
        self.app, self.clock, self.store = app, clock, app.store
        self.taken = Counter[str]()
        self._worker: int | None = None

    def news(self) -> list[tuple[Any, ...]]:
        """The news so far, in order of their lines; and none of it is left."""
        rows = sorted(self.clock.fetch("select line, freed, most, pace_us, gates from penstock.line_news"), key=str)
        for line, freed, *_ in rows:
            self.taken[line] -= freed
        self.clock.fetch("delete from penstock.line_news returning 1")
        return rows

    def pending(self) -> list[tuple[Any, ...]]:
        """(line, id) of what waits, as it would be admitted."""
        return self.clock.fetch("select line, id from penstock.pending_jobs order by line, rank, id")

    def admit(self, *ids: int) -> None:
        """Hand jobs over to the workers: each takes a place in its lines."""
        for id in ids:
            rows = self.clock.fetch(
                f"update penstock.live_jobs set state = 'available' where id = {id} and state = 'pending'"
                " returning queue, task, run_at - priority * 60000, line, also")
            assert rows, f"job {id} is pending"
            queue, task, rank, line, also = rows[0]
            for sql in (f"delete from penstock.pending_jobs where id = {id} returning 1",
                        "insert into penstock.ready_jobs (queue, rank, id)"
                        f" values ('{queue}', {rank}, {id}) returning 1",
                        f"insert into penstock.count_deltas (queue, task, state, slot, n) values ('{queue}', '{task}',"
                        f" 'pending', 0, -1), ('{queue}', '{task}', 'available', 0, 1) returning 1"):
                assert self.clock.fetch(sql)
            for each in (line, also):
                if each:
                    self.clock.fetch("insert into penstock.lines (line, kind, room, running)"
                                     f" values ('{each}', 'job', '{queue}', 1) on conflict do nothing returning 1")
            self.taken.update(each for each in (line, also) if each)

    def held(self) -> dict[str, int]:
        """The places that are held, by what the jobs say."""
        found = Counter[str]()
        for sql in (HELD, KEPT):
            for place in ("line", "also"):
                found.update(dict(self.clock.fetch(sql.format(place=place))))  # type: ignore[arg-type]
        return dict(found)

    def all_are_free(self) -> None:
        """No job holds a place, and what was taken was given back, each once."""
        self.news()
        assert self.held() == {}
        assert {line: count for line, count in self.taken.items() if count} == {}

    def state(self, id: int) -> str:
        [(state,)] = self.clock.fetch(f"select state from penstock.jobs where id = {id}")
        return str(state)

    # A worker

    def start(self, lease_ms: int = 30_000) -> int:
        """Another worker, that claims from now on."""
        row = self.store.write(lambda tx: tx.row("worker_start", {"name": "test", "lease_ms": lease_ms}))
        assert row is not None
        self._worker = int(row[0])
        return self._worker

    def claim(self, queue: str = "default") -> list[Claimed]:
        return claim(self.store, self._worker or self.start(), {queue: 100})

    def settle(self, job: Claimed, state: str, *, delay_ms: int = 0, error_class: str | None = None) -> set[int]:
        counted = int(state != "scheduled")
        return settle(self.store, [Outcome(job.id, job.lease, state, counted, keep_ms=3_600_000, delay_ms=delay_ms,
                                           error_class=error_class)], [job.lease])
