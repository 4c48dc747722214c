"""The dispatcher: folds requests and news of lines, and admits work by the policy. One acts at a time.

A step is one transaction under the lock of dispatch. It reads the heads of lines that have a turn, never what waits
behind them, so it costs no more with a million pieces of work than with ten. User code is asked before it, with no
transaction open; where that fails, what it was asked for stays where it is, and everything else goes on.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.admission import keyed, runs
from penstock.admission.gates import Gates
from penstock.admission.policy import Decision, Gate, Line, Room, View, decide
from penstock.admission.queue_room import Place, QueueRoom
from penstock.admission.requests import Known, Subjects, fold_requests, note_asked, request_due, waiting
from penstock.admission.runs import Rooms, RunLines, account_of
from penstock.admission.waits import fold_waits
from penstock.domain.jobs import Call
from penstock.domain.records import Subject
from penstock.events import Event, RunAdmitted, RunSettled, SubjectsFailed
from penstock.events.telling import Events
from penstock.store.carry import renamed_sync
from penstock.store.port import Store, Transaction

_NEWS_BATCH = 2000
_DUE_BATCH = 1000
_SOONEST_SECONDS = 0.005
_LOOK_SHARE = 50  # looks that find nothing take at most a fiftieth of the time
_IDLE_SHARE = 5  # and steps that come to nothing a fifth
_FOREVER = 1e9
_NOTE_SECONDS = 1.0
_JUMP_MS = 2000
_ASK_AGAIN_SECONDS = 5.0
_LOCKED_SECONDS = 0.05
_LATELY_SECONDS = 60.0


@dataclass(slots=True)
class _Step:
    """What one step came to; `seconds` is how long the next may wait."""

    seconds: float
    told: list[Event] = field(default_factory=list)
    admitted: dict[str, list[Place]] = field(default_factory=dict)
    probed: set[str] = field(default_factory=set)
    acted: bool = False
    now: int = 0
    idle: bool = True
    released: bool = False

    def at_once(self) -> None:
        """Something came of it, and there may be more."""
        self.seconds, self.idle = 0.0, False

    def within(self, seconds: float | None) -> None:
        if seconds is not None:
            self.seconds = min(self.seconds, max(seconds, _SOONEST_SECONDS))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look found to do: news of lines; lines with a turn, behind a gate, or whose time has passed; runs that are
    due; requests. At a tick, runs that have lost their window and subjects whose time has come are looked for too."""

    news: bool
    turns: bool
    behind_gates: bool
    passed: bool
    due: bool
    requested: bool
    waits: bool
    ticked: bool

    def anything(self, at_ticks: bool) -> bool:
        found = self.news or self.turns or self.behind_gates or self.passed or self.due or self.requested or self.waits
        return found or (at_ticks and self.ticked)


