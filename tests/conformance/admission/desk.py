"""A dispatcher a step at a time, and a worker without threads; what holds of lines is held to after each step."""

from collections import Counter
from typing import Any

from penstock import Penstock
from penstock.admission.dispatcher import Dispatcher
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.claim import claim, settle
from tests.clock import Clock

PLACES = """
    select {place}, count(*) from penstock.live_jobs
    where {place} is not null and (state = 'available' or state = 'retryable' and in_order) group by {place}"""


class Desk:
    """`began` are the jobs that were claimed, in their order."""

    def __init__(self, app: Penstock, clock: Clock) -> None:
        self.app, self.clock, self.store = app, clock, app.store
        self.began: list[int] = []
        self._dispatcher: Dispatcher | None = None
        row = self.store.write(lambda tx: tx.row("worker_start", {"name": "test", "lease_ms": 10**9}))
        assert row is not None
        self.worker_id = int(row[0])

    @property
    def dispatcher(self) -> Dispatcher:
        if self._dispatcher is None:
            self._dispatcher = self.app.dispatcher()
        return self._dispatcher

    def another(self) -> None:
        """Another worker's dispatcher acts from now on."""
        self._dispatcher = None

    def dispatch(self) -> None:
        """Steps until nothing more comes of one."""
        while self.dispatcher.step() == 0:
            pass
        self.holds()

    def holds(self) -> None:
        """What runs under each line is what the jobs say, once the news of it is folded."""
        expected = Counter[str]()
        for place in ("line", "also"):
            expected.update(dict(self.clock.fetch(PLACES.format(place=place))))  # type: ignore[arg-type]
        expected.update(dict(self.clock.fetch("select line, sum(freed) from penstock.line_news group by line")))  # type: ignore[arg-type]
        found = dict(self.clock.fetch("select line, running from penstock.lines where running > 0 and kind <> 'run'"))
        assert found == {line: count for line, count in expected.items() if count}

    def claim(self, count: int = 100, queue: str = "default") -> list[Claimed]:
        jobs = claim(self.store, self.worker_id, {queue: count})
        self.began += [job.id for job in jobs]
        return jobs

    def settle(self, *jobs: Claimed, state: str = "completed", delay_ms: int = 0) -> None:
        settle(self.store, [Outcome(job.id, job.lease, state, keep_ms=3_600_000, delay_ms=delay_ms) for job in jobs])

    def work(self, count: int = 100) -> list[int]:
        """Dispatch, and run what may begin; return its ids in the order in which it was claimed."""
        self.dispatch()
        jobs = self.claim(count)
        self.settle(*jobs)
        return [job.id for job in jobs]

    def drain(self) -> list[int]:
        """Work until nothing is left that may begin."""
        found: list[int] = []
        while ids := self.work():
            found += ids
        return found

    def lines(self, columns: str = "line, running") -> list[tuple[Any, ...]]:
        return self.clock.fetch(f"select {columns} from penstock.lines order by line")
