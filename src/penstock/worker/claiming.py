"""The claim loop: asks for as many jobs as the lanes have room for, and gives them to their slots.

On a store where dead rows linger (PostgreSQL, under somebody else's long transaction), a claim does not read again what
it has passed: it begins above the highest rank that it has seen. What becomes visible below that mark is found by
`look`, which runs beside: it looks through what came of late each time, which costs no more the longer the dead rows
linger, and through everything as often as may take a tenth of its time, however slow that becomes.
"""

import random
import time
from collections.abc import Callable, Mapping
from threading import Event

from penstock.domain.jobs import Claimed
from penstock.domain.pools import Pool
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.queue.claim import LOWEST, claim_queue, stragglers
from penstock.store.port import Store
from penstock.worker.deciding import Decision
from penstock.worker.gathering import Chunks
from penstock.worker.lane import BATCH, Lane
from penstock.worker.settling import Settling
from penstock.worker.timebox import Monotonic, TimeBox

LOOK_REST_SECONDS = 0.01
_LOOK_SHARE = 10


class Claiming:
    """`step` belongs to the claim loop, `look` to that of the stragglers."""

    def __init__(self, store: Store, lanes: Mapping[str, Lane], pool_of: Callable[[str], Pool], decision: Decision,
                 settling: Settling, *, identity: Callable[[], Identity], stopping: Event, poll_seconds: float,
                 asked: set[int], chunks: Chunks, load: Callable[[int], str | None], box: TimeBox | None = None,
                 monotonic: Monotonic = time.monotonic) -> None:
        self._store = store
        self._lanes = list(lanes.values())
        self._pool_of = pool_of
        self._decision = decision
        self._settling = settling
        self._identity = identity
        self._stopping = stopping
        self._asked = asked
        self._load = load
        self._poll_seconds = poll_seconds
        self._chunks = chunks
        self._until = None if box is None else box.until
        self._begin_until = None if box is None else box.begin_until
        self._monotonic = monotonic
        self._everywhere_at = 0.0
        self.closed = False
        self.wake: Callable[[], None] = lambda: None

    def step(self) -> float:
        """Claim once for every lane with room; again at once where more was there than was asked for."""
        again = False
        if self._begin_until is not None and self._monotonic() >= self._begin_until:
            self.closed = True
        rest = self._poll_seconds * random.uniform(0.75, 1.25)
        for lane in self._lanes:
            lane.feed()
            if lane.gathering.count and not self.closed:
                self._begin_due(lane)
            count = 0 if self.closed else lane.room()
            if count and not lane.mixed:
                again = self._claim(lane, count) or again
            else:
                lane.full = True  # nobody asked, so there may be more: the next slot to be free asks
            if lane.gathering.count and not self.closed:
                rest = min(rest, lane.gathering.seconds_left() or 0.0)
        return 0.0 if again else rest

    def _begin_due(self, lane: Lane) -> None:
        """Begin the calls that have waited for more jobs for long enough."""
        if calls := lane.gathering.due():
            lane.take([(call, self._pool_of(call.job.task)) for call in calls])

    def gathers(self) -> bool:
        """Whether there is anything that has not begun since it waits for more."""
        return any(lane.gathering.count for lane in self._lanes)

    def called(self, jobs: list[Claimed], identity: Identity, deadlines: dict[int, float]) -> ChunkAttempt:
        """One call with these jobs."""
        return ChunkAttempt(jobs[0], identity, self._stopping, tell=self._settling.tell, until=self._until,
                            monotonic=self._monotonic, jobs=jobs, deadlines=deadlines)

    def _claim(self, lane: Lane, count: int) -> bool:
        found, lane.found = lane.found, []
        identity = self._identity()
        rows = -(-count // lane.per_row)
        claimed = claim_queue(self._store, identity.worker_id, lane.queue, count, lane.after, found, rows)
        if not claimed:
            lane.full, lane.per_row = False, 1
            return False
        lane.full, lane.per_row = claimed[-1].more, claimed[-1].per_row
        if rows > -(-count // lane.per_row):
            self._store.wake()  # others may have found nothing, while we held what we did not take
        if lane.full:
            lane.found = [place for place in found if place > (claimed[-1].rank, claimed[-1].id)]
        if self._store.dead_rows_linger:
            lane.after = max(lane.after, (claimed[-1].rank, claimed[-1].id))
        for lease, jobs in _by_lease(claimed).items():
            self._settling.open(lease, jobs)
        calls: list[ChunkAttempt] = []
        if chunks := self._chunks.current():
            claimed, calls = self._gathered(lane, claimed, chunks, identity)
        taken: list[tuple[Attempt, Pool]] = []
        tell = self._settling.tell
        for job in claimed:
            deadline_at = None if job.deadline_ms is None else time.monotonic() + job.deadline_ms / 1000
            attempt = Attempt(job, identity, self._stopping, deadline_at, tell, self._load, self._until,
                              self._monotonic)
            if job.stale is not None:
                self._settling.add(attempt, self._decision.stale(attempt))
                continue
            if self._asked:
                self._asked.discard(job.id)  # it was requeued since: a claim knows of every cancellation before it
            taken.append((attempt, self._pool_of(job.task)))
        if len(taken) < len(claimed):
            self._settling.wake()
        if calls:
            taken += [(call, self._pool_of(call.job.task)) for call in calls]
        if taken:
            lane.take(taken)
        return lane.full and lane.room() > 0

    def _gathered(self, lane: Lane, claimed: list[Claimed], chunks: Chunks,
                  identity: Identity) -> tuple[list[Claimed], list[ChunkAttempt]]:
        """Let the jobs of chunk tasks gather: the other jobs, and the calls that are complete."""
        gathering = lane.gathering
        calls = gathering.of_others(identity)
        others, places = [], 0.0
        for job in claimed:
            chunk = chunks.get(job.task)
            if chunk is None or job.stale is not None:
                others.append(job)
                places += 1
                continue
            if self._asked:
                self._asked.discard(job.id)
            places += 1 / chunk.size
            call = gathering.add(job, chunk, identity)
            if call is not None:
                calls.append(call)
        lane.per_call = max(len(claimed) / places, 1.0)
        calls += gathering.due()  # those that wait for nobody
        most = max(lane.wanted, 0) + lane.slots
        if len(others) > most:
            self._too_many(lane, others[most:], identity)
        return others[:most], calls

    def _too_many(self, lane: Lane, jobs: list[Claimed], identity: Identity) -> None:
        """Give back what was claimed in the belief that many of it would go into one slot: others may have room."""
        lane.after = min(lane.after, (jobs[0].rank, jobs[0].id - 1))
        for job in jobs:
            attempt = Attempt(job, identity, self._stopping)
            self._settling.add(attempt, self._decision.dropped(attempt))
        self._settling.wake()

    def look(self) -> float:
        """Look below the marks for what became visible there; longer looks are farther apart."""
        began = time.monotonic()
        everywhere = began >= self._everywhere_at
        woken = False
        for lane in self._lanes:
            if lane.after[0] == LOWEST or lane.found:
                continue
            found = stragglers(self._store, lane.queue, lane.after, BATCH, everywhere=everywhere)
            if len(found) == BATCH:
                lane.after = (found[0][0], LOWEST)  # so many that the next claims had better begin there
            lane.found = found
            woken = woken or bool(found)
        if woken:
            self.wake()
        ended = time.monotonic()
        rest = (ended - began) * (_LOOK_SHARE - 1)
        if everywhere:
            self._everywhere_at = ended + rest
        if not everywhere and rest > LOOK_REST_SECONDS:
            time.sleep(rest)
        left = self._everywhere_at - time.monotonic()  # what woke us may lie where only a look everywhere finds it
        return self._poll_seconds if everywhere else min(max(left, 0.0), self._poll_seconds)


def _by_lease(claimed: list[Claimed]) -> dict[int, int]:
    found: dict[int, int] = {}
    for job in claimed:
        found[job.lease] = found.get(job.lease, 0) + 1
    return found
