"""One run as people look at it, and how long the last runs of several subjects took."""

from collections.abc import Sequence

import msgspec

from penstock.store.port import Row, Store, Transaction
from penstock.sync.state.runs import RunRow
from penstock.sync.state.tally import LayerCounts, read_tally
from penstock.sync.window.row import WindowRow, served_by

TREND = 20
_ROW = len(RunRow.__struct_fields__)


class RunTold(msgspec.Struct, frozen=True):
    """A run with what it did in each layer, and the windows that served it, the newest first (of many, the last 20).

    `took_ms` is for how long it was served in all of them; `cancelled_by` is why it is to end, where somebody cancelled
    it while it was served. `now` is the store's time.
    """

    run: RunRow
    size: int | None
    run_at: int
    took_ms: int
    job_id: int | None
    layers: dict[str, LayerCounts]
    windows: list[WindowRow]
    cancelled_by: str | None
    now: int


class Took(msgspec.Struct, frozen=True):
    """One of the last runs of a subject, and for how long it was served."""

    id: int
    status: str
    took_ms: int
    finished_at: int | None


def run_told(store: Store, id: int) -> RunTold | None:
    """A run by its number; None where there is none (any more)."""
    def work(tx: Transaction) -> RunTold | None:
        row = tx.row("run_told", {"id": id})
        if row is None:
            return None
        run = RunRow(*row[:_ROW])
        size, run_at, took_ms, job_id, layers, windows, cancelled_by, now = row[_ROW:]
        numbers = served_by(windows)
        found = [WindowRow(*each) for each in tx.rows("windows_numbered", {"ids": numbers})] if numbers else []
        if run.status == "running" and job_id is not None:
            found = [*(WindowRow(*each) for each in tx.rows("window_open_of", {"job_id": job_id})), *found]
        unique = {each.id: each for each in found}
        return RunTold(run, size, run_at, took_ms, job_id, read_tally(layers), list(unique.values()), cancelled_by, now)

    return store.read(work)


def trends(store: Store, sync: str, subjects: Sequence[str], count: int = TREND) -> dict[str, list[Took]]:
    """The last runs of each subject that has any, the oldest of them first."""
    if not subjects:
        return {}
    return _last(store.look("runs_trend", {"sync": sync, "subjects": list(subjects), "count": count}), count)


def account_trends(store: Store, sync: str, accounts: Sequence[str], count: int = TREND) -> dict[str, list[Took]]:
    """The same of accounts: their last runs that succeeded or failed."""
    if not accounts:
        return {}
    return _last(store.look("runs_trend_accounts", {"sync": sync, "accounts": list(accounts), "count": count}), count)


def _last(rows: list[Row], count: int) -> dict[str, list[Took]]:
    found: dict[str, list[Took]] = {}
    for name, *rest in sorted(rows, key=lambda row: row[1]):
        found.setdefault(name, []).append(Took(*rest))
    return {name: runs[-count:] for name, runs in found.items()}
