"""One queue's slots, and how much to claim for them: by time, not by count.

Enough is claimed for the free slots and about 50 ms of work beyond, at the measured duration of the queue's jobs: short
jobs come in hundreds, long ones are left for others. What is claimed counts until it has been settled.
"""

from collections import deque
from collections.abc import Sequence

from penstock.domain.names import name_fault
from penstock.queue.attempt import Attempt
from penstock.queue.claim import LOWEST
from penstock.worker.pools import LoopPool, ThreadPool

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


class Lane:
    """The slots of one queue. `take` and `feed` belong to the claim loop, `settled` to the settle loop."""

    def __init__(self, queue: str, slots: int, threads: ThreadPool, loop: LoopPool) -> None:
        self.queue = queue
        self.slots = slots
        self.threads = threads
        self.loop = loop
        self.full = False  # whether the last claim gave all that it asked for, so that there is more
        self.per_row = 1  # for how many jobs a ready row stood when we claimed last
        self.after = (LOWEST, LOWEST)
        self.found: list[tuple[int, int]] = []
        self._mean_seconds: float | None = None
        self._ahead = 0
        self._few = 0
        self._given = {True: 0, False: 0}
        self._settled = {True: 0, False: 0}
        self._buffer: deque[tuple[Attempt, bool]] = deque()  # claimed while both kinds of task have jobs here

    @property
    def low(self) -> bool:
        """Whether so little is left waiting in the slots' queues that it is time to claim."""
        return self.threads.waiting() + self.loop.waiting() <= self._few

    def _under_way(self, kind: bool) -> int:
        return self._given[kind] - self._settled[kind]

    @property
    def under_way(self) -> int:
        """Jobs that were claimed and are not yet settled."""
        return self._under_way(True) + self._under_way(False) + len(self._buffer)

    def room(self) -> int:
        """How many jobs to claim now."""
        wanted = self.slots + self._ahead - self.under_way
        return min(wanted, BATCH) if wanted > 0 else 0

    def take(self, attempts: Sequence[tuple[Attempt, bool]]) -> None:
        """Take what was claimed, each with whether its task is `async`."""
        kinds = {kind for _, kind in attempts}
        if len(kinds) == 1 and not self._buffer:
            (kind,) = kinds
            if not self._under_way(not kind):
                self._give([attempt for attempt, _ in attempts], kind)
                return
        self._buffer.extend(attempts)
        self.feed()

    def feed(self) -> None:
        """Where both kinds are mixed, begin no more than there are slots for both together."""
        while self._buffer and self._under_way(True) + self._under_way(False) < self.slots:
            attempt, kind = self._buffer.popleft()
            self._give([attempt], kind)

    @property
    def mixed(self) -> bool:
        return bool(self._buffer)

    def _give(self, attempts: list[Attempt], kind: bool) -> None:
        self._given[kind] += len(attempts)
        for attempt in attempts:
            attempt.on_loop = kind
        (self.loop if kind else self.threads).submit(attempts)

    def settled(self, threads: int, loop: int, seconds: float) -> None:
        """So many attempts of each kind have ended, after so many seconds of running in all."""
        self._settled[False] += threads
        self._settled[True] += loop
        if threads + loop:
            mean = seconds / (threads + loop)
            old = self._mean_seconds
            self._mean_seconds = mean = mean if old is None else old + _WEIGHT * (mean - old)
            # How many jobs more than there are slots keep the slots busy until the next claim; asked for every job.
            self._ahead = min(int(self.slots * AHEAD_SECONDS / max(mean, 1e-6)), _MOST_AHEAD)
            self._few = self._ahead // 2

    def running(self) -> list[Attempt]:
        return self.threads.running() + self.loop.running()

    def withdraw(self) -> list[Attempt]:
        """Take back what has not begun, once and for all: nothing is claimed for this lane any more."""
        buffered = [attempt for attempt, _ in self._buffer]
        self._buffer.clear()
        return [*self.threads.withdraw(), *self.loop.withdraw(), *buffered]
