"""Runs and the requests for them, as values and as rows."""

from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.domain.errors import StaleLease
from penstock.domain.retry import RetryPolicy
from penstock.store.adapters import insert
from penstock.store.port import Store, Transaction
from penstock.sync.state import Fence

RETRY = RetryPolicy(max_attempts=5, base_seconds=2.0, longest_seconds=300.0)


class RunRow(msgspec.Struct, frozen=True):
    """One row of `sync_runs`, as people and programs read it. Times are in milliseconds since 1970, UTC."""

    id: int
    sync: str
    subject: str
    account: str
    status: str
    priority: int
    reasons: str
    requested_at: int
    started_at: int | None
    finished_at: int | None
    attempt: int
    read: int
    created: int
    updated: int
    deleted: int
    skipped: int
    failed: int
    blocked: int
    read_calls: int
    write_calls: int
    error_class: str | None
    error: str | None
    withheld: int = 0


class Requests:
    """Writes requests: insert-only rows that the dispatcher folds into runs once they are committed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def request(self, requests: Sequence[dict[str, Any]], connection: Any = None) -> None:
        """Write many requests in one statement; with `connection`, inside its transaction."""
        if requests:
            insert(self._store, "request", {"requests": msgspec.json.encode(list(requests)).decode()}, connection)


class Settlement:
    """How one run ends in the store; every way is guarded by its lease."""

    def __init__(self, store: Store, fence: Fence) -> None:
        self._store = store
        self._fence = fence

    def finish(self, status: str, error_class: str | None = None, error: str | None = None) -> None:
        """End the run. Raises `StaleLease` if it belongs to somebody else by now."""
        self._write("run_finish", {"status": status, "error_class": error_class, "error": error})

    def release(self, *, delay_seconds: float = 0.0, give_back: bool = False, error_class: str | None = None,
                error: str | None = None) -> None:
        """Put the run back to pending, to be admitted again after a while."""
        self._write("run_release", {"delay_ms": round(delay_seconds * 1000), "given_back": 1 if give_back else 0,
                                    "error_class": error_class, "error": error})

    def _write(self, name: str, params: dict[str, Any]) -> None:
        full = {**params, "id": self._fence.run_id, "lease": self._fence.lease}
        if not self._store.write(lambda tx: tx.execute(name, full)):
            raise StaleLease(f"run {self._fence.run_id}: its lease has passed to another worker")


def latest_runs(store: Store, sync: str, subjects: Sequence[str]) -> tuple[list[RunRow], set[str]]:
    """The newest run of each subject that has any, in their order; and the subjects with requests not yet folded."""

    def work(tx: Transaction) -> tuple[dict[str, RunRow], set[str]]:
        runs = {row[2]: RunRow(*row) for row in tx.rows("runs_latest", {"sync": sync, "subjects": list(subjects)})}
        return runs, {row[0] for row in tx.rows("subjects_requested", {"sync": sync})}

    runs, requested = store.read(work)
    return [runs[subject] for subject in subjects if subject in runs], requested
