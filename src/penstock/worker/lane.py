"""One queue's slots, and how much to claim for them: by time, not by count.

Enough is claimed for the free slots and about 50 ms of work beyond, at the measured duration of the queue's jobs: short
jobs come in hundreds, long ones are left for others. What is claimed counts until it has been settled.
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import ceil
from typing import Protocol

from penstock.domain.names import name_fault
from penstock.domain.pools import Pool
from penstock.queue.attempt import Attempt
from penstock.queue.claim import LOWEST
from penstock.worker.gathering import Gathering
from penstock.worker.showing import Place

AHEAD_SECONDS = 0.05
BATCH = 1000
_MOST_AHEAD = 4000
_WEIGHT = 0.2


def slots_faults(queue: str, slots: object) -> list[str]:
    """What is wrong with a queue and its number of slots."""
    faults = [fault] if (fault := name_fault("queue", queue)) else []
    if type(slots) is not int or slots < 1:
        faults.append(f"queue {queue!r}: expected at least 1 slot, a whole number, got {slots!r}")
    return faults


class JobPool(Protocol):
    """Where the bodies of one kind of task run: takes attempts at once, and runs as many together as it has slots."""

    def submit(self, attempts: Sequence[Attempt]) -> None: ...

    def waiting(self) -> int:
        """How many attempts wait in it for a slot."""
        ...

    def running(self) -> list[Attempt]: ...

    def places(self) -> list[Place]:
        """Where each of those that run does."""
        ...

    def withdraw(self) -> list[Attempt]:
        """Take back what has not begun."""
        ...

    def replace(self, attempt: Attempt) -> None:
        """Go on without an attempt that does not end."""
        ...

    def close(self) -> None: ...


class Lane:
    """The slots of one queue. `take` and `feed` belong to the claim loop, `settled` to the settle loop.

    A pool is `made` for so many slots when the first job of its kind comes, so that a kind without jobs costs nothing.
    """

    def __init__(self, queue: str, slots: int, made: Callable[[int, Pool], JobPool], gathering: Gathering) -> None:
        self.queue = queue
        self.slots = slots
        self._made = made
        self._pools: list[JobPool] = []  # others read these lists while the claim loop adds to them
        self._waiting: list[Callable[[], int]] = []
        self._by_kind: list[JobPool | None] = [None] * len(Pool)
        self.full = False  # whether the last claim gave all that it asked for, so that there is more
        self.per_row = 1  # for how many jobs a ready row stood when we claimed last
        self.after = (LOWEST, LOWEST)
        self.found: list[tuple[int, int]] = []
        self._mean_seconds: float | None = None
        self._ahead = 0
        self._few = 0
        self._given = [0] * len(Pool)
        self._settled = [0] * len(Pool)
        self._buffer: deque[tuple[Attempt, Pool]] = deque()  # claimed while several kinds of task have jobs here
        self.gathering = gathering
        self.per_call = 1.0  # how many jobs one slot took at once, of those that were claimed last
        self.wanted = 0  # for how many slots, and what is claimed ahead for them, `room` was asked

    @property
    def low(self) -> bool:
        """Whether so little is left waiting in the slots' queues that it is time to claim."""
        waiting = 0
        for count in self._waiting:
            waiting += count()
        return waiting <= self._few

    def _begun(self) -> int:
        return sum(self._given) - sum(self._settled)

    @property
    def under_way(self) -> int:
        """Attempts that were claimed and are not yet settled; a call with many jobs is one."""
        return self._begun() + len(self._buffer)

    def room(self) -> int:
        """How many jobs to claim now."""
        self.wanted = wanted = self.slots + self._ahead - self.under_way
        if self.per_call > 1:
            wanted = min(wanted, self.slots + int(_MOST_AHEAD / self.per_call) - self.under_way)
            if wanted > 0:  # what is gathered waits for more of its kind, so it keeps a slot that is free from nobody
                wanted = ceil(max(wanted - self.gathering.places(), 1) * self.per_call)
        return min(wanted, BATCH) if wanted > 0 else 0

    def take(self, attempts: Sequence[tuple[Attempt, Pool]]) -> None:
        """Take what was claimed, each with the kind of pool that its task runs in."""
        kinds = {kind for _, kind in attempts}
        if len(kinds) == 1 and not self._buffer:
            (kind,) = kinds
            if self._begun() == self._given[kind] - self._settled[kind]:
                self._give([attempt for attempt, _ in attempts], kind)
                return
        self._buffer.extend(attempts)
        self.feed()

    def feed(self) -> None:
        """Where kinds are mixed, begin no more than there are slots for all together."""
        while self._buffer and self._begun() < self.slots:
            attempt, kind = self._buffer.popleft()
            self._give([attempt], kind)

    @property
    def mixed(self) -> bool:
        return bool(self._buffer)

    def _give(self, attempts: list[Attempt], kind: Pool) -> None:
        self._given[kind] += len(attempts)
        for attempt in attempts:
            attempt.pool = kind
        pool = self._by_kind[kind]
        if pool is None:
            pool = self._by_kind[kind] = self._made(self.slots, kind)
            self._pools.append(pool)
            self._waiting.append(pool.waiting)
        pool.submit(attempts)

    def settled(self, counts: Sequence[int], seconds: float) -> None:
        """So many attempts of each kind have ended, after so many seconds of running in all."""
        for kind, count in enumerate(counts):
            self._settled[kind] += count
        if ended := sum(counts):
            mean = seconds / ended
            old = self._mean_seconds
            self._mean_seconds = mean = mean if old is None else old + _WEIGHT * (mean - old)
            # How many jobs more than there are slots keep the slots busy until the next claim; asked for every job.
            self._ahead = min(int(self.slots * AHEAD_SECONDS / max(mean, 1e-6)), _MOST_AHEAD)
            self._few = self._ahead // 2

    def running(self) -> list[Attempt]:
        return [attempt for pool in self._pools for attempt in pool.running()]

    def places(self) -> list[Place]:
        return [place for pool in self._pools for place in pool.places()]

    def replace(self, attempt: Attempt) -> None:
        """Go on without an attempt that does not end: its slot is for others."""
        if attempt.pool is not None and (pool := self._by_kind[attempt.pool]) is not None:
            pool.replace(attempt)

    def withdraw(self) -> list[Attempt]:
        """Take back what has not begun, once and for all: nothing is claimed for this lane any more."""
        buffered = [*(attempt for attempt, _ in self._buffer), *self.gathering.rest()]
        self._buffer.clear()
        return [*(attempt for pool in self._pools for attempt in pool.withdraw()), *buffered]

    def close(self) -> None:
        for pool in self._pools:
            pool.close()
