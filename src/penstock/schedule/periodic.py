"""Periodic tasks: each tick gives exactly one job, however many schedulers there are.

Whoever moves a task's row on from where it found it enqueues, in the same transaction, the jobs of the ticks that lie
in between; whoever finds it moved on already does nothing. Times are those of the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile

import msgspec

from penstock.domain.errors import ConfigurationError, DeclarationError
from penstock.domain.jobs import Call, Shape
from penstock.domain.names import did_you_mean, name_fault
from penstock.domain.ticks import Due, Missed, Schedule, due, read_missed, read_schedule
from penstock.events import PeriodicReset, PeriodicTicked
from penstock.events.telling import Events
from penstock.queue.enqueue import enqueue_in
from penstock.store.port import Store, Transaction

_MOST = 1000
_RECENT_MS = 60_000
_FAR_AHEAD_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Periodic:
    """A call that is enqueued at every tick of a schedule. The job's `run_at` is its tick."""

    name: str
    call: Call
    schedule: Schedule
    missed: Missed


@dataclass(frozen=True, slots=True)
class PeriodicRow:
    """How far a periodic task is dealt with. Times are in milliseconds since 1970, UTC, by the database's clock."""

    name: str
    spec: str
    reached_at: int
    """Every tick up to here is dealt with."""
    tick_at: int | None
    """The last tick that gave a job."""
    paused_at: int | None


@dataclass(frozen=True, slots=True)
class PeriodicSeen:
    """A periodic task as people see it. Times are in milliseconds since 1970, UTC, by the database's clock, which said
    `now` when it was read.

    `next_at` is the tick that gives the next job: past, if nobody has dealt with it yet. `overdue` ticks are due by now
    (1,000 at most), and `missed` says what becomes of them; `following_at` is the first tick that is yet to come. Of
    one that the app does not declare (`declared`) only what the store knows is told.
    """

    name: str
    spec: str
    zone: str | None
    task: str | None
    queue: str | None
    missed: Missed | None
    next_at: int | None
    following_at: int | None
    last_at: int | None
    overdue: int
    paused_at: int | None
    declared: bool
    now: int


Declared = Mapping[str, Periodic]


def declare(name: str, call: object, *, cron: object, every: object, timezone: object, missed: Missed,
            taken: Declared) -> Periodic:
    """A periodic task as people declare it. Raises `DeclarationError` with every fault."""
    schedule, faults = read_schedule(cron, every, timezone)
    faults = [fault for fault in (name_fault("periodic task", name),) if fault] + faults + read_missed(missed)
    if name in taken:
        faults.append("it is declared already: give one of the two another name")
    if not isinstance(call, Call):
        faults.append(f"expected a call to enqueue, such as report.call(\"eu\"), got {call!r}")
    elif call.shape["run_at"] is not None or call.shape["delay_ms"]:
        faults.append("its call has a run_after of its own, but it is enqueued at its ticks: leave run_after out")
    elif call.shape["deadline_at"] is not None:
        faults.append("its call has a deadline at one moment, which most of its jobs would miss: give a timedelta")
    if faults or schedule is None or not isinstance(call, Call):
        raise DeclarationError([f"periodic task {name!r}: {fault}" for fault in faults])
    return Periodic(name, call, schedule, missed)


class Scheduler:
    """Does one step at a time; `step` says how many seconds may go by before the next is needed."""

    def __init__(self, store: Store, events: Events, declared: Declared, every_seconds: float) -> None:
        self._store = store
        self._events = events
        self._declared = declared
        self._every_seconds = every_seconds

    def step(self) -> float:
        """Enqueue the jobs of what has become due."""
        if not self._declared:
            return self._every_seconds
        rows, now = read(self._store)
        enqueued = 0
        for periodic in tuple(self._declared.values()):
            row = rows.get(periodic.name)
            if row is None:
                self._store.write(_adding(periodic))
            elif row.paused_at is None:
                enqueued += self._one(periodic, row, now)
        if enqueued:
            self._store.wake()
            return 0.0  # there may be more of them than one step takes
        return self._wait(rows, now)

    def _one(self, periodic: Periodic, row: PeriodicRow, now: int) -> int:
        """Deal with the ticks of one task; return how many jobs they gave."""
        if row.reached_at > now + _FAR_AHEAD_MS:
            if self._store.write(lambda tx: _advance(tx, periodic, row, Due([], now))) is not None:
                self._events.emit(PeriodicReset(name=periodic.name, ahead_ms=row.reached_at - now))
            return 0
        found = due(periodic.schedule, periodic.missed, reached=row.reached_at, now=now, most=_MOST)
        if row.spec != periodic.schedule.spec and (found is None or now - row.reached_at > _RECENT_MS):
            # Another schedule was declared: it begins now. A worker of the version before may change it back, which
            # must cost neither of them a tick; so what is due since just now, when that happened last, still counts.
            found = Due([], max(now, row.reached_at))
        if found is None:
            return 0
        jobs = self._store.write(lambda tx: _advance(tx, periodic, row, found)) or 0
        if jobs:
            self._events.emit(PeriodicTicked(name=periodic.name, jobs=jobs))
        return jobs

    def _wait(self, rows: Mapping[str, PeriodicRow], now: int) -> float:
        waits = [self._every_seconds]
        for name, periodic in tuple(self._declared.items()):
            row = rows.get(name)
            tick = next_tick(periodic, row, now)
            if tick is not None and row is not None and row.paused_at is None:
                waits.append(max((tick - now) / 1000, 0.005))
        return min(waits)


