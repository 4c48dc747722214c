"""A hot standby of the store, for those who only look: whether it may be read from now, and how far it is behind.

It is read only while it is known to be a replica of this very store, not far behind, and past every change that was
made through this process or told to it (`at_least`): whoever has changed something sees that. Else the primary is.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

from penstock.app.storing import Storing
from penstock.domain.errors import ConfigurationError, StoreError, StoreUnavailable
from penstock.domain.standing import Lag, Standing, no_replica, skewed
from penstock.events import ReplicaChanged
from penstock.store import migrate
from penstock.store.open import check_replica, open_replica
from penstock.store.port import Store

A = TypeVar("A", bound=Storing)
_LOOK_SECONDS, _STALE_SECONDS, _AGAIN_SECONDS = 1.0, 5.0, 10.0
_WORTH_TELLING_MS = 5_000.0
_PRIMARY = "so this is read from the primary"


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether the replica `reads`, by how much it is behind (None: nobody knows), and what people are told of it."""

    reads: bool
    behind_ms: float | None = None
    says: str = ""


class Replica(Generic[A]):
    """The replica of an app's store. Whoever wants to read from it looks at it first, once a second at most."""

    def __init__(self, app: A, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._url = url
        self._monotonic = monotonic
        self._most_behind_ms = app.settings.lease_seconds * 500
        """Beyond half a lease, workers that live would seem to be silent."""
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._shown: A | None = None
        self._fits = self._away = False
        self._lag = Lag()
        self._look_at = float("-inf")
        self._replayed = self._mark = 0
        self._changes = self._covered = 0
        self._told: bool | None = None
        self.reading = Reading(reads=False)
        """As it was found last."""

    def check(self) -> None:
        """Look at it. Raises `ConfigurationError` for what is no replica of this store. What does not answer may turn
        out to be one, and is only told of."""
        with self._looking:
            try:
                self._settle(self._found())
            except StoreUnavailable as error:
                self._unanswered(error)
            except StoreError as error:
                raise ConfigurationError(f"replica_url: {error}") from None

    def app(self) -> A | None:
        """The app as the replica shows it, for what only reads; None while the primary is to be read."""
        self._look()
        with self._lock:
            past = self._covered == self._changes and self._replayed >= self._mark
            fresh = self._monotonic() < self._look_at + _STALE_SECONDS  # who looks may have to wait for an answer
            return self._shown if past and fresh and self.reading.reads else None

    @property
    def mark(self) -> int:
        """What it has to have replayed to be read; other processes are told by `at_least`."""
        return self._mark

    def changed(self) -> None:
        """Something was changed: nothing is read from the replica before it has replayed that."""
        with self._lock:
            self._changes += 1
            changes = self._changes
        with suppress(StoreError):  # then the next look learns where the change was
            self._cover(changes, _standing(self._app.store).written)

    def at_least(self, mark: int) -> None:
        """Nothing is read from it before it has replayed a change that another process has made."""
        self._cover(0, mark)

    def failed(self, error: StoreError) -> None:
        """Something could not be read from it. If that is since it does not answer, it is left alone for a while."""
        if isinstance(error, StoreUnavailable):
            with self._looking:
                self._unanswered(error)

    def close(self) -> None:
        """Close its connections; they are opened again when it is next needed."""
        with self._looking:
            store, self._store, self._fits, self._look_at = self._store, None, False, float("-inf")
            with self._lock:
                self._shown, self.reading = None, Reading(reads=False)
        if store is not None:
            store.close()

    def _cover(self, changes: int, mark: int) -> None:
        with self._lock:
            self._covered = max(self._covered, changes)
            self._mark = max(self._mark, mark)

    def _look(self) -> None:
        """One looks at a time, and nobody waits for whoever does; nor for one that did not answer."""
        if self._monotonic() < self._look_at or not self._looking.acquire(blocking=False):
            return
        if self._away:
            threading.Thread(target=self._look_and_release, name="penstock replica", daemon=True).start()
        else:
            self._look_and_release()

    def _look_and_release(self) -> None:
        try:
            if self._monotonic() >= self._look_at:
                self._settle(self._found())
        except StoreUnavailable as error:
            self._unanswered(error)
        except (StoreError, ConfigurationError) as error:
            self._settle(Reading(reads=False, says=f"The replica is not used, {_PRIMARY}: {error}"))
        finally:
            self._looking.release()

    def _found(self) -> Reading:
        """Raises `ConfigurationError` and `SchemaError` for what is no replica of the store, and `StoreUnavailable`."""
        changes, at = self._changes, self._monotonic()
        try:
            primary = _standing(self._app.store)
        except StoreUnavailable:
            primary = None
        if self._store is None:
            self._store = open_replica(self._url, now=self._app.settings.now, pool_size=self._app.settings.pool_size)
        replica = _standing(self._store)
        self._replayed = replica.position
        if primary is None:
            return Reading(self._fits and replica.standby, None,
                           "The primary does not answer. This is as the replica has it.")
        if fault := no_replica(primary, replica):
            self._fits = False
            raise ConfigurationError(f"replica_url: {fault}")
        if not self._fits:
            migrate.check(self._store, self._app.layer_tables)
            self._shown, self._fits = self._app.seen_through(self._store), True
        self._cover(changes, primary.written if changes > self._covered else 0)
        if fault := skewed(primary, replica, (self._monotonic() - at) * 1000):
            return Reading(reads=False, says=f"The replica is not used, {_PRIMARY}: {fault}.")
        return self._judged(self._lag.behind_ms(primary, replica, at))

    def _judged(self, behind_ms: float | None) -> Reading:
        if behind_ms is None:
            return Reading(reads=False, says=f"How far the replica is behind is not known yet, {_PRIMARY}.")
        behind = f"The replica is {behind_ms / 1000:,.0f} s behind"
        if behind_ms > self._most_behind_ms:
            return Reading(False, behind_ms, f"{behind}, {_PRIMARY}.")
        return Reading(True, behind_ms, f"{behind}, and so is this." if behind_ms > _WORTH_TELLING_MS else "")

    def _unanswered(self, error: StoreUnavailable) -> None:
        self._settle(Reading(reads=False, says=f"The replica does not answer, {_PRIMARY}."), why=f"{error}", away=True)

    def _settle(self, found: Reading, *, why: str = "", away: bool = False) -> None:
        self._look_at = self._monotonic() + (_AGAIN_SECONDS if away else _LOOK_SECONDS)
        self._away = away
        with self._lock:
            self.reading = found
        if found.reads is not self._told:
            self._told = found.reads
            self._app.events.emit(ReplicaChanged(reads=found.reads, reason=why or found.says))


class Replicating(Storing):
    """Has a replica, where the settings name one."""

    _replica: Any = None

    @property
    def replica(self) -> Replica[Self] | None:
        """The replica of the store, for whoever only looks; None where the settings name none."""
        url = self.settings.replica_url
        with self._lock:
            if self._replica is None and url is not None:
                self._replica = Replica(self, url)
            found: Replica[Self] | None = self._replica
            return found

    def read_from(self, replica_url: str) -> None:
        """Name the replica, in place of the one that the settings name. Raises `ConfigurationError`."""
        if fault := check_replica(self.settings.url, replica_url):
            raise ConfigurationError(fault)
        self.settings = replace(self.settings, replica_url=replica_url)
        self._origins["replica_url"] = "arguments"

    def close(self) -> None:
        """Close the store, and its replica. The app opens them again when they are next needed."""
        if self._replica is not None:
            self._replica.close()
        super().close()


def _standing(store: Store) -> Standing:
    return Standing(*store.look("standing")[0])
