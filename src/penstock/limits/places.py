"""Places of concurrency limits: held by this process under a lease of its own, and given to whoever waits in it.

The invariant: the places that living holders have of a key are never more than its limit. A holder renews one row,
whatever it holds; what a holder whose lease has run out had is free. A place that nobody here needs goes back after a
moment, so that a thread which takes one after the other does not ask for each.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

from penstock.domain.errors import Limited, StoreError
from penstock.limits.rows import LimitRow, locked, saved
from penstock.limits.steps import Patience, Steps
from penstock.limits.turns import Turns
from penstock.store.port import Store, Transaction

LEASE_SECONDS = 15.0
_IDLE_SECONDS = 0.05
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.02, 0.25
_NAME = "concurrency"


class Holder:
    """This process as a holder of places: its row, and the thread that renews it and gives back what is not needed."""

    def __init__(self, store: Store, monotonic: Callable[[], float], name: str) -> None:
        self.store = store
        self.monotonic = monotonic
        self._name = name
        self._lock = threading.Lock()
        self._id: int | None = None
        self._renewed_at = 0.0
        self._pools: list[PlacePool] = []
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def id(self) -> int:
        """This holder's row, which is made when it is first needed, and anew where it was lost."""
        with self._lock:
            if self._id is None:
                name, lease_ms = self._name, round(LEASE_SECONDS * 1000)

                def work(tx: Transaction) -> int:
                    tx.execute("permit_holders_expire")
                    row = tx.row("permit_holder_start", {"name": name, "lease_ms": lease_ms})
                    assert row is not None
                    return int(row[0])

                self._id = self.store.write(work)
                self._renewed_at = self.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="penstock-permits", daemon=True)
                self._thread.start()
            return self._id

    def add(self, pool: "PlacePool") -> None:
        with self._lock:
            self._pools = [*self._pools, pool]

    @property
    def in_use(self) -> bool:
        """Whether somebody in this process has a place just now."""
        return any(pool.in_use for pool in self._pools)

    def wake(self) -> None:
        self._wake.set()

    def _keep(self) -> None:
        while True:
            held = any(pool.held for pool in self._pools)
            self._wake.wait(_IDLE_SECONDS if any(pool.idle for pool in self._pools) else
                            LEASE_SECONDS / 3 if held or self._id is not None else None)
            self._wake.clear()
            if self._over:
                return
            try:
                self.tend()
            except StoreError:
                self._wake.wait(1.0)

    def tend(self) -> None:
        """Renew the lease where it is due, and give back what has been idle for a moment."""
        if self._id is not None and self.monotonic() - self._renewed_at >= LEASE_SECONDS / 3:
            began = self.monotonic()
            params = {"id": self._id, "lease_ms": round(LEASE_SECONDS * 1000)}
            if self.store.write(lambda tx: tx.execute("permit_holder_renew", params)):
                self._renewed_at = began
            else:
                with self._lock:
                    self._id = None  # it was lost: what it held is others' by now
                for pool in self._pools:
                    pool.lost()
        for pool in self._pools:
            pool.give_back()

    def close(self) -> None:
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        holder, self._id = self._id, None
        if holder is not None:
            self.store.write(lambda tx: tx.execute("permit_holder_stop", {"id": holder}))


class PlacePool:
    """What this process holds of one key's places, of which there are `most` in all."""

    def __init__(self, holder: Holder, key: str, most: int) -> None:
        self._holder = holder
        self._key = key
        self._most = most
        self._turns = Turns()
        self.held = 0
        self._used = 0
        self._idle_since = 0.0
        self._waiting: list[Future[None]] = []
        self.era = 0
        holder.add(self)

    @property
    def idle(self) -> bool:
        return self.held > max(self._used, 0)

    @property
    def in_use(self) -> bool:
        return self._used > 0

    def ready(self, weight: int) -> bool:
        """Take places that are at hand."""
        with self._turns.lock:
            if self.held - self._used < weight:
                return False
            self._used += weight
            return True

    def take(self, weight: int, patience: Patience) -> Steps[None]:
        """Wait for places. Raises `Limited` where none come free in time."""
        pause = _FIRST_LOOK_SECONDS
        while not self.ready(weight):
            with self._turns.lock:
                asked = self._turns.begin()
            if asked is not None:
                try:
                    yield from patience.until(asked)
                finally:
                    self._turns.waited()
            else:
                try:
                    if (yield lambda: self._lease(weight)):
                        continue
                finally:
                    self._turns.end()
            if patience.left() <= 0:
                raise Limited(self._key, 1.0, f"its limit of {self._most:,} at a time is reached")
            free: Future[None] = Future()
            with self._turns.lock:
                self._waiting.append(free)
            yield from patience.glance(free, min(pause, max(patience.left(), 0.001)))
            with self._turns.lock, contextlib.suppress(ValueError):
                self._waiting.remove(free)
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)

    def release(self, weight: int, era: int) -> None:
        """The call is over. Never waits: what nobody here needs goes back from another thread."""
        with self._turns.lock:
            if era != self.era:
                return  # it was lost meanwhile, and is others'
            self._used -= weight
            self._idle_since = self._holder.monotonic()
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.set_result(None)
        self._holder.wake()

    def lost(self) -> None:
        with self._turns.lock:
            self.held = self._used = 0
            self.era += 1

    def _lease(self, weight: int) -> bool:
        """Get from the store what is missing here; False where it has not as many."""
        holder = self._holder.id()
        with self._turns.lock:
            missing = max(weight - self.held + self._used, 0)

        def work(tx: Transaction) -> bool:
            row = locked(tx, self._key, _NAME)
            places = _living(tx, row)
            free = self._most - sum(places.values())
            if free < missing:
                return False
            places[holder] = places.get(holder, 0) + missing
            row.spend(sorted(places.items()))
            saved(tx, row)
            return True

        if not self._holder.store.write(work):
            return False
        with self._turns.lock:
            self.held += missing
            self._idle_since = self._holder.monotonic()
        return True

    def give_back(self, at_once: bool = False) -> None:
        """Give the store what has not been used here for a moment."""
        with self._turns.lock:
            surplus = self.held - self._used
            if surplus <= 0 or (not at_once and self._holder.monotonic() - self._idle_since < _IDLE_SECONDS):
                return
            self.held -= surplus
        holder = self._holder.id()

        def work(tx: Transaction) -> None:
            row = locked(tx, self._key, _NAME)
            places = _living(tx, row)
            places[holder] = max(places.get(holder, 0) - surplus, 0)
            row.spend(sorted((each, count) for each, count in places.items() if count))
            saved(tx, row)

        try:
            self._holder.store.write(work)
        except BaseException:
            with self._turns.lock:
                self.held += surplus
            raise


def _living(tx: Transaction, row: LimitRow) -> dict[int, int]:
    """The places of holders whose leases hold, by holder."""
    alive = {each[0] for each in tx.rows("permit_holders_alive")}
    return {holder: count for holder, count in row.entries if holder in alive}
