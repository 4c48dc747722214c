"""What a source shares between runs: loaded once for a window, and kept for the windows of this process after it.

Its as-of time is taken from the database's clock before its first page is read, less what the destination lags behind.
"""

import inspect
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.domain.errors import LoaderFailed, OutOfTime, StaleLease, Stopping
from penstock.observe.nesting import phase
from penstock.observe.trace import READ
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.declaring.shared import Shared
from penstock.sync.destination.verbs import Verbs

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_FIRST_WAIT_MS, _LONGEST_WAIT_MS = 10_000, 300_000
_STEP = "snapshot"

Key = tuple[str, str | None]
"""Of a sync, and of an account where `load` asks for one."""


@dataclass(slots=True)
class _Kept:
    value: Any
    taken_ms: int
    as_of_ms: int


@dataclass(slots=True)
class _Failed:
    error: LoaderFailed
    until_ms: int
    waits_ms: int


class Snapshots:
    """The snapshots that this process holds. Two windows never load the same one at once.

    `lasting`: what was loaded is kept for as long as this is, as a plan of many subjects needs it.
    """

    def __init__(self, *, lasting: bool = False) -> None:
        self._lasting = lasting
        self._lock = threading.Lock()
        self._locks: dict[Key, threading.Lock] = {}
        self._made: dict[str, Any] = {}
        self._kept: dict[Key, _Kept] = {}
        self._failed: dict[Key, _Failed] = {}

    def shared(self, store: Store, definition: SyncDefinition, run: Run) -> Shared:
        """The snapshot of a sync as a run of its account has it; without a value where the sync declares none.

        Raises `LoaderFailed`, also for a while after a loader has failed, without calling it again.
        """
        if definition.sync.snapshot is None:
            return Shared()
        snapshot = self._snapshot(definition)
        by_account = bool(_wanted(snapshot.load, 0))
        key = (definition.name, run.account if by_account else None)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        left = run.time.left()
        if not lock.acquire(timeout=-1 if left == math.inf else max(min(left, threading.TIMEOUT_MAX), 0.0)):
            raise OutOfTime(f"{definition.name}: another window was loading {type(snapshot).__name__} all the time")
        try:
            kept = self._current(key, snapshot, definition, store, run)
        finally:
            lock.release()
        return Shared(kept.value, kept.as_of_ms)

    def _snapshot(self, definition: SyncDefinition) -> Any:
        with self._lock:
            if definition.name not in self._made:
                declared = definition.sync.snapshot
                self._made[definition.name] = declared() if isinstance(declared, type) else declared
            return self._made[definition.name]

    def _current(self, key: Key, snapshot: Any, definition: SyncDefinition, store: Store, run: Run) -> _Kept:
        now = _now(store)
        kept, failed = self._kept.get(key), self._failed.get(key)
        max_age: timedelta | None = getattr(snapshot, "max_age", None)
        if kept is not None and (self._lasting or (max_age and now - kept.taken_ms < max_age // _MS)):
            return kept
        if failed is not None and now < failed.until_ms:
            raise failed.error
        refresh = getattr(snapshot, "refresh", None) if kept is not None else None
        run.time.begin(_STEP)
        try:
            with run.time.step(_STEP), phase(READ):
                if refresh is None or kept is None:
                    value = _called(snapshot.load, (), run)
                else:
                    value = _called(refresh, (kept.value, _START + kept.as_of_ms * _MS), run)
        except (StaleLease, Stopping):
            raise
        except Exception as error:
            verb = "load" if refresh is None else "refresh"
            fault = LoaderFailed(f"{definition.name}: {type(snapshot).__name__}.{verb} failed: {type(error).__name__}:"
                                 f" {error}; the runs that need it keep their place, and try again later", shared=True)
            waits = min(failed.waits_ms * 3, _LONGEST_WAIT_MS) if failed else _FIRST_WAIT_MS
            self._failed[key] = _Failed(fault, now + waits, waits)
            raise fault from error
        self._failed.pop(key, None)
        found = _Kept(value, now, now - _lag(definition) // _MS)
        if self._lasting or max_age is not None or hasattr(snapshot, "refresh"):  # else nobody asks for it again
            self._kept[key] = found
        return found


def _called(loader: Callable[..., Any], given: tuple[Any, ...], run: Run) -> Any:
    """What a loader gives; it takes `account` and `run` where its parameters have these names."""
    named = {"account": run.account, "run": run}
    verbs = Verbs(run)
    try:
        return verbs.finish(loader(*given, **{name: named[name] for name in _wanted(loader, len(given))}))
    finally:
        verbs.close()


def _wanted(loader: Callable[..., Any], given: int) -> list[str]:
    return [name for name in list(inspect.signature(loader).parameters)[given:] if name in ("account", "run")]


def _lag(definition: SyncDefinition) -> timedelta:
    """For how long what was written to any of the destinations may not be seen there."""
    owners = [owner for layer in definition.layers for owner in (layer.layer, layer.layer.destination)]
    return max((getattr(owner, "consistency_lag", None) or timedelta(0) for owner in owners), default=timedelta(0))


def _now(store: Store) -> int:
    row = store.read(lambda tx: tx.row("now"))
    assert row is not None
    return int(row[0])
