"""A window: one execution that serves a run, then others of the same account while they fit, and settles each alone.

Runs are served one after the other, over one connection to the account, under the lease of the window's job. A run that
fails is tried again alone, and ends the window only where the others would fail as well.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext, suppress
from typing import Any

from penstock.domain.errors import (
    GateClosed,
    Limited,
    LoaderFailed,
    OutOfTime,
    RunCancelled,
    StaleLease,
    StillInDoubt,
    Stopping,
    Throttled,
    Unavailable,
)
from penstock.domain.jobs import storable
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.events import RunAdmitted, RunSettled, WindowEnded
from penstock.events.telling import Events
from penstock.observe.nesting import described, inside
from penstock.observe.sites import begins
from penstock.observe.trace import Trace, active
from penstock.store.layers import Registered, noted, outdated
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.permits import Free
from penstock.sync.declaring.renamed import tables
from penstock.sync.declaring.shared import Shared
from penstock.sync.declaring.time_left import TimeLeft
from penstock.sync.restricting.planned import Plans
from penstock.sync.serving.layers import serve_layers
from penstock.sync.serving.opening import connected, loaded
from penstock.sync.serving.snapshots import Snapshots
from penstock.sync.serving.traced import declared_at
from penstock.sync.state.fence import Fence
from penstock.sync.state.runs import Settled, Settlement
from penstock.sync.state.tally import Tally
from penstock.sync.window.called_off import CalledOff
from penstock.sync.window.outcome import failed
from penstock.sync.window.prediction import Recorded
from penstock.sync.window.row import Telling, begun, steps_known, with_window
from penstock.sync.window.taking import Next, Taken, Taking

_ELSEWHERE_SECONDS = 10.0
_RECORDED = 200
_SETTLE_SECONDS, _SETTLE_SHARE = 1.0, 100

Permits = Callable[[SyncDefinition, str, Callable[[], None], TimeLeft], Free]
"""From a sync, an account, and a run's `check` and the time that it has to the permits of the run."""


def _free(definition: SyncDefinition, account: str, check: Callable[[], None], left: TimeLeft) -> Free:
    return Free()


def serve(store: Store, syncs: Mapping[str, SyncDefinition], events: Events, *, job_id: int, lease: int,
          check: Callable[[], None], remaining: Callable[[], float], until: float | None = None,
          monotonic: Callable[[], float] = time.monotonic, snapshots: Snapshots | None = None,
          permits: Permits | None = None) -> int:
    """Serve the run that a job was admitted for, and where its sync has a window, others after it.

    `check` and `remaining` are those of `Run`, as the job's lease has them; `until` is when the host ends, in seconds
    of `monotonic`; `permits` gives those of each run. Returns how many runs ended; 0 where the job has none (any more).
    Raises `StaleLease` where it ceased to be its on the way.
    """
    row = store.write(lambda tx: tx.row("run_start", {"job_id": job_id, "lease": lease}))
    if row is None:
        return 0
    first = Taken(*row)
    definition = syncs.get(first.sync)
    found = store.read(noted)
    moved = None if definition is None else outdated(found, tables(definition))
    if definition is None or moved:  # a worker of another version of the app serves it
        away = Settled("pending", "LayerCarried" if moved else None, storable(moved) if moved else None,
                       first.attempt - 1, _ELSEWHERE_SECONDS, first.cursor)
        store.write(lambda tx: Settlement(store, Fence(first.id, lease)).write(tx, away, 0.0))
        return 0
    traced = active.get()
    if traced is not None:
        traced.kind, traced.name, traced.touched = "window", definition.name, True
        traced.about = {"account": first.account}
    window = _Window(store, events, definition, found, first, job_id, lease, check, remaining, until, monotonic,
                     snapshots or Snapshots(), permits or _free)
    with window.clients:
        run: Taken | None = first
        while run is not None:
            run = window.serve(run)
    events.emit(WindowEnded(job_id=job_id, sync=definition.name, account=first.account, runs=window.ended))
    return window.ended


