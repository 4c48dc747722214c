"""The history of runs: each finished run is counted into the statistics once, by whichever worker comes first.

A run is counted in the transaction that marks it as counted, under a lock that one worker has at a time. The newest run
of a subject is kept for ever, since statistics, plans and `penstock why` refer to it; whatever is older goes when it is
past its time, in bounded batches by an index that holds nothing else.
"""

from datetime import timedelta

from penstock.schedule.turn import Turn
from penstock.store.port import Store, Transaction
from penstock.sync.state.statistics import (
    Finished,
    Key,
    Statistics,
    above,
    counted,
    forgiven,
    keys,
    read_known,
    save,
)

_COUNT_SECONDS, _PRUNE_SECONDS = 2.0, 60.0
_COUNT_BATCH, _PRUNE_BATCH = 200, 1000
_LOWEST = -(1 << 62)


class History:
    """`step` does what is due; `count` and `prune` do it now."""

    def __init__(self, store: Store, kept: timedelta) -> None:
        self._store = store
        self._kept_ms = kept // timedelta(milliseconds=1)
        self._count_turn, self._prune_turn = Turn(_COUNT_SECONDS), Turn(_PRUNE_SECONDS)
        self._look_turn, self._prune_look_turn = Turn(0.0), Turn(0.0)
        self._counted_at = self._pruned_at = _LOWEST

    def step(self) -> None:
        with self._count_turn as due:
            if due:
                while self.count() == _COUNT_BATCH:
                    pass
        with self._prune_turn as due:
            if due:
                for step in (self.prune, self.forgive):
                    while step() == _PRUNE_BATCH:
                        pass

    def count(self) -> int:
        """Count at most 200 runs; return how many.

        Where deleted rows linger, those of runs that were counted are passed over, until it is time for a look at all.
        """
        with self._look_turn as due:
            if due:
                self._counted_at = _LOWEST
        if not self._store.look("runs_uncounted", {"after": self._counted_at, "count": 1}):
            return 0
        finished = self._store.write(self._count)
        if self._store.dead_rows_linger and finished:
            self._counted_at = finished[-1].finished_at
        return len(finished)

    def _count(self, tx: Transaction) -> list[Finished]:
        locked = tx.row("lock_history")
        if not locked or not locked[0]:
            return []
        rows = tx.rows("runs_uncounted", {"after": self._counted_at, "count": _COUNT_BATCH})
        runs = [Finished(*row) for row in rows]
        known = read_known(tx, {key for run in runs for key in keys(run)})
        moved: set[Key] = {(run.sync, "account", subject.account) for run in runs
                           if (subject := known.get(keys(run)[0])) and subject.account != run.account}
        known.update(read_known(tx, moved - known.keys()))
        before = {key: each.run_id for key, each in known.items()}
        found = counted(runs, known)
        save(tx, found.values())
        subjects: set[Key] = {keys(run)[0] for run in runs}
        newest = {found[key].run_id for key in subjects}
        passed = {before[key] for key in subjects if key in before} | {run.id for run in runs}
        for superseded, ids in ((False, newest), (True, passed - newest)):
            if ids:
                tx.execute("runs_counted", {"superseded": superseded, "ids": sorted(ids)})
        return runs

    def forgive(self) -> int:
        """Have at most 1,000 subjects no longer count as failing, whose last run failed too long ago; return how many.

        Nobody asked for them since: most are gone from where subjects come from, and would count for ever.
        """
        def work(tx: Transaction) -> int:
            locked = tx.row("lock_history")
            rows = tx.rows("statistics_failed_before", {"kept_ms": self._kept_ms, "count": _PRUNE_BATCH})
            if not rows or not locked or not locked[0]:
                return 0
            subjects = [Statistics(*row) for row in rows]
            save(tx, forgiven(subjects, read_known(tx, {key for each in subjects for key in above(each)})))
            return len(rows)

        return self._store.write(work)

    def prune(self) -> int:
        """Remove at most 1,000 runs that are past their time; return how many."""
        with self._prune_look_turn as due:
            if due:
                self._pruned_at = _LOWEST
        rows = self._store.run("runs_prune", {"after": self._pruned_at, "kept_ms": self._kept_ms,
                                              "count": _PRUNE_BATCH})
        if self._store.dead_rows_linger and rows:
            self._pruned_at = max(row[0] for row in rows)
        return len(rows)
