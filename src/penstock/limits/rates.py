"""Slots of rates, leased from the store in small batches, and given to whoever waits in this process.

The invariant: a slot is given to one call, which may leave from its time on and for half of what a rate allows for
lateness; after that it lapses, unused. The other half is for the way to the server. Both ends are told by the bounds
of what the monotonic clock knows of the database's (see relation.py), and heavy calls by what penstock.domain.slots
keeps of them.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from penstock.domain.errors import Limited
from penstock.domain.limits import Rate, name_of
from penstock.domain.slots import Pace, noticed, pace, taken
from penstock.limits.relation import Relation
from penstock.limits.rows import MOST_TURNS, locked, saved
from penstock.limits.steps import Patience, Steps
from penstock.limits.turns import Turns
from penstock.store.port import Store, Transaction

LEAD_SECONDS = 2.0
"""Slots are leased at most so long before their time."""
COVER_SECONDS = 0.12
"""A batch has at most the slots of so long: what a process that dies takes with it."""
_HEAVY_LEAD_SECONDS = 60.0
_WASTE = 4  # a batch of which more than a quarter lapsed was too large
_GRACE_SECONDS = 0.005  # of a slot whose time can only be told less exactly than it lasts
_MOMENT_SECONDS = 0.01  # what clocks are off, and nobody calls a wait
_JUMP_US = 250_000
_NEVER_US = 2**62


class Slot(NamedTuple):
    """A place in time for one call, in seconds of the monotonic clock."""

    earliest: float
    latest: float


class Later(NamedTuple):
    """There is no slot so soon: ask again after `ask` seconds, for one after `slot` seconds."""

    ask: float
    slot: float


class Shut(Exception):
    """A gate closed meanwhile: whoever asked for a slot is to look at the gates first."""


class RatePool:
    """What this process has leased of one rate, or of several that its calls spend together."""

    def __init__(self, store: Store, relation: Relation, monotonic: Callable[[], float],
                 rates: Sequence[tuple[str, Rate]], found_open: Callable[[], object]) -> None:
        self._store = store
        self._relation = relation
        self._monotonic = monotonic
        self._found_open = found_open
        self._rates = sorted(rates, key=lambda each: (each[0], name_of(each[1])))
        self._paces = [self._pace(rate, round(rate.pace_us) if rate.start else None) for _, rate in self._rates]
        self._turns = Turns()
        self._slots: deque[Slot] = deque()
        self._part: int | None = None
        self._size = 1
        self._lapsed = 0
        self.given = 0
        self.asked = 0

    @staticmethod
    def _pace(rate: Rate, interval_us: int | None) -> Pace:
        return pace(rate.count, rate.seconds, interval_us)

    @property
    def key(self) -> str:
        return self._rates[0][0]

    def ready(self) -> bool:
        """Take a slot that may be used at once, without waiting for anybody."""
        now = self._monotonic()
        with self._turns.lock:
            slot = self._next(now)
            if slot is None:
                return False
            if slot.earliest > now:
                self._slots.appendleft(slot)
                return False
        return True

    def take(self, weight: int, patience: Patience, probing: bool) -> Steps[None]:
        """Wait for a slot, and return when it may be used. Raises `Limited` where none comes in time.

        Raises `Shut` where a gate is closed, unless the call is `probing` it.
        """
        while True:
            with self._turns.lock:
                slot = self._next(self._monotonic()) if weight == 1 else None
                asked = self._turns.begin() if slot is None else None
            if slot is None and asked is not None:
                try:
                    yield from patience.until(asked)
                finally:
                    self._turns.waited()
                if patience.left() < 0:
                    raise Limited(self.key, 1.0, f"{self.said} is used by others")
                continue
            if slot is None:
                lease = partial(self._lease, weight, max(patience.left(), 0.0) + _MOMENT_SECONDS, probing)
                try:
                    found: Slot | Later | None = yield lease
                finally:
                    self._turns.end()
                if isinstance(found, Later):
                    if found.slot > max(patience.left(), 0.0) + _MOMENT_SECONDS:
                        raise Limited(self.key, found.slot, f"{self.said} is used up")
                    yield from patience.sleep(found.ask)
                    continue
                if found is None:
                    continue
                slot = found
            wait = slot.earliest - self._monotonic()
            if wait > max(patience.left(), 0.0) + _MOMENT_SECONDS:
                self._put_back(slot, weight)
                raise Limited(self.key, wait, f"{self.said} is used up")
            yield from patience.sleep(wait)
            if self._monotonic() <= slot.latest:
                self.given += weight
                return
            self._lapsed += 1

    @property
    def said(self) -> str:
        return " and ".join(f"the rate of {rate}" for _, rate in self._rates)

    def forget(self) -> None:
        """Let what is at hand lapse."""
        with self._turns.lock:
            self._slots.clear()
            self._part = None

    def _next(self, now: float) -> Slot | None:
        while self._slots:
            slot = self._slots.popleft()
            if slot.latest >= now:
                return slot
            self._lapsed += 1
        return None

    def _put_back(self, slot: Slot, weight: int) -> None:
        if weight == 1:
            with self._turns.lock:
                self._slots.appendleft(slot)

    def _lease(self, weight: int, wait: float, probing: bool) -> Slot | Later | None:
        """Ask the store for slots: for one statement's price where light calls spend a single rate."""
        self.asked += 1
        interval_us = max(each.interval_us for each in self._paces)
        count = self._batch(interval_us) if weight == 1 else 1
        light = weight == 1 and len(self._rates) == 1 and self._part is not None and not probing
        if light and self._lease_light(count, min(wait, LEAD_SECONDS)):
            return None
        return self._lease_exactly(weight, count, wait, probing)

    def _batch(self, interval_us: int) -> int:
        """As many as wait here, and more where the last were all used; never what covers too long a time."""
        most = max(int(COVER_SECONDS * 1_000_000) // interval_us, 1)
        with self._turns.lock:
            wasted = self._lapsed * _WASTE > self._size
            self._size = max(self._size // 2, 1) if wasted else min(self._size * 2, most)
            self._lapsed = 0
            return min(max(self._turns.waiting + 1, self._size), most)

    def _lease_light(self, count: int, lead: float) -> bool:
        key, rate = self._rates[0]
        interval_us = self._paces[0].interval_us
        expected = self._relation.expected_us()
        before = self._relation.now_us()
        rows = self._store.run("limit_take", {
            "key": key, "name": name_of(rate), "part": self._part, "most_turns": MOST_TURNS,
            "span_us": interval_us * count, "reach_us": self._paces[0].span_us, "lead_us": round(lead * 1_000_000),
            "expected_us": _NEVER_US if expected is None else expected + _JUMP_US})
        if not rows:
            return False
        next_us, seen_us, adapted_us = rows[0]
        jumped = self._relation.told(before, self._relation.now_us(), seen_us)
        self._found_open()
        if adapted_us is not None:
            self._paces[0] = self._pace(rate, adapted_us)
        if jumped:
            self._make_up_for(jumped)
            return False
        self._have(next_us - interval_us * count, interval_us, count)
        return True

    def _have(self, start_us: int, interval_us: int, count: int) -> None:
        found = [self._slot(start_us + place * interval_us) for place in range(count)]
        with self._turns.lock:
            self._slots.extend(found)

    def _slot(self, at_us: int) -> Slot:
        use_us = min(each.late_us for each in self._paces) // 2
        earliest = self._relation.earliest(at_us)
        return Slot(earliest, max(self._relation.latest(at_us + use_us), earliest + _GRACE_SECONDS))

    def _lease_exactly(self, weight: int, count: int, wait: float, probing: bool) -> Slot | Later | None:
        """Look at all that was given of late, with the rows locked."""
        lead_us = round((min(wait, LEAD_SECONDS) if weight == 1 else min(wait, _HEAVY_LEAD_SECONDS)) * 1_000_000)

        def work(tx: Transaction) -> tuple[int, int, int, bool]:
            rows = [locked(tx, key, name_of(rate), round(rate.pace_us) if rate.start else None)
                    for key, rate in self._rates]
            if not probing and any(_is_shut(tx, key) for key, _ in self._rates):
                raise Shut
            now_us, ahead = self._relation.ask(tx)
            paces = [self._pace(rate, row.interval_us) for row, (_, rate) in zip(rows, self._rates, strict=True)]
            ledgers = [noticed(row.ledger, now_us, ahead) for row in rows]
            start, interval, given = taken(ledgers, paces, now_us, weight, count)
            fits = start - now_us <= lead_us
            for row, ledger in zip(rows, given if fits else ledgers, strict=True):
                if fits or ledger != row.ledger:
                    row.keep(ledger)
                    saved(tx, row)
            self._paces = paces
            self._part = rows[0].part
            return start, interval, now_us, fits

        start, interval, now_us, fits = self._store.write(work)
        if not fits:
            return Later(max((start - now_us - lead_us) / 1_000_000, 0.001), (start - now_us) / 1_000_000)
        if weight > 1:
            return self._slot(start)
        self._have(start, interval, count)
        return None

    def _make_up_for(self, jumped_us: int) -> None:
        """The clock was set forward by less than a lease notices: what was given before lies so much later."""

        def work(tx: Transaction) -> None:
            for key, rate in self._rates:
                row = locked(tx, key, name_of(rate))
                row.next_us += jumped_us
                saved(tx, row)

        self._store.write(work)


def _is_shut(tx: Transaction, key: str) -> bool:
    gate = tx.row("gate", {"key": key})
    return gate is not None and gate[1] != "open"