class _Window:
    """One window, from its first run to its last."""

    def __init__(self, store: Store, events: Events, definition: SyncDefinition, found: Mapping[str, Registered],
                 first: Taken, job_id: int, lease: int, check: Callable[[], None], remaining: Callable[[], float],
                 until: float | None, monotonic: Callable[[], float], snapshots: Snapshots, permits: Permits) -> None:
        self._permits = permits
        self._spent = Free()
        self.clients = ExitStack()
        self._client: Any = None
        self._connected = False
        self._store = store
        self._events = events
        self._definition = definition
        self._found = found
        self._account = first.account
        self._job_id = job_id
        self._lease = lease
        self._check = check
        self._remaining = remaining
        self._monotonic = monotonic
        self._snapshots = snapshots
        self._shared: Shared | None = None
        self._declared = declared = definition.options.window
        began = monotonic()
        ends = [each for each in (until, began + declared.total if declared else None) if each is not None]
        end = min(ends, default=None)
        self._end = math.inf if end is None else end - min(_SETTLE_SECONDS, max(end - began, 0.0) / _SETTLE_SHARE)
        self._telling = Telling(0, began, end, monotonic)
        self._begin()
        self._taking = Taking(definition, first.account, job_id, lease, declared.headroom if declared else 0.0,
                              self._recorded)

    def _begin(self) -> None:
        """Write the window's row, and read what is known of how long things take."""
        def work(tx: Transaction) -> tuple[int, dict[str, float], list[tuple[int | None, int]]]:
            id = begun(tx, self._definition.name, self._account, self._job_id, self._declared)
            params = {"sync": self._definition.name, "count": _RECORDED}
            runs = tx.rows("runs_timed", params) if self._declared else []
            return id, steps_known(tx, self._definition.name), [(size, took_ms) for size, took_ms in runs]

        self._telling.id, self._steps, runs = self._store.write(work)
        self._recorded = Recorded([(size, took_ms / 1000) for size, took_ms in runs])

    @property
    def ended(self) -> int:
        """How many runs came to their end here."""
        return self._telling.ended

    @begins
    def serve(self, row: Taken) -> Taken | None:
        """Serve one run and settle it, under a trace; the next, or None where the window is over."""
        nested = inside("run", row.sync, run_id=row.id, subject=row.subject, account=row.account)
        with nullcontext() if nested is None else nested as trace:
            if trace is not None:
                trace.waited(row.waited_ms * 1_000_000)
                trace.declared = declared_at(self._definition.sync)
            return self._serve(row, trace)

    def _serve(self, row: Taken, trace: Trace | None) -> Taken | None:
        fence = Fence(row.id, self._lease, Tally(row.layers))
        settlement = Settlement(self._store, fence)
        settlement.windows = with_window(row.windows, self._telling.id)
        left = TimeLeft(self._end, self._monotonic, self._steps, self._end - self._telling.began)
        began, given = self._monotonic(), left.left() >= max(self._taking.headroom, 1.0)
        asked, error = RunOptions(), None
        self._spent = Free()
        try:
            asked = RunOptions.read(row.options)
            settled = self._served(row, asked, left, fence)
        except StaleLease:
            raise
        except Exception as raised:
            error = raised
            if trace is not None and not isinstance(raised, Stopping | Limited):
                trace.fails(described(raised))
            settled = failed(settlement, row, _pressed(raised, left), read=left.read, given=given)
            self._disconnect()
        settlement.permits = self._spent
        took = max(self._monotonic() - began - left.apart_seconds, 0.0)
        self._telling.note(row.id, row.subject, began + left.apart_seconds, took, settled.status)
        next = self._settle(settlement, row, settled, took, _ended_by(error))
        self._events.emit(RunSettled(run_id=row.id, sync=row.sync, subject=row.subject, status=settled.status,
                                     error=None if settled.error_class == "OutOfTime" else settled.error))
        if next is not None:
            self._events.emit(RunAdmitted(run_id=next.id, sync=next.sync, subject=next.subject))
        self._store.wake()
        if asked.plan is not None and settled.status != "pending":
            Plans(self._store).settled(asked.plan)
        return next

    def _served(self, row: Taken, asked: RunOptions, left: TimeLeft, fence: Fence) -> Settled:
        called_off = CalledOff(self._store, row.id, row.cancelled_by, self._monotonic)

        def check() -> None:
            left.check()  # first, since a host whose time is over stops the job as well
            self._check()
            called_off.check()

        check()
        run = loaded(self._definition, Subject(row.subject, row.account, row.size))
        run.client = self._connect()
        run.check, run.time = check, left
        run.permits = self._spent = self._permits(self._definition, row.account, check, left)
        run.remaining = lambda: min(self._remaining(), left.left())
        run.deadline = None if left.end == math.inf else left.end
        if self._shared is None:
            fetching = self._monotonic()
            with left.apart():
                self._shared = self._snapshots.shared(self._store, self._definition, run)
            self._telling.fetched += self._monotonic() - fetching
        run.shared = self._shared
        said = serve_layers(self._store, self._events, self._definition, run, asked, fence, self._found)
        message = storable("; ".join(text for texts in said.values() for text in texts)) or None
        return Settled("succeeded", next((kind for kind, texts in said.items() if texts), None), message)

    def _connect(self) -> Any:
        """The client of the account, the same for all runs until one fails."""
        if not self._connected:
            self._client = self.clients.enter_context(connected(self._definition, self._account))
            self._connected = True
        return self._client

    def _disconnect(self) -> None:
        """Let the next run have a new client: who knows what a failure left behind in this one."""
        self._connected, self._client = False, None
        with suppress(Exception):  # what the run failed of is told already
            self.clients.close()

    def _settle(self, settlement: Settlement, row: Taken, settled: Settled, took: float,
                ended_by: str | None) -> Taken | None:
        """Settle a run and, in the same transaction, take the next, or write that the window is over."""
        ended_by = ended_by or self._stopped() or (None if self._declared else "one run")
        if settled.status == "succeeded" and not row.options and row.attempt == 1 and row.cursor is None:
            self._recorded.add(row.size, took)
        self._telling.count(settled.status, settled.error_class)

        def work(tx: Transaction) -> Next:
            if ended_by is None:
                tx.rows("lock_admission")
            settlement.write(tx, settled, took)
            found = Next(ended_by=ended_by) if ended_by else self._taking.next(tx, self._end - self._monotonic())
            if found.run is None:
                skipped = self._telling.skipped | set(found.skipped)
                self._telling.end_in(tx, found.ended_by, self._steps, len(skipped))
            return found

        found = self._store.write(work)
        self._telling.skipped |= set(found.skipped)
        return found.run

    def _stopped(self) -> str | None:
        try:
            self._check()
        except StaleLease:
            raise
        except Exception:
            return "stopping"
        return None


def _pressed(error: Exception, left: TimeLeft) -> Exception:
    """The error of a run, or `OutOfTime` where it is one of a call that was given too little time."""
    cut = isinstance(error, Unavailable) and not isinstance(error, StillInDoubt) and left.pressed
    return OutOfTime(f"{error}") if cut else error


def _ended_by(error: Exception | None) -> str | None:
    """Why a window ends with a run that ended so; None where others may do better."""
    match error:
        case RunCancelled():
            return None
        case OutOfTime():
            return "out of time"
        case Stopping():
            return "stopping"
        case StillInDoubt():
            return None
        case GateClosed():
            return "gate"
        case Limited():
            return "limits"
        case Throttled() | Unavailable():
            return "connection"
        case LoaderFailed():
            return "loader" if error.shared else None
    return None
