"""The row of a window: what it served, where its time went, and why it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from penstock.domain.limits import Window
from penstock.store.port import Store, Transaction

_KEEP_MS = 30 * 86_400_000
_PRUNED = 100
_LAST = 2**62
_MOST_RUNS, _LONGEST_SUBJECT, _MOST_WINDOWS = 200, 100, 20


class WindowRow(msgspec.Struct, frozen=True):
    """A window as people and programs read it. Times are in milliseconds, those of day since 1970, UTC.

    `served` runs ended in it, of which `failed` badly or are tried again; `put_back` go on in a later window; `skipped`
    were passed over since they would not have fitted. `ended_by` is None while it goes on. For `fetch_ms` it loaded
    what its runs share; `runs` are those that it served, as JSON: see `served_runs`. Both are written at its end.
    """

    id: int
    sync: str
    account: str
    job_id: int
    began_at: int
    ended_at: int | None
    total_ms: int | None
    headroom_ms: int | None
    served: int
    failed: int
    put_back: int
    skipped: int
    used_ms: int | None
    unused_ms: int | None
    ended_by: str | None
    fetch_ms: int = 0
    runs: str = ""

    @property
    def served_runs(self) -> "list[ServedRun]":
        """The runs that it served, in their order; the first of them only, where they were very many."""
        try:
            return msgspec.json.decode(self.runs or "[]", type=list[ServedRun])
        except (msgspec.DecodeError, ValueError):
            return []


class ServedRun(msgspec.Struct, frozen=True, array_like=True):
    """A run as a window served it: from `began_ms` after the window's begin on, for `took_ms`, to what it came to."""

    id: int
    subject: str
    began_ms: int
    took_ms: int
    status: str


def latest_windows(store: Store, sync: str, *, account: str | None = None, before: int | None = None,
                   count: int = 50) -> list[WindowRow]:
    """The newest windows of a sync, or of one account of it, the newest first; with `before`, those older than an id.

    They are kept for 30 days.
    """
    params = {"sync": sync, "before": _LAST if before is None else before, "count": count}
    if account is not None:
        return [WindowRow(*row) for row in store.look("windows_of_account", {**params, "account": account})]
    return [WindowRow(*row) for row in store.look("windows_listed", params)]


def window_numbered(store: Store, id: int) -> WindowRow | None:
    """One window; None where there is none (any more)."""
    return next((WindowRow(*row) for row in store.look("windows_numbered", {"ids": [id]})), None)


def open_windows(store: Store, count: int) -> list[WindowRow]:
    """Windows under way, of all syncs, the newest first."""
    return [WindowRow(*row) for row in store.look("windows_open", {"count": count})]


@dataclass(slots=True)
class Telling:
    """The row of the window at work. Times are those of its monotonic clock."""

    id: int
    began: float
    end: float | None
    monotonic: Callable[[], float]
    served: int = 0
    failed: int = 0
    put_back: int = 0
    ended: int = 0
    skipped: set[int] = field(default_factory=set)
    fetched: float = 0.0
    runs: list[ServedRun] = field(default_factory=list)

    def count(self, status: str, error_class: str | None) -> None:
        """Note what a run came to."""
        if status == "pending" and error_class in (None, "OutOfTime", "Limited"):
            self.put_back += 1
            return
        self.served += 1
        self.ended += status != "pending"
        self.failed += status != "succeeded"

    def note(self, id: int, subject: str, began: float, took: float, status: str) -> None:
        """Note which run was served, and when; of very many only the first, since they are all one row's text."""
        if len(self.runs) < _MOST_RUNS:
            began_ms = round((began - self.began) * 1000)
            self.runs.append(ServedRun(id, subject[:_LONGEST_SUBJECT], began_ms, round(took * 1000), status))

    def end_in(self, tx: Transaction, ended_by: str, steps: dict[str, float], skipped: int) -> None:
        """Write that the window is over, and what it learned of its steps."""
        now = self.monotonic()
        unused = None if self.end is None else max(self.end - now, 0.0)
        tx.execute("window_end", {
            "id": self.id, "served": self.served, "failed": self.failed, "put_back": self.put_back,
            "skipped": skipped, "used_ms": round((now - self.began) * 1000),
            "unused_ms": None if unused is None else round(unused * 1000), "ended_by": ended_by,
            "fetch_ms": round(self.fetched * 1000), "runs": msgspec.json.encode(self.runs).decode(),
            "steps": msgspec.json.encode({name: round(took, 3) for name, took in steps.items()}).decode()})


def begun(tx: Transaction, sync: str, account: str, job_id: int, window: Window | None) -> int:
    """Write that a window has begun; give its number. Those that its job had before were lost with their workers."""
    tx.execute("windows_lost", {"job_id": job_id})
    tx.execute("windows_prune", {"keep_ms": _KEEP_MS, "count": _PRUNED})
    tx.execute("removed_prune", {"keep_ms": _KEEP_MS})
    row = tx.row("window_begin", {
        "sync": sync, "account": account, "job_id": job_id,
        "total_ms": round(window.total * 1000) if window else None,
        "headroom_ms": round(window.headroom * 1000) if window else None})
    assert row is not None
    return int(row[0])


def steps_known(tx: Transaction, sync: str) -> dict[str, float]:
    """What the last window of a sync knew of how long its steps take."""
    row = tx.row("window_steps", {"sync": sync})
    try:
        return msgspec.json.decode(row[0], type=dict[str, float]) if row else {}
    except msgspec.DecodeError:
        return {}


def with_window(text: str, id: int) -> str:
    """The windows that served a run, as its row has them, with one more: the newest of them, where they are many."""
    return msgspec.json.encode([*(each for each in served_by(text) if each != id), id][-_MOST_WINDOWS:]).decode()


def served_by(text: str) -> list[int]:
    """The numbers of the windows that served a run, from its row."""
    try:
        return msgspec.json.decode(text or "[]", type=list[int])
    except (msgspec.DecodeError, ValueError):
        return []