def next_tick(periodic: Periodic, row: PeriodicRow | None, now: int) -> int | None:
    """When a job is enqueued next, unless the task is paused; None where no tick comes within 50 years."""
    return periodic.schedule.next_after(now if row is None else row.reached_at)


def read(store: Store) -> tuple[dict[str, PeriodicRow], int]:
    """Every periodic task that the store knows, by its name, and the database's time in milliseconds."""

    def work(tx: Transaction) -> tuple[dict[str, PeriodicRow], int]:
        now = tx.row("now")
        assert now is not None
        return {row[0]: PeriodicRow(*row) for row in tx.rows("periodic_rows")}, now[0]

    return store.read(work)


def seen(store: Store, declared: Declared) -> list[PeriodicSeen]:
    """Every periodic task that is declared or the store knows, by name."""
    rows, now = read(store)
    return [_seen(name, declared.get(name), rows.get(name), now) for name in sorted({*declared, *rows})]


def _seen(name: str, periodic: Periodic | None, row: PeriodicRow | None, now: int) -> PeriodicSeen:
    last, paused = (row.tick_at, row.paused_at) if row is not None else (None, None)
    if periodic is None:
        return PeriodicSeen(name, row.spec if row is not None else "", None, None, None, None, None, None, last, 0,
                            paused, False, now)
    schedule, shape = periodic.schedule, periodic.call.shape
    following, nearest, overdue = None, None, 0
    if paused is None:
        following, nearest = next_tick(periodic, row, now), schedule.next_after(now)
        if following is not None and following <= now and row is not None:
            overdue = sum(1 for _ in islice(takewhile(now.__ge__, schedule.after(row.reached_at)), _MOST))
    return PeriodicSeen(name, schedule.spec, schedule.zone, shape["task"], shape["queue"], periodic.missed, following,
                        nearest, last, overdue, paused, True, now)


def pause(store: Store, declared: Declared, name: str) -> bool:
    """Let the ticks of a task go by; False if it was paused already. Raises `ConfigurationError` for a name unknown."""
    return _switch(store, declared, name, "periodic_pause")


def resume(store: Store, declared: Declared, name: str) -> bool:
    """Go on from now, without the ticks that went by meanwhile; False if it was not paused.

    Raises `ConfigurationError` for a name that neither the app nor the store knows.
    """
    return _switch(store, declared, name, "periodic_resume")


def _switch(store: Store, declared: Declared, name: str, statement: str) -> bool:
    def work(tx: Transaction) -> bool:
        if name in declared:
            _add(tx, declared[name])  # no scheduler may have met it yet
        elif tx.row("periodic_exists", {"name": name}) is None:
            known = {*declared, *(row[0] for row in tx.rows("periodic_rows"))}
            raise ConfigurationError(f"expected the name of a periodic task, got {name!r}{did_you_mean(name, known)}")
        return tx.execute(statement, {"name": name}) > 0

    return store.write(work)


def _at(call: Call, tick: int) -> Call:
    shape: Shape = {**call.shape, "run_at": tick, "delay_ms": 0}
    return msgspec.structs.replace(call, shape=shape)


def _adding(periodic: Periodic) -> Callable[[Transaction], None]:
    return lambda tx: _add(tx, periodic)


def _add(tx: Transaction, periodic: Periodic) -> None:
    tx.execute("periodic_add", {"name": periodic.name, "spec": periodic.schedule.spec})


def _advance(tx: Transaction, periodic: Periodic, row: PeriodicRow, found: Due) -> int | None:
    """Move a task's row on and enqueue the jobs of the ticks; None if another scheduler was here first."""
    moved = tx.execute("periodic_advance", {
        "name": periodic.name, "spec": periodic.schedule.spec, "spec_before": row.spec, "before": row.reached_at,
        "reached_at": found.reached, "tick_at": found.ticks[-1] if found.ticks else None,
    })
    if not moved:
        return None
    if found.ticks:
        enqueue_in(tx, [_at(periodic.call, tick) for tick in found.ticks])
    return len(found.ticks)
