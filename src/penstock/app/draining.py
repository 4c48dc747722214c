"""`app.drain`: serving within a host's time, for handlers of functions that are called and frozen again."""

import asyncio
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.app.declaring import SYNC_QUEUE
from penstock.app.piecewise import Piecewise
from penstock.app.serving import WINDOW_SLOTS
from penstock.domain.errors import ConfigurationError
from penstock.domain.jobs import JobState
from penstock.domain.limits import Window
from penstock.domain.names import name_fault
from penstock.queue import control
from penstock.queue.claim import LOWEST
from penstock.schedule import periodic
from penstock.store.port import Transaction
from penstock.worker.draining import Drain
from penstock.worker.timebox import TimeBox

_MOST_RUNS = 10_000
_WAITING = (JobState.AVAILABLE, JobState.PENDING)


@dataclass(frozen=True, slots=True)
class Report:
    """What a drain did, and when there is something to do again.

    `served` are the jobs and runs that were brought to an end, good or bad. `remaining` are those that are due now and
    were not: jobs that are available or pending, runs and requests (of the latter two at most 10,000 each). `next_due`
    is the time by the database's clock, in UTC, at which another drain has something to do: now, if time ran out; a
    while from now, if what remains is held (by a key, a gate, a pause, another worker); None if nothing is known of.
    """

    served: int
    remaining: int
    next_due: datetime | None


class Draining(Piecewise):
    """Serves what is due in the caller's process, for a time."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._drains = 0
        self._was_open = self._was_spending = False
        self._counting_drains = threading.Lock()

    def drain(self, window: Window, queues: Collection[str] | None = None, *, slots: int = WINDOW_SLOTS,
              stopping: threading.Event | None = None) -> Report:
        """Serve jobs and runs until nothing is due, or too little of the window is left; then say what remains.

        It needs no other process: it takes the steps of dispatcher, upkeep and scheduler itself. Of `queues` (all that
        the app's tasks name) so many `slots` run at once; with 1, everything runs in the calling thread. Nothing is
        begun with less than `window.headroom` seconds left, what runs is told to stop at a checkpoint while there is
        time to settle it, and everything is settled before `window.total` is over, unless a body heeds nothing. No
        thread, lease or worker's row is left behind, and no connection of a store that was not open before. Any number
        may go on at once, here and elsewhere. Once `stopping` is set, as by a handler of SIGTERM, its time counts as
        over. See docs/hosts.md.

        Raises `ConfigurationError`, what `check` raises, and `StoreError` where the store is away.
        """
        box = TimeBox.of(_checked(window, queues, slots), self.monotonic())
        with self._lent():
            self.check()
            served = self.slots() if queues is None else dict.fromkeys(queues)
            names = list(served)
            settings = self.settings
            drain = Drain(self.store, self.tasks, self.events, queues=names, slots=slots, box=box,
                          monotonic=self.monotonic, waiting=lambda: self._remaining(names) > 0,
                          steps={"periodic": self.scheduler().step, "upkeep": self.upkeep().step,
                                 "dispatch": self.dispatcher().step},
                          lease_seconds=settings.lease_seconds, poll_seconds=settings.poll_seconds,
                          grace_seconds=settings.grace_seconds, patience_seconds=settings.patience_seconds,
                          stopping=stopping, tracer=self.tracer())
            drain.run()
            self.alert_telling(box.ends_at).step()
            remaining = self._remaining(names)
            out_of_time = self.monotonic() >= box.begin_until or (stopping is not None and stopping.is_set())
            return Report(drain.served, remaining, self._next_due(remaining, out_of_time))

    async def adrain(self, window: Window, queues: Collection[str] | None = None, *,
                     slots: int = WINDOW_SLOTS, stopping: threading.Event | None = None) -> Report:
        """The same from `async` code, on a thread: to cancel it ends the wait, and not the drain."""
        return await asyncio.to_thread(self.drain, window, queues, slots=slots, stopping=stopping)

    @contextmanager
    def _lent(self) -> Iterator[None]:
        """Leave the store as it was found: closed again, by the last of the drains that go on, if it was not open. What
        is held of limits is given back, if none of them was spent before."""
        with self._counting_drains:
            if not self._drains:
                self._was_open, self._was_spending = self._store is not None, self._spending is not None
            self._drains += 1
        try:
            yield
        finally:
            with self._counting_drains:
                self._drains -= 1
                if not self._drains and not self._was_open:
                    self.close()
                elif not self._drains and not self._was_spending:
                    self._stop_spending(only_idle=True)

    def _remaining(self, queues: list[str]) -> int:
        open_queues = set(queues) - set(control.paused(self.store))
        jobs = sum(count.jobs for count in control.counts(self.store)
                   if count.queue in open_queues and count.state in _WAITING)
        if not self.syncs or SYNC_QUEUE not in open_queues:
            return jobs
        row = self.store.read(lambda tx: tx.row("runs_left", {"syncs": list(self.syncs), "count": _MOST_RUNS}))
        assert row is not None
        return jobs + int(row[0])

    def _next_due(self, remaining: int, out_of_time: bool) -> datetime | None:
        """When there is something to do again. What is held is looked at after a lease: by then its holder ended, or
        has lost it."""
        rows, now = periodic.read(self.store)
        if remaining and out_of_time:
            return _time(now)
        times = [periodic.next_tick(each, rows.get(name), now) for name, each in self.periodics.items()
                 if name not in rows or rows[name].paused_at is None]
        clocked = [name for name, sync in self.syncs.items() if sync.options.every is not None]
        found = [time for time in [*times, *self.store.read(lambda tx: _later(tx, clocked))] if time is not None]
        if remaining:
            found.append(now + round(self.settings.lease_seconds * 1000))
        return _time(max(min(found), now)) if found else None


def _later(tx: Transaction, clocked: list[str]) -> list[int | None]:
    """When jobs, runs, gates and the subjects of `clocked` syncs have the time that they wait for, in ms since 1970."""
    job = tx.row("next_due", {"after": LOWEST})
    assert job is not None
    waits = [tx.row("runs_next_due"), tx.row("gates_next_open")]
    subjects = [tx.row("subjects_next_due", {"sync": sync}) for sync in clocked]
    return [job[0], *(None if row is None or row[0] is None else job[1] + row[0] for row in waits),
            *(None if row is None else row[0] for row in subjects)]


def _checked(window: object, queues: object, slots: object) -> Window:
    faults = []
    if not isinstance(window, Window):
        faults.append(f"window: expected a Window(total=…, headroom=…) of seconds, got {window!r}")
    if type(slots) is not int or slots < 1:
        faults.append(f"slots: expected at least 1, a whole number, got {slots!r}")
    if isinstance(queues, str) or (queues is not None and not isinstance(queues, Collection)):
        faults.append(f"queues: expected several names, got {queues!r}")
    elif queues is not None:
        faults += [fault for name in queues if (fault := name_fault("queue", name))]
        if not queues:
            faults.append("queues: expected at least one, or None for all")
    if faults or not isinstance(window, Window):
        raise ConfigurationError(faults)
    return window


def _time(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
