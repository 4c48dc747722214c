"""Runs and the requests for them, as values and as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.domain.errors import PlanRefused, StaleLease, StillInDoubt, Throttled, Unavailable
from penstock.domain.retry import RetryPolicy
from penstock.store.adapters import ainsert, insert
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.permits import Free
from penstock.sync.state.fence import Fence

RETRY = RetryPolicy(max_attempts=5, base_seconds=2.0, longest_seconds=300.0)
OUTAGE = RetryPolicy(max_attempts=5, base_seconds=10.0, factor=3.0, longest_seconds=300.0)
"""Of a run that ended since its destination cannot be reached: five attempts bridge seven minutes."""
_LEAST_SECONDS, _THROTTLED_SECONDS, _LONGEST_SECONDS = 1.0, 8.0, 300.0


def retried(error: Exception, attempt: int, progressed: bool, taken_seconds: float) -> tuple[int, float] | None:
    """As which attempt a run counts that ended with an error, and after how many seconds it goes again; None: never.

    A rate limit, and a wait for what is in doubt, cost no attempt. An attempt that wrote something is the first of new
    ones: what is given up is a run that fails time and again where it is. One that is throttled before it writes
    anything, by a destination that does not say for how long, waits half as long as it has taken so far.
    """
    asked = getattr(error, "retry_after", None) if isinstance(error, Throttled | Unavailable) else None
    if isinstance(error, Throttled | StillInDoubt):
        wait = RETRY.base_seconds if progressed else min(max(taken_seconds / 2, _THROTTLED_SECONDS), _LONGEST_SECONDS)
        return 0 if progressed else attempt - 1, wait if asked is None else max(asked, _LEAST_SECONDS)
    if isinstance(error, PlanRefused):
        return None
    policy = OUTAGE if isinstance(error, Unavailable) else RETRY
    counted = 1 if progressed else attempt
    if counted >= policy.max_attempts:
        return None
    return counted, policy.delay_seconds(counted) if asked is None else max(asked, _LEAST_SECONDS)


class RunRow(msgspec.Struct, frozen=True):
    """One row of `sync_runs`, as people and programs read it. Times are in milliseconds since 1970, UTC.

    `permits` are those that it spent, `limited_ms` is for how long it waited for them. `options` is what the run was
    asked beyond the ordinary, as JSON; empty for an ordinary run.
    """

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
    options: str = ""
    permits: int = 0
    limited_ms: int = 0


class Requests:
    """Writes requests: insert-only rows that the dispatcher folds into runs once they are committed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def request(self, requests: Sequence[dict[str, Any]], connection: Any = None) -> None:
        """Write many requests in one statement; with `connection`, inside its transaction."""
        if requests:
            insert(self._store, *_written(requests), connection)

    async def arequest(self, requests: Sequence[dict[str, Any]], connection: Any = None) -> None:
        """The same without blocking the event loop."""
        if requests:
            await ainsert(self._store, *_written(requests), connection)


def _written(requests: Sequence[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return "request", {"requests": msgspec.json.encode(list(requests)).decode()}


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run came to: it ended (`succeeded`, `failed`), or goes on later (`pending`).

    `counted` is how many attempts it counts by then, `cursor` what a later window is to know of it.
    """

    status: str
    error_class: str | None = None
    error: str | None = None
    counted: int = 0
    delay_seconds: float = 0.0
    cursor: str | None = None


class Settlement:
    """How one run ends in the store; every way is guarded by its lease."""

    def __init__(self, store: Store, fence: Fence) -> None:
        self._store = store
        self._fence = fence
        self.permits = Free()
        """What the run has spent."""
        self.windows: str | None = None
        """The windows that have served it, where that is to be written."""

    def write(self, tx: Transaction, settled: Settled, took_seconds: float) -> None:
        """Settle the run. Raises `StaleLease` if it belongs to somebody else by now."""
        params: dict[str, Any] = {"id": self._fence.run_id, "lease": self._fence.lease,
                                  "took_ms": round(took_seconds * 1000), "error_class": settled.error_class,
                                  "error": settled.error, "permits": self.permits.spent,
                                  "limited_ms": round(self.permits.waited * 1000), "windows": self.windows}
        if settled.status == "pending":
            more = {"delay_ms": round(settled.delay_seconds * 1000), "attempt": settled.counted,
                    "cursor": settled.cursor}
            touched = tx.execute("run_release", params | more)
        else:
            touched = tx.execute("run_finish", params | {"status": settled.status})
        if not touched:
            raise StaleLease(f"run {self._fence.run_id}: its lease has passed to another worker")

    def written(self) -> tuple[int, float]:
        """How many records all attempts of the run have created, updated and deleted; and the seconds since the first.
        """
        row = self._store.read(lambda tx: tx.row("run_written", {"id": self._fence.run_id}))
        return (int(row[0]), row[1] / 1000) if row else (0, 0.0)


def latest_runs(store: Store, sync: str, subjects: Sequence[str]) -> tuple[list[RunRow], set[str]]:
    """The newest run of each subject that has any, in their order; and the subjects with requests not yet folded."""

    def work(tx: Transaction) -> tuple[dict[str, RunRow], set[str]]:
        runs = {row[2]: RunRow(*row) for row in tx.rows("runs_latest", {"sync": sync, "subjects": list(subjects)})}
        return runs, {row[0] for row in tx.rows("subjects_requested", {"sync": sync})}

    runs, requested = store.read(work)
    return [runs[subject] for subject in subjects if subject in runs], requested