class Dispatcher:
    """Does one step at a time; `step` says how many seconds may go by before the next is needed."""

    def __init__(self, store: Store, events: Events, *, rooms: Rooms, subjects: Subjects,
                 window_call: Callable[[int], Call], every_seconds: float, lease_seconds: float = 30.0,
                 renamed: Mapping[str, str] | None = None, keyed: Callable[[], bool] = lambda: True,
                 keep_ms: Callable[[], Mapping[str, int]] = dict) -> None:
        """`renamed`: from a sync's former name to its name. Programs of before go on to request by the former. `keyed`:
        whether this program declares tasks with keys; without, and without syncs, it acts for others at ticks alone.
        `keep_ms`: by a task's name, for how long its jobs are kept that are cancelled.
        """
        self._renamed = renamed or {}
        self._store = store
        self._events = events
        self._rooms = rooms
        self._subjects = subjects
        self._window_call = window_call
        self._every_seconds = every_seconds
        self._idle_ms = max(round(min(lease_seconds, 15.0) * 1000), 1000)
        self._keyed = keyed
        self._keep_ms = keep_ms
        self._queues: dict[str, QueueRoom] = {}
        self._gates = Gates()
        self._unasked: dict[str, float] = {}
        self._looked_at = self._noted_at = self._ticked_at = -_FOREVER
        self._rest_seconds = 0.0
        self._clock: tuple[float, int] | None = None
        self._waits_at = -_FOREVER
        self._expected = self._kept_out = False

    def expect(self) -> None:
        """There is something to do for sure: the next step is not to rest."""
        self._expected = True

    def rested_step(self) -> float:
        """A step, unless the last one came to nothing just now: for a loop that is woken whenever anything happens."""
        if self._expected:
            self._expected = self._kept_out = False
            seconds = self.step()
            if not self._kept_out:
                return seconds
            self._expected = True  # somebody else acts, who may have looked before what we know of
            return _SOONEST_SECONDS
        left = self._looked_at + self._rest() - time.monotonic()
        return left if left > 0 else self.step()

    def step(self) -> float:
        began = time.monotonic()
        seen = self._look(began)
        if not seen.anything(bool(self._rooms)):
            return self._every_seconds
        known = self._resolved() if seen.requested else {}
        note = began - self._noted_at >= _NOTE_SECONDS
        done = self._store.write(lambda tx: self._act(tx, known, note, seen))
        if done.acted and note:
            self._noted_at = began
        if done.acted and seen.news:
            done.at_once()  # there may be more of it than one step takes
        if done.idle:
            self._looked_at = time.monotonic()
            self._rest_seconds = (self._looked_at - began) * _IDLE_SHARE
        for queue, places in done.admitted.items():
            self._queues[queue].admitted(places)
        self._gates.probed(done.probed)
        for event in done.told:
            self._events.emit(event)
        if done.admitted or done.released or any(isinstance(event, RunAdmitted) for event in done.told):
            self._store.wake()
        return done.seconds

    def _rest(self) -> float:
        """How long no look is needed: where this program declares nothing of the kind, and has seen no jobs that wait
        for others of late, others look for themselves."""
        if not self._rooms and not self._keyed() and time.monotonic() - self._waits_at > _LATELY_SECONDS:
            return self._every_seconds
        return min(self._rest_seconds, self._every_seconds)

    def _look(self, began: float) -> _Seen:
        """Whether there is anything to do. Runs whose job is gone, and what has a new name, wait for a tick."""
        ticked = began - self._ticked_at >= self._every_seconds
        ((news, turns, behind_gates, passed, due, requested, waits),) = self._store.look("dispatch_wanted")
        seen = _Seen(bool(news), bool(turns), bool(behind_gates), bool(passed), bool(due), bool(requested), bool(waits),
                     ticked)
        if ticked:
            self._ticked_at = began
        if waits:
            self._waits_at = began
        self._rest_seconds = 0.0
        if not seen.anything(False):
            self._looked_at = time.monotonic()
            self._rest_seconds = (self._looked_at - began) * _LOOK_SHARE
        return seen

    def _resolved(self) -> Known:
        """The subjects of requests without an account. User code gives them, so no transaction is open meanwhile."""
        wanted: dict[str, set[str]] = {}
        if self._rooms:
            for request in self._store.read(lambda tx: waiting(tx, list(self._rooms))):
                if request.account is None:
                    wanted.setdefault(request.sync, set()).add(request.subject)
        known: dict[tuple[str, str], Subject | None] = {}
        for sync, keys in wanted.items():
            if time.monotonic() < self._unasked.get(sync, 0.0):
                continue
            try:
                found = self._subjects(sync, keys)
            except Exception as error:
                self._unasked[sync] = time.monotonic() + _ASK_AGAIN_SECONDS
                self._events.emit(SubjectsFailed(sync=sync, error=f"{type(error).__name__}: {error}"))
            else:
                known.update({(sync, key): found.get(key) for key in keys})
        return known

    def _act(self, tx: Transaction, known: Known, note: bool, seen: _Seen) -> _Step:
        done = _Step(self._every_seconds)
        locked = tx.row("lock_dispatch", {"idle_ms": self._idle_ms})
        if not locked or not locked[0]:
            self._kept_out = True
            done.within(0.05)  # whoever acts may have looked before there was anything for us
            return done
        done.acted = True
        done.now = self._mind_the_clock(tx, locked[1])
        lines = RunLines(tx, self._rooms)
        self._fold(tx, lines, known, note, done, seen)
        view = tx.rows("dispatch_view")
        shut, soonest, released = self._gates.step(tx, [row[1:4] for row in view if row[0] == "gate"], done.now,
                                                   held=seen.behind_gates)
        done.within(soonest)
        if released:
            view = tx.rows("dispatch_view")
        paused = {name for kind, name, *_ in view if kind == "pause"}
        for kind, name, _, _, running in view:
            if kind == "job":
                self._admit_jobs(tx, name, paused, shut, done)
            elif kind == "run" and name in self._rooms:
                room = runs.room(name, self._rooms[name], running, f"sync:{name}" in paused)
                self._admit_runs(tx, name, room, lines, shut, done)
        done.told += lines.update()
        for name in ("runs_next_due", "lines_next_until") if done.seconds else ():
            row = tx.row(name)
            done.within(None if row is None or row[0] is None else row[0] / 1000)
        return done

    def _mind_the_clock(self, tx: Transaction, now: int) -> int:
        """The time. What waits until a time that was near before the clock jumped back waits no longer."""
        at = time.monotonic()
        if self._clock is None or now < self._clock[1] + (at - self._clock[0]) * 1000 - _JUMP_MS:
            tx.execute("lines_release_all_due")
        self._clock = at, now
        return now

    def _fold(self, tx: Transaction, lines: RunLines, known: Known, note: bool, done: _Step, seen: _Seen) -> None:
        """Take in what has happened: renamed syncs, lost windows, requests, runs that are due, news of lines."""
        if seen.ticked or seen.requested:
            self._fold_requests(tx, lines, known, done, seen)
        if seen.due:
            lines.due()
        if seen.passed:
            tx.execute("lines_release_due", {"count": _DUE_BATCH})
        if seen.waits:
            self._fold_waits(tx, note, done)
        if seen.ticked or seen.news or done.released:
            self._fold_news(tx, lines, note)
        lines.update()

    def _fold_requests(self, tx: Transaction, lines: RunLines, known: Known, done: _Step, seen: _Seen) -> None:
        for was, sync in self._renamed.items():
            for step in renamed_sync(sync, was):
                tx.execute(step.name, step.params)
        if not self._rooms:
            return
        if seen.ticked:
            for id, sync, subject, account in tx.rows("runs_orphaned"):
                done.told.append(RunSettled(run_id=id, sync=sync, subject=subject, status="failed",
                                            error="its window was lost"))
                lines.touch((sync, account))
            if request_due(tx, self._rooms):
                done.at_once()
            elif not seen.requested:
                return
        requests = waiting(tx, list(self._rooms))
        note_asked(tx, requests, self._rooms)
        told, folded = fold_requests(tx, requests, known, lines)
        done.told += told
        if folded:
            done.at_once()

    def _fold_waits(self, tx: Transaction, note: bool, done: _Step) -> None:
        more, later, done.released, told = fold_waits(tx, note, self._keep_ms)
        done.told += told
        if more:
            done.at_once()
        elif later:
            done.within(_LOCKED_SECONDS)

    def _fold_news(self, tx: Transaction, lines: RunLines, note: bool) -> None:
        awaited = []
        for line, is_awaited, rank in tx.rows("lines_fold", {"count": _NEWS_BATCH, "note": note}):
            if is_awaited:
                awaited.append(line)
            else:
                lines.touch(account_of(line), rank)
        if awaited:
            names = {"lines": sorted(set(awaited))}
            tx.execute("lines_release_awaiting", names)
            tx.rows("lines_unawaited", names)
            tx.execute("lines_remove_idle", names)

    def _admit_runs(self, tx: Transaction, sync: str, room: Room, lines: RunLines, shut: Mapping[str, Gate],
                    done: _Step) -> None:
        if room.free <= 0:
            return
        rows = tx.rows("lines_turns", {"kind": "run", "room": sync, "count": room.free})
        heads = runs.lines(tx, rows, self._rooms, sync, room.free)
        decisions = decide(heads, _view(tx, done.now, {sync: room}, shut))
        runs.admit(tx, decisions, lines, self._window_call)
        for each in decisions:
            if not each.admit and each.line.most is not None and each.line.running >= each.line.most:
                lines.touch(account_of(each.line.name))  # another version of the app had let it have more
        self._after(tx, decisions, shut, done)

    def _admit_jobs(self, tx: Transaction, queue: str, paused: set[str], shut: Mapping[str, Gate], done: _Step) -> None:
        if f"queue:{queue}" in paused:
            return
        space = self._queues.setdefault(queue, QueueRoom(queue))
        space.look(tx)
        rows = tx.rows("lines_turns", {"kind": "job", "room": queue, "count": max(space.free, 1)})
        heads = keyed.lines(tx, rows, queue, space.free)
        free = space.room_for(heads)
        if free <= 0:
            done.within(space.patience_seconds)
            return
        room = Room(free, f"as many jobs of queue {queue} are admitted as its workers begin soon")
        view = _view(tx, done.now, {queue: room}, shut, heads, paused)
        decisions = decide(heads, view)
        if chosen := keyed.apart(decisions):
            done.admitted[queue] = keyed.admit(tx, chosen, space.ranks(tx, [each.turn for each in chosen], view.now))
        self._after(tx, decisions, shut, done)

    def _after(self, tx: Transaction, decisions: list[Decision], shut: Mapping[str, Gate], done: _Step) -> None:
        """Hold what waits for something of its own; if any does, others may have a turn at once."""
        keyed.hold(tx, decisions)
        done.probed |= {key for each in decisions if each.admit for key in each.line.gates if key in shut}
        if any(each.admit or each.hold for each in decisions):
            done.at_once()


def _view(tx: Transaction, now: int, rooms: Mapping[str, Room], shut: Mapping[str, Gate], lines: Sequence[Line] = (),
          paused: Collection[str] = ()) -> View:
    keys = {what.removeprefix("key:") for what in paused if what.startswith("key:")}
    return View(now, rooms, keyed.second_keys(tx, lines), shut, keys)
