"""What jobs that wait for others are, without a database, and batches: marks, news of ends, and what a dispatcher makes
of them. See `penstock.admission.waits`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from penstock.domain.jobs import Retention

KEPT_MS = 30 * 86_400_000
"""For how long a batch is remembered."""


@dataclass
class Batch:
    """`state` is what it came to, once it has ended. `news` says whether there is any since the last fold."""

    closed: bool
    total: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    state: str | None = None
    prune_at: int | None = None
    news: bool = True

    @property
    def told(self) -> tuple[int, int, int, int]:
        return self.total, self.ended["completed"], self.ended["cancelled"], self.ended["discarded"]


@dataclass
class Waiting:
    """The part of the model of jobs that says who waits for whom, and who has been told of what."""

    jobs: dict[int, Any] = field(default_factory=dict)
    waits: dict[tuple[int, int], bool] = field(default_factory=dict)
    looked_for: set[int] = field(default_factory=set)
    told: list[tuple[int, str]] = field(default_factory=list)
    batches: dict[int, Batch] = field(default_factory=dict)

    def tie(self, waits: Iterable[tuple[int, int, bool]], made: set[int], batch: int | None = None) -> None:
        """(job, what it waits for, anyway) of jobs that were just `made`, together with a batch."""
        for id, on, anyway in waits:
            if id not in made or on == id or (on, id) in self.waits:
                continue
            self.waits[on, id] = anyway
            self.jobs[id].waits += 1
            self.jobs[id].state = "pending"
            if on in made:
                self.jobs[on].awaited = True
            elif on != batch:
                self.looked_for.add(on)

    def joins(self, batch: int, made: Iterable[int]) -> None:
        for id in made:
            self.jobs[id].batch = batch
            self.batches[batch].total += 1

    def tells(self, job: Any, state: str) -> None:
        """A job has ended."""
        job.waits = 0
        if job.awaited:
            self.told.append((job.id, state))
        if batch := self.batches.get(job.batch):
            batch.ended[state] += 1
            batch.news = True

    def goes_on(self, job: Any) -> None:
        """A job that had ended is requeued."""
        job.awaited = False
        if batch := self.batches.get(job.batch):
            batch.ended[job.state] -= 1
            batch.news = True

    def held(self) -> dict[int, int]:
        """For how many each job waits that does."""
        return {job.id: job.waits for job in self.jobs.values() if job.waits}

    def fold(self, now: int) -> None:
        """What a dispatcher does with news, until there is none."""
        while self.told or self.looked_for or any(batch.news for batch in self.batches.values()):
            told, self.told = self.told, []
            looked_for, self.looked_for = self.looked_for, set()
            for id in self._over():
                batch = self.batches[id]
                batch.state = "completed" if batch.ended["completed"] == batch.total else "failed"
                self.told.append((id, batch.state))
            for batch in self.batches.values():
                if batch.news and batch.state and batch.total == batch.ended.total():
                    batch.prune_at = now + KEPT_MS
                batch.news = False
            for id in looked_for:
                self._look_for(id)
            for id, state in dict(told).items():
                self._end_waits(id, state, now)

    def forgets_batches(self, now: int) -> None:
        self.batches = {id: batch for id, batch in self.batches.items()
                        if batch.prune_at is None or batch.prune_at > now}

    def _over(self) -> list[int]:
        return [id for id, batch in self.batches.items()
                if batch.state is None and batch.closed and batch.total == batch.ended.total()]

    def _look_for(self, id: int) -> None:
        if id in self.batches:
            if state := self.batches[id].state:
                self.told.append((id, state))
        elif id not in self.jobs:
            self.told.append((id, "gone"))
        elif self.jobs[id].ended:
            self.told.append((id, self.jobs[id].state))
        else:
            self.jobs[id].awaited = True

    def _end_waits(self, on: int, state: str, now: int) -> None:
        for awaited, id in [wait for wait in self.waits if wait[0] == on]:
            anyway = self.waits.pop((awaited, id))
            job = self.jobs.get(id)
            if job is None or not job.waits:
                continue
            if state != "completed" and not anyway:
                self._end(job, "cancelled", now + Retention().keep_ms("cancelled", 0))
                continue
            job.waits -= 1
            if not job.waits:
                job.run_at = max(job.run_at, now)
                job.state = "scheduled" if job.run_at > now else job.becomes
                self._moved(job)

    def _end(self, job: Any, state: str, prune_at: int) -> None:
        raise NotImplementedError

    def _moved(self, job: Any) -> None:
        raise NotImplementedError
