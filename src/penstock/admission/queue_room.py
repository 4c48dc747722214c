"""How many keyed jobs of a queue may be admitted before workers have claimed those that were, and with what ranks.

What is admitted can no longer be reprioritised, so it is to be little; but workers must not run dry between two steps
of a dispatcher. So the room is as many jobs as workers claim from one look to the next: it doubles when they were found
to have claimed nearly all, and shrinks while most of them still wait. Work that is more urgent by a minute than all
that was admitted goes ahead of it even then. Each dispatcher remembers what it admitted itself.
"""

from collections.abc import Iterable, Sequence

from penstock.admission.policy import MINUTE_MS, Line
from penstock.store.port import Transaction

FIRST, LEAST, MOST = 64, 16, 8192
SHORTEST, LONGEST = 0.02, 0.32
Place = tuple[int, int]
"""A ready job's rank and id."""


class QueueRoom:
    """The room of one queue, as one dispatcher knows it."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.size = FIRST
        self.patience_seconds = SHORTEST
        self._front = -(2**62)
        self._level: int | None = None
        self._unclaimed: list[Place] = []

    @property
    def free(self) -> int:
        """How many more may be admitted."""
        return self.size - len(self._unclaimed)

    def room_for(self, lines: Sequence[Line]) -> int:
        """How many of these may go: as many as are free, or one that is more urgent than all that went before."""
        if self.free > 0 or not lines or not self._unclaimed:
            return self.free
        first = min(piece.rank for line in lines for piece in line.pieces[:1])
        return 1 if first < min(self._unclaimed)[0] - MINUTE_MS else 0

    def look(self, tx: Transaction) -> None:
        """Forget what was claimed meanwhile, and make the room as large as workers are quick."""
        if self.free > self.size // 2:
            return
        left = {row[0] for row in tx.batch("ready_left", {
            "queue": self.queue, "ranks": [rank for rank, _ in self._unclaimed],
            "ids": [id for _, id in self._unclaimed]})}
        was_full = self.free <= 0
        moved = len(left) < len(self._unclaimed)
        self.patience_seconds = SHORTEST if moved else min(self.patience_seconds * 2, LONGEST)
        self._unclaimed = [place for place in self._unclaimed if place[1] in left]
        if was_full and len(left) * 4 <= self.size:
            self.size = min(self.size * 2, MOST)
        elif len(left) * 4 >= self.size * 3:
            self.size = max(self.size * 3 // 4, LEAST)

    def ranks(self, tx: Transaction, turns: Sequence[int], now: int) -> list[int]:
        """The ranks of what is admitted, by their turns.

        Claims begin where the last ones ended, so what came a little late goes where they are by now: to the front of
        what is ready. What is more urgent by a minute goes before it, and is found as any straggler is.
        """
        row = tx.row("ready_front", {"queue": self.queue, "after": self._front})
        if row is not None:
            self._front = base = row[0]
        else:
            base = now if self._level is None else min(now, self._level)
        ranks = [turn if turn < base - MINUTE_MS else max(turn, base) for turn in turns]
        self._level = max(ranks, default=self._level)
        return ranks

    def admitted(self, places: Iterable[Place]) -> None:
        """What was admitted, once that is committed."""
        self._unclaimed += places
