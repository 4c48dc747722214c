"""Upkeep: stage what has become due, rescue the jobs of workers that stopped renewing, and keep the tables small.

Every worker does it; statements that find nothing cost an index look-up. Under somebody else's long transaction, dead
rows make some of them slower and slower: what was staged is passed over, and other looks are the farther apart the
longer they take, so that none has more than a small share of the time.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from penstock.domain.errors import StoreBusy
from penstock.domain.jobs import JobState, Outcome, Retention
from penstock.events import JobsRescued
from penstock.events.telling import Events
from penstock.queue.claim import LOWEST, settle_in
from penstock.queue.control import fold_counts
from penstock.queue.listing.rates import KEPT_MS
from penstock.schedule.turn import Turn
from penstock.store.port import Store, Transaction
from penstock.sync.restricting.planned import Plans

_STAGE_BATCH = 1000
_FOLD_SECONDS = 2.0
_PRUNE_SECONDS = 60.0
_PRUNE_BATCH = 1000
_MOST_LOST = 3
_PRUNED = {"finished_prune": "finished jobs", "marks_prune": "marks of tags", "keys_prune": "unique keys",
           "batches_prune": "batches", "progress_prune": "progress", "results_prune": "results"}
_LOST = "the worker that ran this attempt stopped renewing its lease"


class Upkeep:
    """One pass at a time; `step` says how many seconds may go by before the next is needed.

    `retention` says by a task's name how long its jobs are kept. `also` is done with each pass, after all else; each
    knows by itself when it is due.
    """

    def __init__(self, store: Store, events: Events, every_seconds: float,
                 retention: Mapping[str, Retention] | None = None, also: Iterable[Callable[[], None]] = ()) -> None:
        self._also = tuple(also)
        self._store = store
        self._events = events
        self._every_seconds = every_seconds
        self._retention = retention or {}
        self._fold_turn = Turn(_FOLD_SECONDS)
        self._prune_turn = Turn(_PRUNE_SECONDS)
        self._rescue_turn = Turn(every_seconds)
        self._look_turn = Turn(0.0)
        self._passed = LOWEST

    def step(self) -> float:
        due_ms = self._due_ms()
        staged = self.stage(self._passed) if due_ms is not None and due_ms <= 0 else 0
        with self._rescue_turn as due:
            if due:
                self.rescue()
        with self._fold_turn as due:
            if due:
                fold_counts(self._store)
                self._store.run("keys_release")
        with self._prune_turn as due:
            if due:
                self.prune()
        for step in self._also:
            step()
        if staged == _STAGE_BATCH:
            return 0.0
        if staged:
            due_ms = self._due_ms()
        if due_ms is None:
            return self._every_seconds
        return float(min(max(due_ms / 1000, 0.005), self._every_seconds))

    def _due_ms(self) -> int | None:
        """Milliseconds until the next job is due; none waits for its time: None.

        What was staged is passed over. A job that becomes visible there, by a late commit, is found when it is time for
        a look at all of them.
        """
        with self._look_turn as due:
            if due:
                self._passed = LOWEST
            ((run_at, now),) = self._store.look("next_due", {"after": self._passed})
        if self._store.dead_rows_linger:
            self._passed = max(self._passed, now if run_at is None else min(run_at, now))
        return None if run_at is None else int(run_at - now)

    def stage(self, after: int = LOWEST) -> int:
        """Make due jobs available, of those not due before `after`; at most a thousand at a time, so that no
        transaction grows long."""
        staged = len(self._store.run("stage", {"count": _STAGE_BATCH, "after": after}))
        if staged:
            self._store.wake()
        return staged

    def rescue(self) -> int:
        """Give the jobs of expired workers to others. The worker's row goes first, so no late claim is orphaned.

        The attempt is counted, for it may well have been this job that ended its worker. A job that has no attempt left
        still gets others, until it has lost three workers: what was claimed ahead had perhaps not begun.
        """
        outcomes = self._store.write(self._rescue)
        if self._store.look("places_are_kept")[0][0] and self._store.run("places_lost"):
            self._store.wake()
        if self._store.look("ends_unsaid")[0][0] and self._store.run("ends_lost"):
            self._store.wake()
        if outcomes:
            available = sum(outcome.state == JobState.AVAILABLE for outcome in outcomes)
            self._events.emit(JobsRescued(available=available, discarded=len(outcomes) - available))
            self._store.wake()
        return len(outcomes)

    def _rescue(self, tx: Transaction) -> list[Outcome]:
        tx.rows("workers_expire")
        rows = tx.rows("rescue_leases")
        if not rows:
            return []
        outcomes = []
        for id, lease, task, attempt, max_attempts, lost in rows:
            if id is not None:
                over = attempt >= max_attempts and lost >= _MOST_LOST
                keep_ms = self._retention.get(task, Retention()).keep_ms("discarded", 0) if over else 0
                outcomes.append(Outcome(id, lease, "discarded" if over else "available", keep_ms=keep_ms,
                                        error_class="WorkerLost", error=_LOST))
        tx.execute("count_lost", {"ids": [outcome.id for outcome in outcomes]})
        settle_in(tx, outcomes, sorted({row[1] for row in rows}))
        return outcomes

    def prune(self) -> None:
        """Remove what is past its time."""
        for _ in self.pruning():
            pass

    def pruning(self) -> Iterator[tuple[str, int]]:
        """Remove what is past its time, batch by batch; tell of what, and how many rows: finished jobs, marks, keys,
        errors of attempts, batches, progress, results, rates, plans no run wants."""
        if self._store.slots:
            for slot in self._store.read(self._expired):
                yield "whole parts of the finished jobs", self._empty(slot)
        batch = {"count": _PRUNE_BATCH}
        for name, what in _PRUNED.items():
            yield from self._batches(what, name, batch)
        yield from self._errors(batch)
        for span, kept_ms in KEPT_MS.items():
            yield from self._batches("rates", "rates_prune", {**batch, "span": span, "kept_ms": kept_ms})
        for name in ("cancellations_prune", "stacks_prune"):
            self._store.write(_executing(name))
        Plans(self._store).prune()

    def _batches(self, what: str, name: str, params: Mapping[str, object]) -> Iterator[tuple[str, int]]:
        """Batch after batch, up to one that is not full."""
        removed = _PRUNE_BATCH
        while removed == _PRUNE_BATCH:
            removed = (len(self._store.run(name, params)) if name == "finished_prune"
                       else self._store.write(_executing(name, params)))
            yield what, removed

    def _errors(self, params: Mapping[str, object]) -> Iterator[tuple[str, int]]:
        """Remove the errors of jobs that are not there any more; those of others are looked at again later."""
        looked_at = _PRUNE_BATCH
        while looked_at == _PRUNE_BATCH:
            rows = self._store.run("attempt_errors_prune", params)
            looked_at = len(rows)
            yield "errors of attempts", sum(gone for (gone,) in rows)

    def _expired(self, tx: Transaction) -> list[str]:
        """The parts of the finished jobs in which everything is past its time."""
        used = tx.rows("slots_used", {"slots": list(self._store.slots)})
        return [slot for (slot,) in used if _is_expired(tx, slot)]

    def _empty(self, slot: str) -> int:
        """Empty such a part, unless something has come into it since; 1 if it was."""
        def empty(tx: Transaction) -> int:
            tx.row("impatient")
            if not _is_expired(tx, slot):
                return 0
            tx.execute("slot_empty", layer=slot)
            for name in ("slot_unfold", "slot_uncount"):
                tx.execute(name, {"slot": int(slot.rpartition("_")[2])})
            return 1

        with contextlib.suppress(StoreBusy):  # somebody reads it: the next pass tries again
            return self._store.write(empty)
        return 0


def _executing(name: str, params: Mapping[str, object] | None = None) -> Callable[[Transaction], int]:
    return lambda tx: tx.execute(name, params or {})


def _is_expired(tx: Transaction, slot: str) -> bool:
    row = tx.row("slot_expired", layer=slot)
    return bool(row and row[0])
